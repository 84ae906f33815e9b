// Units and numbers in both languages.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { AppModel } from "../../src/app_model.js";
import { change, duration, humanise, isCounter, unitOf } from "../../src/units.js";

const FIGURES = JSON.parse(readFileSync(new URL("../../../../tests/fixtures/figures.json", import.meta.url)));

/** The text with ordinary spaces. */
function text(value, unit, language = "en") {
  return humanise(value, unit, language).replace(/[\u00a0\u202f]/g, " ");
}

test("only the library's own series have a unit, as in the service", () => {
  const units = { "cpu.usage": "percent", "memory.usagePercent": "percent", "memory.used": "bytes", "disk.free": "bytes", "process.uptime": "seconds" };
  const interfaces = { "network.interfaces.eth0.100.bytesSent": "bytes/s", "network.interfaces.eth0:1.packetsSent": "/s" };
  for (const [name, unit] of Object.entries({ ...units, ...interfaces })) assert.equal(unitOf(name), unit, name);
  assert.ok(isCounter("network.interfaces.eth0.bytesReceived") && !isCounter("memory.used"));
});

test("series of other programs are plain numbers and not counters", () => {
  const others = ["queue.bytesInFlight", "process.cpuUsage.user", "cpu.system", "pool.usage", "a.memory.used", "heapBytes", "uptime", "a.bytesSent", "network.interfaces..bytesSent", "network.interfaces.bytesSent", "x", ""];
  for (const name of others) assert.deepEqual([unitOf(name), isCounter(name)], ["", false], name);
});

test("a gauge in bytes is drawn as it is, and not its derivative", () => {
  const now = Date.UTC(2026, 10, 22, 12);
  const model = new AppModel();
  for (let second = 0; second < 60; second += 1) {
    model.add({ id: String(second), source: "a", timestamp: new Date(now - second * 1000).toISOString(), metrics: { queue: { bytesInFlight: 100 } } }, now);
  }
  const [{ avg }] = model.columns(["queue.bytesInFlight"], { range: "live", bySource: false }, now).lines;
  assert.deepEqual([...new Set(avg.filter((value) => typeof value === "number"))], [100]);
});

test("numbers are formatted as nsl prints them", () => {
  for (const [value, unit, expected] of FIGURES) assert.equal(text(value, unit), expected, `${value} ${unit}`);
  assert.deepEqual([text(null, "percent"), text(undefined, ""), text(Number.NaN, "")], ["–", "–", "–"]);
});

test("French has its own units and separators", () => {
  assert.deepEqual([text(54.68, "percent", "fr"), text(7629557760, "bytes", "fr")], ["55 %", "7,11 Gio"]);
  assert.equal(text(1_342_177, "bytes/s", "fr"), "1,28 Mio/s");
  assert.equal(duration(200_000, "fr"), "2 j 7 h");
});

test("durations have their two largest parts", () => {
  const spans = { 0: "0 s", 0.12: "120 ms", 45: "45 s", 60: "1 min", 11_520: "3 h 12 min", 3_601: "1 h", 90_000: "1 d 1 h" };
  for (const [seconds, text] of Object.entries(spans)) assert.equal(duration(Number(seconds), "en"), text);
});

test("a change has a sign, and a large one is a factor", () => {
  assert.deepEqual([change(0.123, "en"), change(-0.051, "en"), change(0, "en"), change(null, "en")], ["+12%", "-5.1%", "0%", "–"]);
  assert.equal(change(4_999, "en"), "× 5,000");
});
