// The conversation of a publisher with a simulated service, in simulated time.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OPTIONS, START_MS, figuresOf, isBalanced, rateLimited, simulate } from "./support/simulation.mjs";

const HOUR_MS = 3_600_000;

test("a report is sent with app, source and instant, and counted when it is acknowledged", () => {
  const { publisher, clock, service } = simulate();
  clock.advance(10);
  assert.equal(publisher.report({ cpu: { usage: 1.5 } }), true);
  assert.equal(figuresOf(publisher).buffered, 1);
  clock.advance(1_100);
  const { type, id, data } = service.frames[0];
  assert.deepEqual({ type, id, data }, {
    type: "metrics",
    id: 1,
    data: [{ appId: "shop", source: "web-1", timestamp: START_MS + 10, metrics: { cpu: { usage: 1.5 } } }],
  });
  const { stored, buffered, bufferedBytes, state } = figuresOf(publisher);
  assert.deepEqual({ stored, buffered, bufferedBytes, state }, { stored: 1, buffered: 0, bufferedBytes: 0, state: "open" });
  assert.equal(service.last.credential, OPTIONS.apiKey);
});

test("batches end by count, by bytes and by time", () => {
  const { publisher, clock, service } = simulate();
  clock.advance(10);
  for (let number = 0; number < 250; number += 1) publisher.report({ number });
  clock.advance(0);
  assert.deepEqual(service.frames.map((frame) => frame.data.length), [100, 100]);
  clock.advance(999);
  assert.equal(service.frames.length, 2);
  clock.advance(2);
  assert.equal(service.frames[2].data.length, 50);
  const text = "x".repeat(9_000);
  for (let number = 0; number < 5; number += 1) publisher.report({ text });
  clock.advance(1_100);
  const sizes = service.frames.slice(3).map((frame) => Buffer.byteLength(frame.text));
  assert.equal(sizes.length, 2);
  assert.ok(sizes.every((size) => size <= 30_720), String(sizes));
  assert.equal(figuresOf(publisher).stored, 255);
});

test("bytes of a batch are counted as UTF-8", () => {
  const { publisher, clock, service } = simulate();
  clock.advance(10);
  for (let number = 0; number < 4; number += 1) publisher.report({ text: "€".repeat(4_500) });
  clock.advance(1_100);
  assert.ok(service.frames.every((frame) => Buffer.byteLength(frame.text) <= 30_720));
  assert.equal(figuresOf(publisher).stored, 4);
  publisher.report({ text: "€".repeat(5_000) });
  assert.equal(figuresOf(publisher).lost.too_large, 1);
});

test("the identical frame is sent again until it is acknowledged", () => {
  const { publisher, clock, service } = simulate();
  service.onFrame = () => {};
  clock.advance(10);
  publisher.report({ number: 1 });
  clock.advance(1_000);
  publisher.report({ number: 2 });
  service.last.end({ closeCode: 1001 });
  clock.advance(5_000);
  service.last.end();
  service.onFrame = (connection, frame) => connection.ack(frame.id, frame.data.length);
  clock.advance(5_000);
  const firsts = service.frames.filter((frame) => frame.id === 1);
  assert.equal(firsts.length, 3);
  assert.equal(new Set(firsts.map((frame) => frame.text)).size, 1);
  const { stored, resentFrames } = figuresOf(publisher);
  assert.equal(stored, 2);
  assert.ok(resentFrames >= 2);
});

