// What the package does to the process that uses it: it keeps none alive, ends none, and bounds its memory.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { WebSocketServer } from "ws";

import { certificateIn } from "./support/certificate.mjs";
import { PACKAGE, runChild } from "./support/child.mjs";
import { httpServer, tcpServer, until, wsServer } from "./support/loopback.mjs";
import { isBalanced } from "./support/simulation.mjs";

const optionsFor = (url, more = {}) => JSON.stringify({ url, appId: "shop", apiKey: "key", onProblem: null, ...more });
const AT_EXIT = 'process.on("exit", () => show(publisher.stats()));';

/** A service that stores everything. */
function service(reports = []) {
  return wsServer((socket) => socket.on("message", (text) => store(socket, JSON.parse(text), reports)));
}

function store(socket, frame, reports) {
  reports.push(...frame.data);
  socket.send(JSON.stringify({ type: "ack", payload: { id: frame.id, accepted: frame.data.length, rejected: [] } }));
}

/** A folder that is removed after the test. */
function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), "nsl-client-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("an open, a hanging and a failed connection keep no process alive", async (t) => {
  const open = await service();
  const hanging = await tcpServer(() => {});
  t.after(open.end);
  t.after(hanging.end);
  const untilOpen = `const poll = setInterval(() => {
    if (publisher.stats().state === "open") { show("open"); clearInterval(poll); }
  }, 5);`;
  for (const [url, wait] of [[open.url, untilOpen], [hanging.url, ""], ["ws://127.0.0.1:1/", ""]]) {
    const options = optionsFor(url, { connectTimeoutMs: 120_000 });
    const { code, shown, stderr } = await runChild(`const publisher = connect(${options}); startProcessMetrics(publisher); ${wait}`);
    assert.deepEqual([code, shown, stderr], [0, wait === "" ? [] : ["open"], ""], url);
  }
});

test("a process that has nothing else to do sends what is buffered", async (t) => {
  const reports = [];
  const server = await service(reports);
  t.after(server.end);
  const options = optionsFor(server.url, { batchMs: 60_000, exitFlushMs: 60_000 });
  const { code, shown } = await runChild(`const publisher = connect(${options}); ${AT_EXIT}
    for (let number = 0; number < 250; number += 1) publisher.report({ number });`);
  assert.deepEqual([code, shown[0].stored, shown[0].buffered, reports.length], [0, 250, 0, 250]);
});

test("a process whose service is down ends after the time of the exit's flush, and counts the loss", async () => {
  const options = optionsFor("ws://127.0.0.1:1/", { exitFlushMs: 50 });
  const { code, shown } = await runChild(`const publisher = connect(${options}); ${AT_EXIT} publisher.report({ a: 1 });`);
  assert.deepEqual([code, shown[0].lost.exit, isBalanced(shown[0])], [0, 1, true]);
});

test("process.exit and an uncaught exception cost nothing that an open connection takes", async (t) => {
  const reports = [];
  const server = await service(reports);
  t.after(server.end);
  for (const [end, expected] of [["process.exit(3)", 3], ["setImmediate(() => { throw new Error('the host') })", 1]]) {
    const script = `const publisher = connect(${optionsFor(server.url, { batchMs: 60_000 })}); ${AT_EXIT}
      const poll = setInterval(() => {
        if (publisher.stats().state !== "open") return;
        clearInterval(poll);
        for (let number = 0; number < 250; number += 1) publisher.report({ number });
        ${end};
      }, 5);`;
    const { code, shown } = await runChild(script);
    const [{ stored, lost, emitted }] = shown;
    assert.deepEqual([code, stored + lost.unconfirmed, emitted], [expected, 250, 250], end);
    await until(() => reports.length >= 250);
    assert.equal(new Set(reports.splice(0).map(({ metrics }) => metrics.number)).size, 250);
  }
});

test("a signal without a handler ends the process as if there were no publisher", async (t) => {
  const server = await service();
  t.after(server.end);
  const { code } = await runChild(`connect(${optionsFor(server.url)}).report({ a: 1 }); setInterval(() => {}, 1_000); process.kill(process.pid, "SIGTERM");`);
  assert.equal(code, "SIGTERM");
});

test("process.exit before there is a connection loses what is buffered, and counts it", async (t) => {
  const server = await tcpServer(() => {});
  t.after(server.end);
  const script = `const publisher = connect(${optionsFor(server.url)});
    process.on("exit", () => publisher.report({ a: 2 })); ${AT_EXIT}
    publisher.report({ a: 1 }); process.exit(3);`;
  const { code, shown } = await runChild(script);
  const [{ lost, buffered }] = shown;
  assert.deepEqual([code, lost.exit, lost.closed, buffered, isBalanced(shown[0])], [3, 1, 1, 0, true]);
});

