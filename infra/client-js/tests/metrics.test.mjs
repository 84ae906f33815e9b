// The ready-made process metrics: their names are those of the library, and every value is a number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(import.meta.url);
const { Collector, startProcessMetrics } = require("../src/process_metrics.js");
const read = (path) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url)));

/** The series of a document by name, as the service names them. */
function seriesOf(document, prefix = "") {
  return Object.entries(document).flatMap(([name, value]) => {
    if (typeof value === "object" && value !== null) return seriesOf(value, `${prefix}${name}.`);
    return [[`${prefix}${name}`, value]];
  });
}

const idle = () => new Promise((resolve) => setTimeout(resolve, 120));

/** Resolves when the event loop was busy and collected garbage. */
async function work() {
  // The lag is measured from one check to the next.
  await idle();
  const until = performance.now() + 120;
  while (performance.now() < until) Array.from({ length: 10_000 }, (_, index) => ({ index }));
  await idle();
}

test("what the library collects has the library's names", async () => {
  const collector = new Collector();
  await work();
  const names = seriesOf(collector.collect()).map(([name]) => name);
  collector.stop();
  const { network, activeConnections, messageRate, errorRate, ...fromHost } = read("tests/fixtures/metrics-windows-host.json");
  for (const [name] of seriesOf(fromHost)) assert.ok(names.includes(name), name);
  const known = read("functions/shared/domain/src/series/library_series.json").map(([name]) => name.replace(".*.", ".lo."));
  const expected = known.filter((name) => !name.startsWith("disk.") && (process.platform === "linux" || !name.startsWith("network.")));
  for (const name of expected) assert.ok(names.includes(name), name);
});

test("every value is a finite number within its range, and the document is small", async () => {
  const collector = new Collector();
  await work();
  const document = collector.collect();
  await work();
  for (const [name, value] of [...seriesOf(document), ...seriesOf(collector.collect())]) {
    assert.ok(Number.isFinite(value) && value >= 0, `${name} is ${value}`);
    if (/percent|usagePercent|cpu\.usage/i.test(name) && name !== "process.cpuPercent") assert.ok(value <= 100, `${name} is ${value}`);
  }
  collector.stop();
  assert.ok(seriesOf(document).length < 512);
  assert.ok(JSON.stringify(document).length < 4_096);
});

test("a busy event loop and its garbage collections show", async () => {
  const collector = new Collector();
  await work();
  const { eventLoop, gc, handles, process: own } = collector.collect();
  collector.stop();
  assert.ok(eventLoop.lagMs.max > 20 && eventLoop.utilizationPercent > 0, JSON.stringify(eventLoop));
  assert.ok(gc.count > 0 && gc.pauseMs > 0, JSON.stringify(gc));
  assert.ok(handles.active >= 0 && own.cpuPercent > 0);
});

test("reports are sent at the interval until they are stopped", async () => {
  const reports = [];
  const metrics = await new Promise((resolve) => {
    // The metrics hold no process.
    const hold = setInterval(() => {}, 1_000);
    const started = startProcessMetrics({ report: (document) => reports.push(document) === 2 && (clearInterval(hold), resolve(started)) }, { intervalMs: 100 });
  });
  metrics.stop();
  metrics.stop();
  assert.equal(reports.length, 2);
  assert.ok(reports[1].process.uptime > reports[0].process.uptime);
});

test("wrong arguments throw nothing", () => {
  for (const args of [[], [null], [7, { intervalMs: "x" }], [{ report: 1 }, null], [{}, { get intervalMs() { throw new Error("no"); } }]]) {
    startProcessMetrics(...args).stop();
  }
});