test("reconnects are exponential, jittered and bounded", () => {
  const delays = (random) => {
    const { clock, service } = simulate({}, () => random);
    service.onConnect = (connection) => connection.end();
    clock.advance(HOUR_MS);
    return service.connections.slice(1).map((connection, index) => connection.at - service.connections[index].at - 5);
  };
  assert.deepEqual(delays(1).slice(0, 8), [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.deepEqual(delays(0).slice(0, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("a connection that ends after two hours of answers is replaced within a second", () => {
  const { publisher, clock, service } = simulate();
  for (let second = 0; second < 60; second += 1) {
    publisher.report({ second });
    clock.advance(1_000);
  }
  service.last.end({ closeCode: 1001 });
  clock.advance(1_010);
  assert.equal(figuresOf(publisher).state, "open");
  assert.deepEqual(publisher.stats().problems, []);
});

test("an idle connection is kept by pings and given up without their answers", () => {
  const { publisher, clock, service } = simulate();
  service.onOther = (connection) => connection.deliver({ type: "pong" });
  clock.advance(HOUR_MS);
  assert.equal(service.connections.length, 1);
  const pings = service.frames.filter((frame) => frame.type === "ping");
  assert.ok(pings.length >= 11 && pings.length <= 12, String(pings.length));
  service.onOther = () => {};
  clock.advance(331_000);
  assert.equal(service.connections.length, 2);
  assert.equal(figuresOf(publisher).state, "open");
});

test("a full buffer drops the oldest reports and counts them", () => {
  const { publisher, clock, service } = simulate({ maxBufferedReports: 250 });
  service.onConnect = (connection) => connection.end();
  for (let number = 0; number < 1_000; number += 1) {
    publisher.report({ number });
    const { buffered, bufferedBytes } = figuresOf(publisher);
    assert.ok(buffered <= 250 && bufferedBytes <= 8_388_608);
  }
  service.onConnect = (connection) => connection.open();
  clock.advance(120_000);
  const numbers = service.frames.flatMap((frame) => frame.data.map((report) => report.metrics.number));
  assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, index) => 1_000 - numbers.length + index));
  const { stored, lost, emitted } = figuresOf(publisher);
  assert.equal(stored, numbers.length);
  assert.equal(lost.overflow, emitted - stored);
  assert.ok(stored > 150);
});

test("a buffer is bounded in bytes", () => {
  const { publisher, service } = simulate({ maxBufferedBytes: 100_000 });
  service.onConnect = () => {};
  for (let number = 0; number < 100; number += 1) {
    publisher.report({ text: "é".repeat(3_000) });
    assert.ok(figuresOf(publisher).bufferedBytes <= 100_000);
  }
  assert.ok(publisher.stats().buffered >= 10);
});

test("a buffer full of unanswered frames loses the new report", () => {
  const { publisher, clock, service } = simulate({ maxBufferedReports: 2, maxBatchReports: 1 });
  service.onFrame = () => {};
  clock.advance(10);
  publisher.report({ a: 1 });
  publisher.report({ a: 2 });
  assert.equal(publisher.report({ a: 3 }), false);
  assert.equal(figuresOf(publisher).lost.overflow, 1);
});

test("what was sent without an answer is counted apart when it is dropped", () => {
  const { publisher, clock, service } = simulate({ maxBufferedReports: 2, maxBatchReports: 1 });
  service.onFrame = () => {};
  clock.advance(10);
  publisher.report({ a: 1 });
  service.onConnect = () => {};
  service.last.end();
  publisher.report({ a: 2 });
  publisher.report({ a: 3 });
  const { unconfirmed, overflow } = figuresOf(publisher).lost;
  assert.deepEqual([unconfirmed, overflow], [1, 0]);
});

test("retryAfterMs of a rejected frame is honoured, and the frame sent again", () => {
  const { publisher, clock, service } = simulate();
  service.onFrame = (connection, frame) => connection.error(rateLimited(frame.id, 7_000));
  clock.advance(10);
  publisher.report({ a: 1 });
  clock.advance(2_000);
  publisher.report({ a: 2 });
  service.onFrame = (connection, frame) => connection.ack(frame.id, frame.data.length);
  clock.advance(5_900);
  assert.equal(service.frames.length, 1);
  clock.advance(1_000);
  assert.deepEqual(service.frames.map((frame) => frame.id), [1, 1, 2]);
  assert.equal(figuresOf(publisher).stored, 2);
});

test("late reports that must wait delay no report of the present", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = (connection) => connection.end();
  for (let minute = 0; minute < 240; minute += 1) {
    publisher.report({ minute });
    clock.advance(60_000);
  }
  let lateFrames = 0;
  service.onConnect = (connection) => connection.open();
  service.onFrame = (connection, frame) => {
    const isLate = frame.data[0].timestamp < clock.wallMs - 360_000;
    if (isLate && (lateFrames += 1) <= 3) connection.error(rateLimited(frame.id, 60_000));
    else connection.ack(frame.id, frame.data.length);
  };
  clock.advance(60_000);
  publisher.report({ live: true });
  clock.advance(1_100);
  const live = service.frames.find((frame) => frame.data.some((report) => report.metrics.live));
  assert.equal(live.data.at(-1).metrics.live, true);
  assert.ok(figuresOf(publisher).buffered > 0, "late reports wait");
  clock.advance(600_000);
  assert.equal(figuresOf(publisher).stored, 241);
});

test("each report of an ack is stored or lost, once none is to be sent again", () => {
  const { publisher, clock, service } = simulate();
  let answers = 0;
  service.onFrame = (connection, frame) => {
    answers += 1;
    const deep = { index: 1, code: "too_deep", message: "nested deeper than 8 levels", retryable: false };
    const fault = { index: 2, code: "unavailable", message: "a fault", retryable: true };
    const rejected = answers === 1 ? [deep, fault] : [deep];
    connection.ack(frame.id, frame.data.length - rejected.length, rejected);
  };
  clock.advance(10);
  for (let number = 0; number < 4; number += 1) publisher.report({ number });
  clock.advance(1_100);
  let stats = figuresOf(publisher);
  assert.deepEqual([stats.stored, stats.buffered, stats.lost.too_deep], [2, 2, undefined]);
  clock.advance(2_000);
  stats = figuresOf(publisher);
  assert.deepEqual([stats.stored, stats.buffered, stats.lost.too_deep], [3, 0, 1]);
  assert.equal(service.frames[0].text, service.frames[1].text);
});

test("late reports never share a batch with reports of the present", () => {
  const { publisher, clock, service } = simulate();
  clock.advance(10);
  for (let number = 0; number < 6; number += 1) {
    publisher.report({ number }, number % 3 === 0 ? { timestamp: START_MS - HOUR_MS } : {});
  }
  clock.advance(1_100);
  assert.deepEqual(service.frames.map((frame) => frame.data.map((report) => report.metrics.number)), [[0], [1, 2], [3], [4, 5]]);
});

test("equal documents of one instant have instants of their own", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = (connection) => connection.open({ hasDate: false });
  for (let number = 0; number < 300; number += 1) publisher.report({ queue: { length: 3 } });
  clock.advance(3_000);
  const instants = service.frames.flatMap((frame) => frame.data.map((report) => report.timestamp));
  assert.equal(new Set(instants).size, 300);
  clock.offsetMs = -HOUR_MS;
  publisher.report({ queue: { length: 3 } });
  clock.advance(2_000);
  assert.equal(service.frames.at(-1).data[0].timestamp, START_MS + 3_000 - HOUR_MS);
});

test("the functions of a publisher need no this", () => {
  const { publisher } = simulate();
  const { report, stats } = publisher;
  assert.equal(report({ a: 1 }), true);
  assert.equal(stats().emitted, 1);
  assert.throws(() => Object.assign(publisher, { report: null }), "it is frozen");
});

test("flush waits for the answers to what is buffered, and no longer than its time", async () => {
  const { publisher, clock, service } = simulate();
  clock.advance(10);
  publisher.report({ a: 1 });
  const flushed = publisher.flush();
  clock.advance(10);
  assert.equal(await flushed, true);
  service.onFrame = () => {};
  publisher.report({ a: 2 });
  const late = publisher.flush(100);
  publisher.report({ a: 3 });
  clock.advance(101);
  assert.equal(await late, false);
  assert.equal(figuresOf(publisher).buffered, 2);
});

test("close sends what is buffered, counts what is left, and ends the publisher", async () => {
  const { publisher, clock, service } = simulate({ maxBatchReports: 1 });
  clock.advance(10);
  publisher.report({ a: 1 });
  clock.advance(10);
  service.onFrame = () => {};
  publisher.report({ a: 2 });
  const closed = publisher.close(500);
  assert.equal(publisher.close(), closed);
  assert.equal(publisher.report({ a: 3 }), false);
  clock.advance(501);
  const stats = await closed;
  assert.ok(isBalanced(stats));
  assert.deepEqual([stats.state, stats.stored, stats.lost.unconfirmed, stats.lost.closed], ["closed", 1, 1, 1]);
  assert.equal(service.last.isOpen, false);
  clock.advance(HOUR_MS);
  assert.equal(service.connections.length, 1);
});
