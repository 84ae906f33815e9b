// Unit tests of the report log, rates, live cells, panels, routes and delays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AppModel } from "../../src/app_model.js";
import { wait } from "../../src/backoff.js";
import { EMPTY, bucketOf, merge } from "../../src/bucket.js";
import { TEXTS } from "../../src/language.js";
import { cellTimes, cellsBySource, combined, fillFromMinutes } from "../../src/live_cells.js";
import { aloneIn } from "../../src/plot.js";
import { panelsOf, selection, seriesParam } from "../../src/panels.js";
import { fragmentOf, readRoute } from "../../src/route.js";
import { readRange, selectionBetween, stepOf } from "../../src/range.js";
import { rateBetween, ratesOfColumn } from "../../src/rates.js";
import { ReportLog, valueIn } from "../../src/report_log.js";
import { samplesOf } from "../../src/samples.js";
import { Service, kindOf } from "../../src/service.js";
import { sparkLine } from "../../src/spark_line.js";
import { randomFrom } from "./service_model.js";

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);

function report(id, at, metrics, source = "a") {
  return { id, at, source, samples: samplesOf(metrics) };
}

test("samples are the numbers of a document by dotted path", () => {
  const document = { a: { b: 1, c: null, d: "2", e: [3, { f: 4 }], g: true }, "<b>&\"'": 5, "": 6, h: {}, i: { "": { j: 7 } } };
  const { names, values } = samplesOf(document);
  assert.deepEqual(names, ["a.b", "a.e.0", "a.e.1.f", "<b>&\"'", "i..j"]);
  assert.deepEqual(values, [1, 3, 4, 5, 7]);
  assert.deepEqual(samplesOf({ "": { a: 1, "": 2 } }).names, [".a", "."]);
  for (const odd of [null, 1, "x", undefined]) assert.deepEqual(samplesOf(odd).names, []);
});

test("merging buckets is associative and commutative", () => {
  const random = randomFrom(1);
  const some = () => (random() < 0.2 ? EMPTY : bucketOf(Math.floor(random() * 100)));
  for (let round = 0; round < 200; round += 1) {
    const [a, b, c] = [some(), some(), some()];
    assert.deepEqual(merge(merge(a, b), c), merge(a, merge(b, c)));
    assert.deepEqual(merge(a, b), merge(b, a));
  }
});

test("the log has each report once and in order", () => {
  const random = randomFrom(2);
  const log = new ReportLog();
  const all = Array.from({ length: 300 }, (_, index) => report(`r${index}`, NOW - Math.floor(random() * 60_000), { n: index }));
  for (const one of [...all, ...all].sort(() => random() - 0.5)) log.add(one, NOW);
  assert.equal(log.entries.length, 300);
  assert.equal(log.taken, 300);
  assert.ok(log.entries.every(({ at }, index) => index === 0 || log.entries[index - 1].at <= at));
});

test("the log is limited by age, reports and numbers, and completeFrom follows", () => {
  const log = new ReportLog({ keptMs: 60_000, reports: 100, numbers: 150 });
  log.claim(NOW);
  for (let index = 0; index < 1000; index += 1) log.add(report(`r${index}`, NOW + index * 100, { a: 1, b: 2 }), NOW + index * 100);
  assert.equal(log.entries.length, 75);
  assert.equal(log.completeFrom, log.entries[0].at - 99);
  assert.equal(log.add(report("r0", NOW, { a: 1 }), NOW + 100_000), "old");
  log.claim(NOW);
  assert.ok(log.completeFrom > NOW);
});

test("values keep their names when documents change shape", () => {
  const log = new ReportLog();
  log.add(report("1", NOW, { a: 1, b: 2 }), NOW);
  log.add(report("2", NOW + 1, { b: 3, a: { c: 4 } }), NOW);
  log.add(report("3", NOW + 2, { a: null, b: "x" }), NOW);
  const valuesOf = (name) => log.entries.map((entry) => valueIn(entry, name));
  assert.deepEqual(valuesOf("a"), [1, undefined, undefined]);
  assert.deepEqual(valuesOf("b"), [2, 3, undefined]);
  assert.deepEqual(valuesOf("a.c"), [undefined, 4, undefined]);
});

test("a counter that was reset or has no elapsed time has no rate", () => {
  assert.equal(rateBetween(undefined, { at: 1, value: 1 }), null);
  assert.equal(rateBetween({ at: 0, value: 10 }, { at: 2000, value: 30 }), 10);
  assert.equal(rateBetween({ at: 0, value: 10 }, { at: 2000, value: 9 }), null);
  assert.equal(rateBetween({ at: 5, value: 10 }, { at: 5, value: 11 }), null);
});

