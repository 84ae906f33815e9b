// The upgrade beside a model of the published library, in processes of their own: what fails without it, and what it
// changes. Each format in which an application loads the library and `ws` is one.

import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { certificateIn } from "./support/certificate.mjs";
import { PACKAGE, runNode } from "./support/child.mjs";
import { FORMATS, UPGRADE, hostFolder, runHost, writeHost } from "./support/library/host.mjs";
import model from "./support/library/model.cjs";
import { KEY, fakeService, until } from "./support/library/service.mjs";
import { httpServer, tcpServer } from "./support/loopback.mjs";

const FAST = { speed: 50 };

/** Runs the library in a format, beside the upgrade. */
function run(t, script, { app = { apiKey: KEY }, args, env, ...how } = {}) {
  const file = writeHost(hostFolder(t, app), script, { options: FAST, ...how });
  return runHost(t, file, { args, env });
}

const numbersOf = (reports) => reports.map(({ data }) => data.metrics.number);

test("both models have the same facts", () => {
  const rust = readFileSync(new URL("../../../tests/compat/library.rs", import.meta.url), "utf8");
  for (const [name, value] of Object.entries(model.FACTS)) {
    const [, text] = new RegExp(`const ${name}: [^=]* = (?:Duration::from_secs\\()?(\\d+)`).exec(rust) ?? [];
    assert.equal(Number(text), value, name);
  }
});

test("without the upgrade a library sends each report twice, without a key", async (t) => {
  const service = await fakeService(t, ({ type, data }, socket) => {
    if (type === "auth") socket.send(JSON.stringify({ type: "auth_success", payload: data }));
    return true;
  });
  run(t, "start();", { args: [], options: { ...FAST, address: service.url } });
  await until(() => service.reports().length >= 6);
  assert.deepEqual(numbersOf(service.reports()).slice(0, 2), [...new Set(numbersOf(service.reports()).slice(0, 1))].flatMap((number) => [number, number]));
  assert.equal(service.of("auth")[0].data.apiKey, undefined);
});

for (const format of FORMATS) {
  test(`${format}: the address is replaced, the key added, each report sent once`, async (t) => {
    const service = await fakeService(t);
    const { lines } = run(t, 'start(); library.log("hello");', { format, env: { NSL_URL: `${service.url}live` } });
    await until(() => service.reports().length >= 6 && lines.some(({ history }) => history === undefined));
    assert.deepEqual(service.of("auth").map(({ data }) => data), [{ userId: "me", appId: "shop", apiKey: KEY }]);
    const numbers = numbersOf(service.reports());
    assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index));
    assert.deepEqual(service.of("logs").map(({ data }) => data.logs[0].message), ["hello"]);
    assert.equal(service.received[0].path, "/live");
    assert.equal(service.connections, 1);
  });
}

test("a version that opens a socket whenever credentials are set has one connection", async (t) => {
  const service = await fakeService(t);
  run(t, "start();", { options: { ...FAST, old: true }, app: { apiKey: KEY, wsUrl: service.url } });
  await until(() => service.reports().length >= 20);
  const numbers = numbersOf(service.reports());
  assert.deepEqual(numbers, [...new Set(numbers)]);
  assert.deepEqual([service.connections, service.of("auth").length], [1, 1]);
});

test("old versions of ws connect in the same way", async (t) => {
  const [model, modules] = ["tests/support/library/model.cjs", "node_modules"].map((path) => join(PACKAGE, path));
  for (const name of ["ws-5", "ws-7"]) {
    const service = await fakeService(t);
    const folder = hostFolder(t, { apiKey: KEY, wsUrl: service.url });
    const script = `const old = require(${JSON.stringify(model)}).libraryOn(require(${JSON.stringify(join(modules, name))}), require("fs"), { speed: 50 });
      old.from(${JSON.stringify(folder)}).import("config.json").enableRemoteMode().initialize();`;
    runHost(t, writeHost(folder, script));
    await until(() => service.reports().length >= 3);
    assert.deepEqual([service.connections, service.of("auth").length], [1, 1], name);
  }
});

