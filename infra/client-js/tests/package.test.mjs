// The tarball that `npm pack` makes, installed in an empty folder: both module formats, the types, the size.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { PACKAGE, runNode } from "./support/child.mjs";
import { wsServer } from "./support/loopback.mjs";

const run = promisify(execFile);
const PUBLISHER_BYTES_MAX = 8 * 1_024;
const UPGRADE_BYTES_MAX = 9 * 1_024;
const folder = mkdtempSync(join(tmpdir(), "nsl-client-package-"));
const installed = join(folder, "node_modules/nsl-client");

before(async () => {
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: PACKAGE });
  writeFileSync(join(folder, "package.json"), '{ "name": "host", "private": true }');
  const quiet = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...quiet, `./${stdout.trim().split("\n").at(-1)}`], { cwd: folder });
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("it installs alone, with its licence, its types and nothing else", () => {
  assert.deepEqual(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith(".")), ["nsl-client"]);
  const entries = ["index.d.mts", "index.d.ts", "index.mjs", "metrics.d.mts", "metrics.d.ts", "metrics.mjs"];
  const upgrade = ["upgrade.d.mts", "upgrade.d.ts", "upgrade.js", "upgrade.mjs"];
  assert.deepEqual(readdirSync(installed).sort(), ["LICENSE", "README.md", "dist", "examples", ...entries, "package.json", ...upgrade]);
  assert.deepEqual(readdirSync(join(installed, "dist")), ["index.js", "metrics.js", "upgrade.js"]);
  const { dependencies, scripts } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.equal(dependencies, undefined);
  assert.ok(!Object.keys(scripts).some((name) => name.includes("install")));
});

test("the publisher without the metrics has at most 8 KB compressed, the upgrade 9 KB", () => {
  const compressed = (...names) => gzipSync(Buffer.concat(names.map((name) => readFileSync(join(installed, name)))), { level: 9 }).length;
  const publisher = compressed("index.mjs", "dist/index.js");
  const upgrade = compressed("upgrade.js", "upgrade.mjs", "dist/upgrade.js");
  assert.ok(publisher <= PUBLISHER_BYTES_MAX, `${publisher} bytes`);
  assert.ok(upgrade <= UPGRADE_BYTES_MAX, `${upgrade} bytes`);
});

test("import and require return the same functions", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { connect } from "nsl-client";
    import { startProcessMetrics } from "nsl-client/metrics";
    import { stats } from "nsl-client/upgrade";
    const require = createRequire(import.meta.url);
    const same = [connect === require("nsl-client").connect, startProcessMetrics === require("nsl-client/metrics").startProcessMetrics, stats === require("nsl-client/upgrade").stats];
    console.log(JSON.stringify(same));`;
  writeFileSync(join(folder, "both.mjs"), script);
  const { code, shown, stderr } = await runNode([join(folder, "both.mjs")]);
  assert.deepEqual([code, shown, stderr], [0, [[true, true, true]], ""]);
});

test("the upgrade is loaded by its name, with a flag or in the environment", async () => {
  const script = 'console.log(JSON.stringify(require("nsl-client/upgrade").stats().state))';
  for (const [args, env] of [[["-r", "nsl-client/upgrade"], {}], [["--import", "nsl-client/upgrade"], {}], [[], { NODE_OPTIONS: "-r nsl-client/upgrade" }]]) {
    const { code, shown, stderr } = await runNode([...args, "-e", script], { cwd: folder, env });
    assert.deepEqual([code, shown, stderr], [0, ["idle"], ""], args.join(" "));
  }
});

test("the examples report until they are stopped, and then all is stored", async (t) => {
  const server = await wsServer((socket) =>
    socket.on("message", (text) => {
      const { id, data } = JSON.parse(text);
      socket.send(JSON.stringify({ type: "ack", payload: { id, accepted: data.length, rejected: [] } }));
      if (data.some(({ metrics }) => metrics.queue)) stop();
    }),
  );
  t.after(server.end);
  let stop = () => {};
  for (const name of ["esm.mjs", "commonjs.cjs"]) {
    copyFileSync(join(PACKAGE, "examples", name), join(folder, name));
    const env = { ...process.env, NSL_URL: server.url, NSL_APP: "shop", NSL_KEY: "key" };
    const child = spawn(process.execPath, [name], { cwd: folder, env, timeout: 60_000, stdio: ["ignore", "pipe", "inherit"] });
    stop = () => {
      stop = () => {};
      child.kill("SIGTERM");
    };
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0, name);
    assert.match(output, /state: 'closed'[^]*lostTotal: 0/, name);
  }
});

test("the types are right for both module formats and every resolution", async () => {
  const types = join(folder, "types");
  mkdirSync(types, { recursive: true });
  const wrong = `
    import { connect, type LossReason, type Stats } from "nsl-client";
    import { startProcessMetrics } from "nsl-client/metrics";
    import "nsl-client/upgrade";
    import { stats, type UpgradeStats } from "nsl-client/upgrade";
    const { state }: UpgradeStats = stats();
    export const isOpen: boolean = state === "open";
    // @ts-expect-error there is no such figure
    stats().stored;
    const publisher = connect({ url: "wss://x/", appId: "a", apiKey: "k", onProblem: null });
    const { lost }: Stats = publisher.stats();
    const reason: LossReason = "overflow";
    export const count: number = lost[reason] + (lost["timestamp_out_of_range"] ?? 0);
    startProcessMetrics(publisher).stop();
    publisher.report({ a: 1 }, { timestamp: new Date(0) });
    // @ts-expect-error apiKey is missing
    connect({ url: "wss://x/", appId: "a" });
    // @ts-expect-error there is no such option
    connect({ url: "wss://x/", appId: "a", apiKey: "k", batchSize: 5 });
    // @ts-expect-error a number is no document
    publisher.report(5);`;
  writeFileSync(join(types, "esm.mts"), wrong);
  writeFileSync(join(types, "commonjs.cts"), wrong);
  writeFileSync(join(types, "bundled.ts"), wrong);
  copyFileSync(join(PACKAGE, "examples/typescript.mts"), join(types, "example.mts"));
  const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
  const typeRoots = [join(PACKAGE, "node_modules/@types")];
  const checks = [
    { files: ["esm.mts", "commonjs.cts"], module: "nodenext" },
    { files: ["bundled.ts"], module: "preserve", moduleResolution: "bundler" },
    { files: ["bundled.ts"], module: "commonjs", moduleResolution: "node10" },
    { files: ["example.mts"], module: "nodenext", types: ["node"], typeRoots },
  ];
  for (const { files, ...own } of checks) {
    const options = { noEmit: true, strict: true, noUncheckedIndexedAccess: true, target: "es2022", lib: ["es2022"], types: [], ...own };
    writeFileSync(join(types, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
    const { stdout } = await run(process.execPath, [tsc, "-p", types]).catch((error) => error);
    assert.equal(stdout, "", JSON.stringify(own));
  }
});