test("rates of history have gaps at a reset and at a gap", () => {
  const avg = [30, 90, 150, 20, 80, null, 200, 260];
  const column = { avg, min: avg.map((one) => one && one - 30), max: avg.map((one) => one && one + 30), count: avg.map(() => 60) };
  const rates = ratesOfColumn(column, () => 60_000, true);
  assert.deepEqual(rates, [null, 1, 1, null, null, null, null, 1]);
});

test("rates of several sources have a gap when one comes or goes", () => {
  const column = { avg: [60, 120, 500, 560], min: [], max: [], count: [120, 120, 180, 180] };
  assert.deepEqual(ratesOfColumn(column, () => 60_000, false), [null, 1, null, 1]);
});

test("live cells are filled by source, and silence is a gap", () => {
  const log = new ReportLog();
  for (let second = 0; second < 60; second += 1) {
    if (second < 20 || second > 40) log.add(report(`a${second}`, NOW + second * 1000 + 300, { x: second }), NOW);
    if (second % 2 === 0) log.add(report(`b${second}`, NOW + second * 1000, { x: 100 }, "b"), NOW);
  }
  const times = cellTimes(NOW, NOW + 59_000);
  const cells = cellsBySource(log, "x", times);
  assert.equal(cells.get("a")[5], 5);
  assert.deepEqual(cells.get("a").slice(20, 41), new Array(21).fill(null));
  assert.equal(cells.get("b")[21], undefined);
  assert.equal(cellsBySource(log, "x", cellTimes(NOW, NOW + 90_000)).get("a")[60], null);
  const { avg, min, max } = combined([...cells.values()], times.length);
  assert.deepEqual([avg[10], min[10], max[10]], [55, 10, 100]);
  assert.equal(avg[38], 100);
});

test("a source with long regular intervals has no gaps", () => {
  for (const every of [11, 15, 60, 120]) {
    const log = new ReportLog();
    for (let second = 0; second <= 240; second += every) log.add(report(`a${second}`, NOW + second * 1000, { x: 6 }), NOW);
    for (let second = 0; second < 30; second += 1) log.add(report(`b${second}`, NOW + second * 1000, { x: 2 }, "b"), NOW);
    const cells = cellsBySource(log, "x", cellTimes(NOW, NOW + 250_000));
    assert.ok(!cells.get("a").slice(0, 240).includes(null), `every ${every} s`);
    const { avg, max } = combined([...cells.values()], 251);
    assert.deepEqual([avg[0], avg[20], max[20]], [4, 4, 6]);
    assert.deepEqual([...new Set(avg.slice(40))], [undefined, 6], "a silent source is neither counted nor a gap for others");
  }
});

test("the combined line and its band have a gap when all sources are silent", () => {
  const log = new ReportLog();
  for (const second of [0, 1, 2, 40, 41, 42]) log.add(report(`a${second}`, NOW + second * 1000, { x: second }), NOW);
  const column = combined([...cellsBySource(log, "x", cellTimes(NOW, NOW + 45_000)).values()], 46);
  for (const line of Object.values(column)) assert.deepEqual([line[2], line[3], line[39], line[40]], [2, null, null, 40]);
});

test("only points between gaps are drawn as dots", () => {
  const [gap, none] = [null, undefined];
  assert.deepEqual(aloneIn([gap, 1, gap, 2, 3, 4, gap, 5, none, 6]), [1, 7, 9]);
  assert.deepEqual(aloneIn([none, 1, none, none, gap, gap]), [1]);
  for (const whole of [[], [gap, none], [1, 2, 3], [1, none, 2, none, 3]]) assert.equal(aloneIn(whole), null);
});

test("a lone point of a spark line is at least one unit wide", () => {
  const made = [];
  const element = (_, tag) => ({ setAttribute: (name, text) => name === "points" && made.push([tag, text]), replaceChildren() {} });
  globalThis.document = { createElementNS: element };
  sparkLine([null, 5, null, 1, 2], "a");
  delete globalThis.document;
  const strokes = made.filter(([tag]) => tag === "polyline").map(([, points]) => points.split(" ").map((point) => Number(point.split(",")[0])));
  assert.equal(strokes.length, 2);
  for (const [first, last] of strokes) assert.ok(last - first >= 1);
});

test("source coverage has the sources without a line and its start", () => {
  const model = new AppModel();
  const payload = (source, at) => ({ id: `${source}${at}`, source, timestamp: new Date(at).toISOString(), metrics: { x: 1 } });
  for (let source = 0; source < 45; source += 1) model.add(payload(`s${source}`, NOW), NOW);
  assert.deepEqual(model.sourceCoverage("hour", NOW), { all: 45, drawn: 40, since: null }, "before a replay nothing is complete");
  model.replayed({ since: NOW - 300_000, earliest: NOW, complete: true });
  assert.deepEqual([model.sourceCoverage("hour", NOW).since, model.sourceCoverage("live", NOW).since], [NOW - 300_000, null]);
  assert.equal(model.sourceCoverage("hour", NOW + 3_400_000).since, null);
  assert.equal(model.columns(["x"], { range: "live", bySource: true }, NOW).lines.length, 40);
});