test("every way to load it works, and twice is once", async (t) => {
  const line = `require(${JSON.stringify(UPGRADE)});`;
  const ways = [
    { args: ["--import", UPGRADE] },
    { args: [], env: { NODE_OPTIONS: `--require ${UPGRADE}` } },
    { args: [], firstLine: line },
    { args: [], firstLine: `import ${JSON.stringify(UPGRADE)};`, format: "esm" },
    { args: ["-r", UPGRADE], firstLine: line.repeat(2) },
  ];
  for (const { env, ...way } of ways) {
    const service = await fakeService(t);
    run(t, "start();", { ...way, env: { NSL_URL: service.url, ...env } });
    await until(() => service.reports().length >= 3);
    const [first, second] = numbersOf(service.reports());
    assert.deepEqual([service.connections, second - first], [1, 1], JSON.stringify(way));
  }
});

test("the environment wins over the configuration file, and the file over the compiled-in address", async (t) => {
  const service = await fakeService(t);
  run(t, "start();", { app: { apiKey: "nehonix@old.nsl", wsUrl: "ws://127.0.0.1:1/" }, env: { NSL_URL: `${service.url}a`, NSL_API_KEY: KEY } });
  run(t, "start();", { app: { apiKey: KEY, wsUrl: `${service.url}b` } });
  run(t, "start();", { app: { apiKey: "", wsUrl: `${service.url}c` }, env: { NSL_KEY: KEY } });
  // Set by the host's own first lines, as by dotenv.
  run(t, `process.env.NSL_URL = ${JSON.stringify(`${service.url}d`)}; start();`, { app: { apiKey: KEY } });
  await until(() => ["a", "b", "c", "d"].every((name) => service.reports().some(({ path }) => path === `/${name}`)));
});

test("a library that was loaded, and even started, before the upgrade is upgraded at its next attempt", async (t) => {
  const service = await fakeService(t);
  const env = { NSL_URL: service.url, NSL_API_KEY: KEY };
  const { child, ended } = run(t, `start(); setTimeout(() => require(${JSON.stringify(UPGRADE)}), 20);`, { args: [], app: {}, env });
  await until(() => service.reports().length >= 3);
  child.kill();
  assert.doesNotMatch((await ended).stderr, /NSL_NO_KEY/);
});

test("a service that is away for longer than the library's attempts gets the next reports", async (t) => {
  const bare = run(t, "start();", { args: [], options: { speed: 1_000, address: "ws://127.0.0.1:1" } });
  await until(() => bare.lines.some(({ gaveUp }) => gaveUp === 20));
  bare.child.kill();
  let isUp = false;
  const service = await fakeService(t, (frame, socket) => !isUp && void socket.terminate() === undefined);
  // The library would have given up within 20 ms.
  const { lines } = run(t, "start();", { options: { speed: 1_000 }, env: { NSL_URL: service.url } });
  await until(() => service.connections >= 2);
  isUp = true;
  await until(() => service.reports().length >= 3);
  assert.deepEqual(lines.filter(({ gaveUp, error }) => gaveUp !== undefined || error !== undefined), []);
});

test("a wrong key is reported once and printed nowhere, and silences no log entry", async (t) => {
  const service = await fakeService(t, ({ type }, socket) => type === "auth" && void socket.send('{"type":"command","data":{"type":"NSL: these ids open no app here"}}') === undefined);
  const script = `start();
    setInterval(() => library.log("entry"), 100);
    const poll = setInterval(() => {
      const { emitted, ...stats } = require(${JSON.stringify(UPGRADE)}).stats();
      if (!library.isAuthenticated || emitted < 500) return;
      show({ kept: library.pendingLogs.length, stats: { emitted, ...stats } });
      process.exit();
    }, 10);`;
  const { ended } = run(t, script, { app: { apiKey: "nehonix@secret.nsl", wsUrl: `${service.url}?apiKey=nehonix@secret.nsl` } });
  const { code, lines, stderr } = await ended;
  assert.equal(code, 0);
  assert.equal(lines.at(-1).kept, 0);
  assert.ok(lines.some(({ printed }) => printed === "entry"));
  assert.equal(stderr.match(/NSL_NOTICE.*these ids open no app here/g).length, 1);
  assert.doesNotMatch(stderr + JSON.stringify(lines), /secret/);
  const { stats } = lines.at(-1);
  assert.deepEqual([stats.sent, stats.buffered, stats.emitted], [0, stats.buffered, stats.buffered + stats.lost.overflow]);
});

