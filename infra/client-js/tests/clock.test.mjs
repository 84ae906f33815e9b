// The timestamps of reports on a machine whose clock is wrong, is set, or stops, in simulated time.

import assert from "node:assert/strict";
import { test } from "node:test";

import { START_MS, figuresOf, settle, simulate } from "./support/simulation.mjs";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Half of a Date header's second, and half of a handshake. */
const ERROR_MS = 510;

/** A publisher, whose reports have their true instant, and the service's verdict on timestamps: docs/PROTOCOL.md. */
function simulateClock(offsetMs = 0) {
  const world = simulate({}, () => 0.5, { offsetMs });
  const { clock, service, publisher } = world;
  const errors = [];
  service.onFrame = (connection, frame) => {
    const rejected = frame.data.flatMap(({ timestamp, metrics }, index) => {
      errors.push(timestamp - metrics.made);
      const isInRange = timestamp > clock.trueMs - 2 * DAY_MS && timestamp < clock.trueMs + 5 * MINUTE_MS;
      return isInRange ? [] : [{ index, code: "timestamp_out_of_range", message: "out of range", retryable: false }];
    });
    connection.ack(frame.id, frame.data.length - rejected.length, rejected);
  };
  const report = () => publisher.report({ made: clock.trueMs });
  /** Reports once a second. */
  const run = (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      report();
      clock.advance(1_000);
    }
  };
  const worst = () => Math.max(...errors.splice(0).map(Math.abs));
  return { ...world, run, worst };
}

test("a clock that is a day off, or in another century, is corrected by the handshake", async () => {
  for (const offsetMs of [DAY_MS, -DAY_MS, 30_000, -30_000, -START_MS, 100 * 365 * DAY_MS]) {
    const { publisher, clock, run, worst, warnings } = simulateClock(offsetMs);
    run(60);
    clock.advance(2_000);
    const { stored, lostTotal, correctedTimestamps, clockSkewMs, problems } = figuresOf(publisher);
    assert.deepEqual([stored, lostTotal, correctedTimestamps], [60, 0, 60], `${offsetMs}`);
    assert.ok(Math.abs(clockSkewMs - offsetMs) <= ERROR_MS, `${clockSkewMs} of ${offsetMs}`);
    assert.ok(worst() <= ERROR_MS);
    assert.deepEqual(problems.map(({ code, count }) => [code, count]), [["clock", 1]]);
    await settle();
    assert.match(warnings[0].message, /timestamps are corrected/);
  }
});

test("a clock within ten seconds of the service's is used as it is", () => {
  for (const offsetMs of [0, 9_000, -9_000]) {
    const { publisher, clock, run, worst } = simulateClock(offsetMs);
    run(60);
    assert.equal(worst(), Math.abs(offsetMs));
    const { correctedTimestamps, clockSkewMs, problems } = figuresOf(publisher);
    assert.deepEqual([correctedTimestamps, clockSkewMs, problems], [0, 0, []]);
  }
});

test("a clock is used as it is if the handshake's answer has no date", () => {
  const { publisher, clock, service, run } = simulateClock(DAY_MS);
  service.onConnect = (connection) => connection.open({ hasDate: false });
  run(10);
  clock.offsetMs = 0;
  run(10);
  clock.advance(2_000);
  const { stored, lost, correctedTimestamps, clockSkewMs } = figuresOf(publisher);
  assert.deepEqual([stored, lost.timestamp_out_of_range, correctedTimestamps, clockSkewMs], [10, 10, 0, null]);
});

test("reports from before the first connection are corrected too", () => {
  const { publisher, clock, service, run, worst } = simulateClock(-10 * DAY_MS);
  service.onConnect = (connection) => connection.end();
  run(1_800);
  // The clock is set right while the service is still away.
  clock.offsetMs = 0;
  run(1_800);
  service.onConnect = (connection) => connection.open();
  run(120);
  clock.advance(2_000);
  const { stored, lostTotal, correctedTimestamps } = figuresOf(publisher);
  assert.deepEqual([stored, lostTotal, correctedTimestamps], [3_720, 0, 1_800]);
  assert.ok(worst() <= ERROR_MS);
});

test("a clock that is set while the publisher runs moves no report", () => {
  const { publisher, clock, run, worst, service } = simulateClock();
  run(60);
  const settings = [DAY_MS, 2 * DAY_MS, -DAY_MS, 0, -5 * MINUTE_MS, 0, -8_000, 0];
  for (const offsetMs of settings) {
    clock.offsetMs = offsetMs;
    run(60);
  }
  clock.advance(2_000);
  const { stored, lostTotal } = figuresOf(publisher);
  assert.deepEqual([stored, lostTotal], [60 * 9, 0]);
  assert.ok(worst() <= 8_000 + ERROR_MS);
  const frames = new Map(service.frames.map((frame) => [frame.id, frame]));
  const instants = [...frames.values()].flatMap((frame) => frame.data.map(({ timestamp }) => timestamp));
  assert.equal(new Set(instants).size, instants.length);
  // A clock that jumps ahead may be right: a handshake decides it.
  assert.equal(service.connections.length, 1 + settings.filter((offsetMs, index) => offsetMs > (settings[index - 1] ?? 0)).length - 1);
});

test("a machine that sleeps with reports in the buffer moves none of them", () => {
  for (const isConnected of [true, false]) {
    for (const offsetMs of [0, DAY_MS]) {
      const { publisher, clock, service, run, worst } = simulateClock(offsetMs);
      run(10);
      service.onConnect = isConnected ? (connection) => connection.open() : () => {};
      service.last.end();
      run(30);
      clock.sleptMs += 7 * HOUR_MS;
      run(30);
      service.onConnect = (connection) => connection.open();
      run(120);
      clock.advance(2_000);
      const { stored, lostTotal } = figuresOf(publisher);
      assert.deepEqual([stored, lostTotal], [190, 0]);
      assert.ok(worst() <= ERROR_MS, `${isConnected} ${offsetMs}`);
    }
  }
});

test("a virtual machine that is paused, and whose clock then jumps, moves no report", () => {
  const { publisher, clock, service, run, worst } = simulateClock();
  run(10);
  // Neither the steady clock nor the uptime counts the pause.
  clock.pausedMs += 3 * HOUR_MS;
  run(60);
  clock.advance(2_000);
  const { stored, lostTotal, correctedTimestamps } = figuresOf(publisher);
  assert.deepEqual([stored, lostTotal, correctedTimestamps, service.connections.length], [70, 0, 0, 2]);
  assert.ok(worst() <= ERROR_MS);
});

test("timestamps that the host gives are sent as they are", () => {
  const { publisher, clock, service } = simulate({}, () => 0.5, { offsetMs: DAY_MS });
  publisher.report({ a: 1 }, { timestamp: START_MS + 7 });
  clock.advance(2_000);
  assert.equal(service.frames[0].data[0].timestamp, START_MS + 7);
  assert.equal(figuresOf(publisher).correctedTimestamps, 0);
});