test("a minute of history is one point that does not move with the grid", () => {
  const minutes = { bucket: () => bucketOf(7) };
  const drawn = (from) => {
    const times = cellTimes(from, from + 600_000);
    const column = combined([], times.length);
    fillFromMinutes(column, "x", times, minutes, null);
    return times.filter((_, cell) => column.avg[cell] === 7);
  };
  const all = drawn(NOW);
  for (let moved = 1000; moved < 180_000; moved += 7000) {
    const still = all.filter((at) => at >= NOW + moved && at < NOW + 540_000);
    assert.deepEqual(drawn(NOW + moved).filter((at) => at < NOW + 540_000), still);
  }
});

test("charts follow the known names, hostile ones included", () => {
  const names = ["cpu.usage", "memory.used", "network.interfaces.lo.bytesSent", "network.interfaces.e.0.bytesReceived", "<img src=x>"];
  const panels = panelsOf(names, ["<img src=x>"]);
  assert.deepEqual(panels.map(({ id }) => id), ["cpu", "memory", "network", "series:<img src=x>"]);
  assert.deepEqual(panels[2].lines.map(({ name }) => name), ["network.interfaces.e.0.bytesReceived"]);
  assert.equal(seriesParam("a,b"), "a*b");
  assert.ok(selection(["a,b"]).includes("a*b"));
});

test("a route survives its fragment with any series names", () => {
  const random = randomFrom(5);
  const letters = ["a", "&", "=", "#", "+", "%", "é", "\"", "<", "😀", " ", ",", "."];
  for (let round = 0; round < 100; round += 1) {
    const name = () => Array.from({ length: 1 + Math.floor(random() * 9) }, () => letters[Math.floor(random() * letters.length)]).join("");
    const range = random() < 0.5 ? "week" : { from: NOW - 1e9, to: NOW };
    const route = { app: name(), range, added: [...new Set([name(), name()])], bySource: random() < 0.5, p95: random() < 0.5 };
    assert.deepEqual(readRoute(fragmentOf(route)), route);
  }
  for (const odd of ["", "#", "#range=5-4", "#range=x", "#range=99999999999999-1"]) assert.equal(readRoute(odd).range, "live");
});

test("a selection is widened to the minimum and has few points", () => {
  const { from, to } = selectionBetween(NOW - 61_000, NOW - 60_000, NOW);
  assert.ok(to - from >= 600_000 && to <= NOW);
  for (const span of [6e5, 36e5, 864e5, 6048e5, 3e10]) {
    const range = { from: NOW - span, to: NOW };
    assert.ok(span / stepOf(range) <= 350, `${span} at ${stepOf(range)}`);
    assert.deepEqual(readRange(`${range.from}-${range.to}`), range);
  }
});

test("delays double up to half a minute, with jitter, and are never zero", () => {
  assert.deepEqual([0, 1, 2, 3, 99].map((failures) => wait(failures, 1)), [1000, 2000, 4000, 8000, 30_000]);
  for (const failures of [0, 3, 50]) assert.equal(wait(failures, 0), 500);
  assert.equal(wait(2, 0.5), 2250);
});

test("rejections and faults have different kinds", () => {
  const responses = [[401], [403], [403, "app_inactive"], [403, "forbidden"], [400, "too_many_series"], [429, "rate_limited"], [503], [400, "invalid_field"]];
  const kinds = responses.map(([status, code]) => kindOf(status, code));
  assert.deepEqual(kinds, ["unauthorised", "unauthorised", "inactive", "forbidden", "too_wide", "unavailable", "unavailable", "rejected"]);
});

test("limited call is made again when it may be, three times at most", async () => {
  const limited = () => new Response(JSON.stringify({ code: "rate_limited", retryAfterMs: 1 }), { status: 429 });
  const found = () => new Response(JSON.stringify({ apps: [] }));
  const calling = (responses) => new Service("/", "key", async () => responses.shift()());
  assert.deepEqual(await calling([limited, limited, limited, found]).apps(), { apps: [] });
  await assert.rejects(calling([limited, limited, limited, limited, found]).apps(), { kind: "unavailable" });
  const inAnHour = () => new Response("{}", { status: 429, headers: { "retry-after": "3600" } });
  await assert.rejects(calling([inAnHour, found]).apps(), { kind: "unavailable" });
  const withoutTime = () => new Response("{}", { status: 429 });
  await assert.rejects(calling([withoutTime, found]).apps(), { kind: "unavailable" });
});

test("both languages have every text", () => {
  assert.deepEqual(Object.keys(TEXTS.fr), Object.keys(TEXTS.en));
});
