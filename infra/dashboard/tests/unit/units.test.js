// Units and numbers in both languages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { change, duration, humanise, isCounter, unitOf } from "../../src/units.js";

/** The text with ordinary spaces. */
function text(value, unit, language = "en") {
  return humanise(value, unit, language).replace(/[\u00a0\u202f]/g, " ");
}

test("units follow from names as in the service", () => {
  const units = { "cpu.usage": "percent", "memory.usagePercent": "percent", "memory.used": "bytes", "disk.free": "bytes", "pool.used": "" };
  const more = { "process.memoryUsage.rss": "bytes", "process.uptime": "seconds", "net.eth0.bytesSent": "bytes/s", "net.eth0.packetsSent": "/s", "heapBytes": "bytes", x: "" };
  for (const [name, unit] of Object.entries({ ...units, ...more })) assert.equal(unitOf(name), unit, name);
  assert.ok(isCounter("a.bytesReceived") && !isCounter("bytesReceived.a") && !isCounter("bytes"));
});

test("numbers are formatted by their unit", () => {
  assert.deepEqual([text(54.68, "percent"), text(3.14, "percent"), text(0, "percent")], ["55%", "3.1%", "0%"]);
  assert.deepEqual([text(7629557760, "bytes"), text(1048570, "bytes"), text(512, "bytes")], ["7.11 GiB", "1 MiB", "512 B"]);
  assert.deepEqual([text(1_280_000, "bytes/s"), text(12.34, "/s")], ["1.28 MB/s", "12.3/s"]);
  assert.deepEqual([text(1234567, ""), text(0.0421, ""), text(1e300, ""), text(1e-9, "")], ["1.23M", "0.0421", "1E300", "1E-9"]);
  assert.deepEqual([text(null, "percent"), text(undefined, ""), text(Number.NaN, "")], ["–", "–", "–"]);
});

test("French has its own units and separators", () => {
  assert.deepEqual([text(54.68, "percent", "fr"), text(7629557760, "bytes", "fr")], ["55 %", "7,11 Gio"]);
  assert.equal(text(1_280_000, "bytes/s", "fr"), "1,28 Mo/s");
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