test("a proxy's page, a server without TLS, a wrong address and a missing key are reported once", async (t) => {
  const html = await httpServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end("<html>".repeat(10_000));
  });
  const noTls = await tcpServer((socket) => socket.end("not TLS"));
  for (const server of [html, noTls]) t.after(server.end);
  const cases = [
    [{ apiKey: KEY, wsUrl: html.url }, /NSL_CONNECTION\] .*answered with 200 \(text\/html\)/],
    [{ apiKey: KEY, wsUrl: noTls.url.replace("ws:", "wss:") }, /NSL_CONNECTION\]/],
    [{ apiKey: KEY, wsUrl: "http://service/" }, /NSL_BAD_ADDRESS\].*app.wsUrl/],
    [{ wsUrl: "ws://127.0.0.1:1/" }, /NSL_NO_KEY\].*no usable app.apiKey/],
    [{ apiKey: KEY }, /NSL_NO_ADDRESS\].*ws:\/\/localhost:8087\//],
  ];
  const script = `process.on("uncaughtException", (error) => show({ thrown: String(error) }));
    start();
    setInterval(() => require(${JSON.stringify(UPGRADE)}).stats().problems.some(({ count }) => count >= 2) && process.exit(), 10);`;
  const runs = cases.map(async ([app, expected]) => {
    const { lines, stderr } = await run(t, script, { app }).ended;
    assert.equal(stderr.match(new RegExp(expected, "g"))?.length, 1, stderr);
    assert.deepEqual(lines.filter(({ thrown, error }) => thrown ?? error), []);
  });
  await Promise.all(runs);
});

test("a secure address with a path is used if its certificate is trusted, and reported if not", async (t) => {
  const certificate = certificateIn(hostFolder(t));
  if (certificate === null) return t.skip("skipped: openssl");
  const https = createServer(certificate.options);
  const service = await fakeService(t, () => false, https);
  const app = { apiKey: KEY, wsUrl: `wss://localhost:${new URL(service.url).port}/live` };
  const untrusted = run(t, `start(); process.on("warning", () => process.exit());`, { app });
  assert.match((await untrusted.ended).stderr, /NSL_CONNECTION\].*certificate/);
  run(t, "start();", { app, env: { NODE_EXTRA_CA_CERTS: certificate.file } });
  await until(() => service.reports().some(({ path }) => path === "/live"));
});

test("process.exit in the first tick disturbs nothing, and what waits is counted", async (t) => {
  assert.deepEqual(await run(t, "start(); process.exit(3);").ended, { code: 3, lines: [], stderr: "" });
  const counted = `start(); library.isAuthenticated = true;
    const stats = require(${JSON.stringify(UPGRADE)}).stats;
    setTimeout(() => { process.on("exit", () => { const { emitted, lost, buffered } = stats(); show([emitted > 0, lost.exit === emitted, buffered]); }); process.exit(); }, 200);`;
  const { lines } = await run(t, counted, { app: { apiKey: KEY, wsUrl: "ws://127.0.0.1:1/" } }).ended;
  assert.deepEqual(lines, [[true, true, 0]]);
});

test("a library that stops lets its process end", async (t) => {
  const service = await fakeService(t);
  const script = `start(); const poll = setInterval(() => { if (library.isAuthenticated) { clearInterval(poll); library.disable(); } }, 10);`;
  const { ended } = run(t, script, { app: { apiKey: KEY, wsUrl: service.url } });
  assert.deepEqual([(await ended).code, service.connections], [0, 1]);
});

test("a process whose modules are frozen is not disturbed", async () => {
  const script = `Object.freeze(require("http")); const { stats } = require(${JSON.stringify(UPGRADE)}); console.log(JSON.stringify(stats().problems[0].code));`;
  const { code, shown, stderr } = await runNode(["-e", script]);
  assert.deepEqual([code, shown], [0, ["internal"]]);
  assert.match(stderr, /NSL_INTERNAL/);
});

test("without the library it does nothing, says nothing at first, and keeps no process", async (t) => {
  const file = writeHost(hostFolder(t), "", {});
  const { code, lines, stderr } = await runHost(t, file).ended;
  assert.deepEqual([code, lines, stderr], [0, [], ""]);
});

test("two copies of the package act as one, with one set of figures", async (t) => {
  const service = await fakeService(t);
  const folder = hostFolder(t, { apiKey: KEY, wsUrl: service.url });
  cpSync(join(PACKAGE, "src"), join(folder, "copy"), { recursive: true });
  const copy = JSON.stringify(join(folder, "copy/upgrade.js"));
  const file = writeHost(folder, `start(); show(require(${copy}).stats === require(${JSON.stringify(UPGRADE)}).stats);`, { options: FAST });
  const { lines } = runHost(t, file, { args: ["-r", UPGRADE, "-r", join(folder, "copy/upgrade.js")] });
  await until(() => service.reports().length >= 3);
  const [first, second] = numbersOf(service.reports());
  assert.deepEqual([service.connections, second - first, lines[0]], [1, 1, true]);
});