test("an awaited close or flush settles although nothing else holds the process", async (t) => {
  const server = await service();
  t.after(server.end);
  const script = `
    const publisher = connect(${optionsFor(server.url)});
    publisher.report({ a: 1 });
    (async () => {
      show(await publisher.flush());
      show((await publisher.close()).stored);
      show(await connect(${optionsFor("ws://127.0.0.1:1/")}).close(50).then((stats) => stats.state));
    })();`;
  assert.deepEqual((await runChild(script)).shown, [true, 1, "closed"]);
});

test("nothing reaches a host whose addresses, callback and documents are hostile", async (t) => {
  const html = await httpServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end("<html>".repeat(100_000));
  });
  const closing = await wsServer((socket) => socket.close(1000));
  const talking = await wsServer((socket) => {
    for (const text of ["", "<html>", "null", '{"type":"ack","payload":7}', '{"type":"error"}', '{"message":"Forbidden"}']) socket.send(text);
    socket.send(Buffer.from([0xff]));
  });
  const servers = [html, closing, talking];
  for (const server of servers) t.after(server.end);
  const options = servers.map(({ url }) => optionsFor(url, { reconnectMinMs: 10, reconnectMaxMs: 20 }).replace('"onProblem":null', '"onProblem":() => { throw 1; }'));
  const script = `
    let faults = 0;
    process.on("uncaughtException", () => (faults += 1));
    process.on("unhandledRejection", () => (faults += 1));
    process.on("warning", (warning) => show(String(warning)));
    const publishers = [${options.join(",")}, undefined, {}].map((one) => connect(one === undefined ? one : { onProblem: () => Promise.reject(1), ...one }));
    const circle = {}; circle.self = circle;
    const poll = setInterval(() => {
      for (const { report } of publishers) for (const one of [{ a: 1 }, null, circle, { a: 1n }]) report(one);
      if (publishers[0].stats().failedConnections < 5 || publishers[1].stats().connections < 5) return;
      clearInterval(poll);
      Promise.all(publishers.map((publisher) => publisher.close(10))).then((all) => {
        show([faults, ...all.map((stats) => stats.emitted === stats.lostTotal)]);
      });
    }, 5);`;
  const { code, shown } = await runChild(script);
  assert.equal(code, 0);
  assert.deepEqual(shown.filter((line) => Array.isArray(line)), [[0, true, true, true, true, true]]);
  assert.match(shown[0], /NslClientWarning: url must be/);
});

test("two copies of the package work side by side as two sources", async (t) => {
  const reports = [];
  const server = await service(reports);
  t.after(server.end);
  const folder = folderOf(t);
  cpSync(join(PACKAGE, "src"), join(folder, "src"), { recursive: true });
  const options = optionsFor(server.url, { exitFlushMs: 60_000 });
  const script = `
    const copy = require(${JSON.stringify(join(folder, "src/index.js"))});
    const publishers = [connect(${options}), copy.connect(${options})];
    for (const publisher of publishers) for (let number = 0; number < 10; number += 1) publisher.report({ same: 1 });
    process.on("exit", () => publishers.forEach((publisher) => show(publisher.stats())));`;
  const { shown } = await runChild(script);
  assert.deepEqual(shown.map(({ stored }) => stored), [10, 10]);
  assert.equal(new Set(reports.map(({ source }) => source)).size, 2);
  assert.equal(new Set(reports.map((report) => JSON.stringify(report))).size, 20);
});

test("worker threads and processes that are forked are sources of their own", async (t) => {
  const reports = [];
  const server = await service(reports);
  t.after(server.end);
  const inner = `const { connect } = require(${JSON.stringify(join(PACKAGE, "src/index.js"))});
    const publisher = connect(${optionsFor(server.url)});
    publisher.report({ a: 1 });
    publisher.close(60_000).then(() => process.disconnect?.());`;
  const file = join(folderOf(t), "report.cjs");
  writeFileSync(file, inner);
  const { code } = await runChild(`
    { ${inner} }
    const { Worker } = require("node:worker_threads");
    const cluster = require("node:cluster");
    cluster.setupPrimary({ exec: ${JSON.stringify(file)}, execArgv: [] });
    for (let count = 0; count < 2; count += 1) {
      new Worker(${JSON.stringify(file)});
      require("node:child_process").fork(${JSON.stringify(file)});
      cluster.fork();
    }`);
  assert.deepEqual([code, reports.length], [0, 7]);
  assert.equal(new Set(reports.map(({ source }) => source)).size, 7, String(reports.map(({ source }) => source)));
});

