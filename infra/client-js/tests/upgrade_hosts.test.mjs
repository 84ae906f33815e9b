// The upgrade in hosts that are unusual: with fakes of a test framework, with two copies of the library.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { runNode } from "./support/child.mjs";
import { UPGRADE, hostFolder, runHost, writeHost } from "./support/library/host.mjs";
import { KEY, fakeService, until } from "./support/library/service.mjs";

const FAST = { speed: 50 };

test("fake clocks and timers of a host's tests stop no report, and throw nothing", async (t) => {
  const service = await fakeService(t);
  // A mock that was reset returns nothing.
  const fakes = `Date.now = Math.random = () => undefined;
    globalThis.setTimeout = globalThis.setImmediate = () => {};`;
  const script = `process.on("uncaughtException", (error) => show({ thrown: String(error) })); start(); ${fakes}`;
  const folderOf = (wsUrl) => hostFolder(t, { apiKey: KEY, wsUrl });
  const reached = runHost(t, writeHost(folderOf(service.url), script, { options: FAST }));
  const refused = runHost(t, writeHost(folderOf("ws://127.0.0.1:1/"), `${script}
    setInterval(() => {
      const { failedConnections, problems } = require(${JSON.stringify(UPGRADE)}).stats();
      if (failedConnections < 2) return;
      show({ failedConnections, codes: problems.map(({ code }) => code) });
      process.exit();
    }, 10);`, { options: FAST }));
  await until(() => service.reports().length >= 3);
  const { lines, stderr } = await refused.ended;
  assert.deepEqual([...lines.filter(({ thrown }) => thrown), ...reached.lines.filter(({ thrown }) => thrown)], []);
  assert.deepEqual(lines.at(-1).codes, ["connection"]);
  assert.equal(stderr.match(/NSL_CONNECTION/g).length, 1);
});

test("two copies of the library for one app both report, and neither keeps its log entries", async (t) => {
  const service = await fakeService(t);
  const folder = hostFolder(t, { apiKey: KEY, wsUrl: service.url });
  const second = `libraryOf({ ...${JSON.stringify(FAST)} })`;
  const script = `const other = ${second}; start();
    other.from(${JSON.stringify(folder)}).import("config.json").enableRemoteMode();
    library.log("first"); other.log("second");
    const poll = setInterval(() => {
      const kept = library.pendingLogs.length + other.pendingLogs.length;
      if (kept > 0 || !library.isAuthenticated || !other.isAuthenticated) return;
      clearInterval(poll);
      show({ kept });
    }, 10);`;
  const { lines } = runHost(t, writeHost(folder, script, { options: FAST }));
  await until(() => lines.some(({ kept }) => kept === 0));
  await until(() => service.of("logs").length === 2);
  const connectionsOfReports = () => new Set(service.reports().map(({ connection }) => connection));
  await until(() => connectionsOfReports().size === 2);
  assert.deepEqual(service.of("logs").map(({ data }) => data.logs[0].message).sort(), ["first", "second"]);
});

test("a library that never connects is reported, and its absence from a process is not", async (t) => {
  const config = join(hostFolder(t), "config.json");
  const script = (first) => `
    const timers = require("node:timers"), { setTimeout: start } = timers;
    let minute = null;
    timers.setTimeout = (run, ms) => (ms === 60_000 && (minute = run), start(run, ms));
    const { stats } = require(${JSON.stringify(UPGRADE)});
    ${first};
    minute();
    console.log(JSON.stringify(stats().problems.map(({ code }) => code)));`;
  const codes = async (first) => (await runNode(["-e", script(first)])).shown;
  assert.deepEqual(await codes(`require("node:fs").readFileSync(${JSON.stringify(config)}, "utf8")`), [["no_library"]]);
  assert.deepEqual(await codes(""), [[]]);
});