test("memory stays within the stated bound while the service is down and the host logs on", async (t) => {
  const script = `start();
    const used = () => { gc(); return process.memoryUsage().heapUsed; };
    let before = 0, logged = 0;
    // What a turn of the event loop leaves is gone in the next one.
    const settled = (then) => setImmediate(() => setImmediate(then));
    const fill = () => {
      for (let number = 0; number < 500; number += 1) library.log("x".repeat(1_000) + (logged += 1));
      if (logged < 50_000) return logged === 5_000 ? settled(() => { before = used(); fill(); }) : setImmediate(fill);
      settled(() => {
        show({ grown: used() - before, kept: library.pendingLogs.length, ...require(${JSON.stringify(UPGRADE)}).stats() });
        process.exit();
      });
    };
    const poll = setInterval(() => { if (library.isAuthenticated) { clearInterval(poll); fill(); } }, 10);`;
  const { lines } = await run(t, script, { app: { apiKey: KEY, wsUrl: "ws://127.0.0.1:1/" }, args: ["--expose-gc", "-r", UPGRADE], options: { ...FAST, quiet: true } }).ended;
  const { grown, kept, emitted, lost, buffered, bufferedBytes } = lines.at(-1);
  assert.ok(emitted >= 50_000 && kept === 0);
  assert.equal(emitted, buffered + lost.overflow);
  assert.ok(bufferedBytes <= 524_288 && grown < 2 * 524_288, `${bufferedBytes} bytes wait, ${grown} more are used`);
});

test("an old Node.js gets a warning and nothing else", async () => {
  const script = `Object.defineProperty(process, "versions", { value: { node: "16.20.2" } });
    const { request } = require("http");
    const { stats } = require(${JSON.stringify(join(PACKAGE, "upgrade.js"))});
    console.log(JSON.stringify([stats(), request === require("http").request]));`;
  const { shown, stderr } = await runNode(["-e", script]);
  assert.deepEqual(shown[0].slice(1), [true]);
  assert.deepEqual(Object.keys(shown[0][0]), Object.keys(createRequire(import.meta.url)(UPGRADE).stats()));
  assert.match(stderr, /NSL_NODE\].*needs Node.js 18.13/);
});

test("other servers and clients of ws send and receive the same bytes as without it", async (t) => {
  // The keys of handshakes and the masks of frames are random.
  const firstLine = 'const crypto = require("node:crypto"); crypto.randomFillSync = (bytes) => bytes.fill(7); crypto.randomBytes = (size) => Buffer.alloc(size, 7);';
  const script = `
    const http = require("node:http"), net = require("node:net"), { WebSocket, WebSocketServer } = require(${JSON.stringify(join(PACKAGE, "node_modules/ws"))});
    const bytes = [];
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket) => { socket.on("message", (text) => socket.send("echo " + text)); });
    server.on("listening", () => {
      const tap = net.createServer((client) => {
        const service = net.connect(server.address().port, "127.0.0.1");
        client.on("data", (chunk) => { bytes.push(["out", chunk.toString("latin1")]); service.write(chunk); });
        service.on("data", (chunk) => { bytes.push(["in", chunk.toString("latin1")]); client.write(chunk); });
        client.on("error", () => {}); service.on("error", () => {});
      }).listen(0, "127.0.0.1", () => {
        const { port } = tap.address();
        const socket = new WebSocket("ws://127.0.0.1:" + port + "/", { origin: "http://here" });
        socket.on("open", () => socket.send('{"type":"auth","data":{"userId":"me","appId":"shop"}}'));
        socket.on("message", () => http.get("http://127.0.0.1:" + port + "/page", (response) => {
          response.resume();
          bytes.push(["status", response.statusCode]);
          show(JSON.stringify(bytes).replaceAll(String(port), "PORT").replace(/Date: [^\\\\]*/g, ""));
          process.exit();
        }));
      });
    });`;
  const [bare, upgraded] = await Promise.all([[], ["-r", UPGRADE]].map((args) => runHost(t, writeHost(hostFolder(t), script, { firstLine }), { args }).ended));
  assert.equal(bare.lines.length, 1);
  assert.match(bare.lines[0], /Sec-WebSocket-Key/);
  assert.deepEqual(upgraded, bare);
});