test("fake timers, clocks and JSON of a host's tests stop neither publisher nor process", async (t) => {
  const reports = [];
  const server = await service(reports);
  t.after(server.end);
  const script = `
    const no = () => { throw new Error("a fake"); };
    const { setTimeout: real } = globalThis;
    const names = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "queueMicrotask", "Date", "performance"];
    for (const name of names) Object.defineProperty(globalThis, name, { value: no, configurable: true, writable: true });
    const { stringify, parse } = JSON;
    JSON.stringify = no;
    JSON.parse = no;
    Math.random = no;
    const publisher = connect(${optionsFor(server.url)});
    const isBuffered = publisher.report({ a: 1 });
    publisher.report(null);
    const metrics = startProcessMetrics(publisher, { intervalMs: 100 });
    const poll = () => (publisher.stats().stored < 3 ? real(poll, 5) : end());
    const end = () => {
      metrics.stop();
      publisher.close(60_000).then((stats) => {
        Object.assign(JSON, { stringify, parse });
        show([isBuffered, stats.lostTotal, stats.problems.map(({ code }) => code), stats.lost.invalid]);
      });
    };
    poll();`;
  const { code, shown } = await runChild(script);
  assert.deepEqual([code, shown], [0, [[true, 1, ["invalid"], 1]]]);
  assert.ok(Math.abs(reports[0].timestamp - Date.now()) < 60_000);
});

test("a host with frozen intrinsics, a broken host name and a hostile prototype is served", async (t) => {
  const server = await service();
  t.after(server.end);
  const script = `
    require("node:os").hostname = () => { throw new Error("no name"); };
    for (const one of [Object, Array, Map, Set, Promise, Function, Error, String]) { Object.freeze(one.prototype); Object.freeze(one); }
    const options = JSON.parse('{ "__proto__": {} }');
    Object.defineProperty(options.__proto__, "url", { get() { throw new Error("no"); } });
    show(connect(options).stats().state);
    const publisher = connect(${optionsFor(server.url)});
    publisher.report({ a: 1 });
    publisher.close(60_000).then(({ stored, source }) => show([stored, source.startsWith("host-")]));`;
  const { code, shown } = await runChild(script);
  assert.deepEqual([code, shown], [0, ["misconfigured", [1, true]]]);
});

test("memory stays within the stated bound while the service is down", async () => {
  const bound = 8_388_608;
  const script = (text, options) => `
    const publisher = connect(${optionsFor("ws://127.0.0.1:1/", options)});
    const text = ${text};
    const used = () => { gc(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external; };
    const before = used();
    let sent = 0;
    const fill = () => {
      for (let number = 0; number < 5_000; number += 1) publisher.report({ number: sent += 1, text });
      if (sent < 100_000) return setImmediate(fill);
      show({ grown: used() - before, ...publisher.stats() });
      process.exit();
    };
    fill();`;
  // A letter takes a byte, or two in a text that has letters beyond Latin; and there is a megabyte of everything else.
  const cases = [
    ['"x".repeat(850)', 1, {}],
    ['"x".repeat(850) + "€"', 2, {}],
    ['""', 1, { maxBatchReports: 1, maxBufferedReports: 100_000 }],
  ];
  for (const [text, bytesOfLetter, options] of cases) {
    const { shown } = await runChild(script(text, options), { args: ["--expose-gc"] });
    const [{ grown, bufferedBytes, buffered, emitted, lost }] = shown;
    assert.equal(emitted, 100_000);
    assert.equal(buffered + lost.overflow, emitted);
    assert.ok(bufferedBytes <= bound && bufferedBytes > bound / 2, String(bufferedBytes));
    assert.ok(grown < bytesOfLetter * bound + 1_048_576, `${grown} bytes of ${text}`);
  }
});

test("a secure address is connected to by its certificate", async (t) => {
  const certificate = certificateIn(folderOf(t));
  if (certificate === null) return t.skip("skipped: openssl");
  const reports = [];
  const https = createTlsServer(certificate.options);
  new WebSocketServer({ server: https }).on("connection", (socket) => socket.on("message", (text) => store(socket, JSON.parse(text), reports)));
  await new Promise((resolve) => https.listen(0, "127.0.0.1", resolve));
  t.after(() => https.close());
  const options = optionsFor(`wss://localhost:${https.address().port}/live`, { exitFlushMs: 60_000 });
  const script = `const publisher = connect(${options}); ${AT_EXIT} publisher.report({ a: 1 });`;
  assert.equal((await runChild(script, { env: { NODE_EXTRA_CA_CERTS: certificate.file } })).shown[0].stored, 1);
  const { shown } = await runChild(`const publisher = connect(${options});
    const poll = setInterval(() => {
      if (publisher.stats().failedConnections === 0) return;
      clearInterval(poll);
      show(publisher.stats());
    }, 5);`);
  assert.match(shown[0].problems[0].message, /self.signed|certificate/i);
  assert.equal(reports.length, 1);
});

test("neither the key nor the socket shows when a publisher is printed", async () => {
  const { shown } = await runChild(`show(require("node:util").inspect(connect(${optionsFor("ws://127.0.0.1:1/?x=1")}), { depth: 9, showHidden: true }).includes('"key"'));`);
  assert.deepEqual(shown, [false]);
});
