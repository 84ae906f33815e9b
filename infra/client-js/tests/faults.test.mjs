// Faults of the service, of the network and of the host, in simulated time: nothing is thrown, every loss is counted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import { OPTIONS, START_MS, figuresOf, rateLimited, settle, simulate } from "./support/simulation.mjs";

const HOUR_MS = 3_600_000;

test("a service that never answers costs the connection after the timeout", () => {
  const { publisher, clock, service } = simulate();
  service.onFrame = () => {};
  publisher.report({ a: 1 });
  clock.advance(33_000);
  assert.equal(service.connections.length, 2);
  assert.match(publisher.stats().problems.at(-1).message, /does not answer/);
  clock.advance(HOUR_MS);
  // A minute between attempts at most, and thirty seconds for each.
  assert.ok(service.connections.length > 30 && service.connections.length < 130, String(service.connections.length));
  assert.equal(figuresOf(publisher).buffered, 1);
});

test("a handshake that is never answered is given up", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = () => {};
  clock.advance(9_999);
  assert.equal(publisher.stats().state, "connecting");
  clock.advance(2);
  assert.equal(publisher.stats().state, "waiting");
  assert.match(publisher.stats().problems.at(-1).message, /not answered/);
});

test("a service that closes each connection after the handshake is not flooded", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = (connection) => {
    connection.open();
    connection.end({ closeCode: 1000, reason: "closed with 1000" });
  };
  publisher.report({ a: 1 });
  clock.advance(HOUR_MS);
  assert.ok(service.connections.length < 90, String(service.connections.length));
  assert.equal(figuresOf(publisher).buffered, 1);
});

test("a socket that cannot be opened at all is a failed connection", () => {
  const openSocket = () => {
    throw new Error("no more files");
  };
  const { publisher, clock } = simulate({}, () => 0.5, { openSocket });
  publisher.report({ a: 1 });
  clock.advance(HOUR_MS);
  const { failedConnections, problems, buffered } = figuresOf(publisher);
  assert.ok(failedConnections > 30 && failedConnections < 130, String(failedConnections));
  assert.deepEqual([problems.length, problems[0].message, buffered], [1, "no more files", 1]);
});

test("Retry-After of a refused handshake is honoured", () => {
  const { clock, service } = simulate();
  service.onConnect = (connection) => connection.end({ status: 429, retryAfterMs: 120_000 });
  clock.advance(119_000);
  assert.equal(service.connections.length, 1);
  clock.advance(2_000);
  assert.equal(service.connections.length, 2);
});

test("an hour without the service costs nothing at a report a second", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = (connection) => connection.end();
  const document = { text: "x".repeat(900) };
  for (let second = 0; second < 3_600; second += 1) {
    publisher.report(document);
    clock.advance(1_000);
  }
  assert.equal(figuresOf(publisher).buffered, 3_600);
  service.onConnect = (connection) => connection.open();
  clock.advance(120_000);
  const { stored, lostTotal } = figuresOf(publisher);
  assert.deepEqual([stored, lostTotal], [3_600, 0]);
  const instants = service.frames.flatMap((frame) => frame.data.map((report) => report.timestamp));
  assert.deepEqual(instants, [...instants].sort((one, other) => one - other), "oldest first");
});

test("a key that is revoked while running costs nothing within the buffer's bounds", () => {
  const { publisher, clock, service, warnings } = simulate();
  clock.advance(10);
  publisher.report({ a: 1 });
  clock.advance(1_100);
  service.onFrame = (connection, frame) => connection.error({ id: frame.id, code: "unauthorized" });
  service.onConnect = (connection) => connection.end({ status: 401, reason: "the handshake was answered with 401" });
  for (let second = 0; second < 600; second += 1) {
    publisher.report({ second });
    clock.advance(1_000);
  }
  assert.ok(service.connections.length < 25, String(service.connections.length));
  assert.equal(figuresOf(publisher).buffered, 600);
  service.onConnect = (connection) => connection.open();
  service.onFrame = (connection, frame) => connection.ack(frame.id, frame.data.length);
  clock.advance(60_000);
  assert.equal(figuresOf(publisher).stored, 601);
  return settle().then(() => assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ["unauthorized", "handshake"]));
});

test("a hundred reports a second against a limit of fifty lose only what does not fit", () => {
  const { publisher, clock, service } = simulate({ maxBufferedReports: 2_000 });
  let tokens = 500;
  let refilledAt = 0;
  let stored = 0;
  service.onFrame = (connection, frame) => {
    tokens = Math.min(500, tokens + ((clock.now - refilledAt) / 1_000) * 50);
    refilledAt = clock.now;
    if (tokens < frame.data.length) return connection.error(rateLimited(frame.id, ((frame.data.length - tokens) / 50) * 1_000));
    tokens -= frame.data.length;
    stored += frame.data.length;
    connection.ack(frame.id, frame.data.length);
  };
  let delayMs = 0;
  for (let tick = 0; tick < 6_000; tick += 1) {
    for (let number = 0; number < 10; number += 1) publisher.report({ tick, number });
    clock.advance(100);
    for (const { text } of service.frames.splice(0)) delayMs = Math.max(delayMs, clock.trueMs - JSON.parse(text).data.at(-1).timestamp);
  }
  // The oldest are dropped: what is sent waited for the reports before it, at the limit's rate, and no longer.
  assert.ok(delayMs < 1.2 * ((2_000 / 50) * 1_000), `${delayMs} ms`);
  const stats = figuresOf(publisher);
  assert.equal(stats.emitted, 60_000);
  assert.equal(stats.stored, stored);
  assert.ok(stored > 0.9 * (600 * 50), `${stored} stored`);
  assert.equal(stats.lost.overflow, stats.emitted - stored - stats.buffered);
  assert.equal(service.connections.length, 1);
});

test("a frame that closes every connection is given up, and delays no other for ever", () => {
  const { publisher, clock, service } = simulate({ batchMs: 0, maxBatchReports: 1 });
  service.onFrame = (connection, frame) => {
    if (frame.data[0].metrics.poison) clock.start(() => connection.end({ closeCode: 1009 }), 1);
    else connection.ack(frame.id, 1);
  };
  clock.advance(10);
  publisher.report({ poison: true });
  for (let number = 0; number < 5; number += 1) publisher.report({ number });
  clock.advance(120_000);
  const { stored, lost, buffered } = figuresOf(publisher);
  assert.deepEqual([stored, lost.transport, buffered], [5, 1, 0]);
});

test("frames of unknown type, malformed ones and foreign acknowledgements change nothing", () => {
  const { publisher, clock, service } = simulate();
  const frames = [
    "", "null", "7", "[]", "<html>", "{", { type: "command", data: { type: "console_toggle" } }, { type: "metrics", payload: {} },
    { message: "Internal server error" }, { type: "ack" }, { type: "ack", payload: null },
    { type: "ack", payload: { id: 99, accepted: 1, rejected: [] } }, { type: "ack", payload: { id: "1", accepted: 1, rejected: [] } },
    { type: "ack", payload: { id: 1, accepted: 7, rejected: [] } }, { type: "ack", payload: { id: 1, accepted: 1, rejected: "all" } },
    { type: "ack", payload: { id: 1, accepted: 0, rejected: [{ index: 5 }] } }, { type: "ack", payload: { id: 1, accepted: 0, rejected: [null] } },
    { type: "error" }, { type: "error", payload: { code: { a: 1 } } }, { type: "__proto__", payload: { __proto__: null } },
  ];
  service.onFrame = (connection) => frames.forEach((frame) => connection.deliver(frame));
  clock.advance(10);
  publisher.report({ a: 1 });
  clock.advance(2_000);
  assert.equal(service.frames.length, 1);
  const { buffered, ignoredFrames, state } = figuresOf(publisher);
  assert.deepEqual([buffered, ignoredFrames, state], [1, frames.length, "open"]);
});

test("reasons that a service invents are bounded", () => {
  const { publisher, clock, service } = simulate({ batchMs: 0, maxBatchReports: 1 });
  service.onFrame = (connection, frame) => connection.error({ id: frame.id, code: `odd_${[...String(frame.id)].map((digit) => "abcdefghij"[digit]).join("")}` });
  clock.advance(10);
  for (let number = 0; number < 500; number += 1) {
    publisher.report({ number });
    clock.advance(10);
  }
  service.onFrame = (connection, frame) => connection.error({ id: frame.id, code: "__proto__" });
  publisher.report({});
  clock.advance(100);
  const { lost } = figuresOf(publisher);
  assert.ok(Object.keys(lost).length <= 41, String(Object.keys(lost).length));
  assert.ok(lost.other > 100);
});

test("wrong options throw nothing and every report is counted", async () => {
  const { connect } = await import("../src/index.js").then((module) => module.default);
  const hostile = { get url() { throw new Error("no"); } };
  const wrong = [
    undefined, null, 7, "wss://x", [], hostile, {}, { ...OPTIONS, url: "https://x/" }, { ...OPTIONS, url: "wss://me:secret@x/" },
    { ...OPTIONS, appId: "a b" }, { ...OPTIONS, appId: 7 }, { ...OPTIONS, apiKey: "" }, { ...OPTIONS, apiKey: "a\nb" }, { ...OPTIONS, apiKey: {} },
  ];
  for (const options of wrong) {
    const silent = typeof options === "object" && options !== null && options !== hostile ? { ...options, onProblem: null } : options;
    const publisher = connect(silent);
    assert.equal(publisher.report({ a: 1 }), false);
    const { state, lost, emitted } = figuresOf(publisher);
    assert.deepEqual([state, lost.misconfigured, emitted], ["misconfigured", 1, 1]);
    assert.equal(await publisher.flush(), true);
    assert.equal((await publisher.close()).emitted, 1);
  }
});

test("numbers out of range and unknown options are replaced and reported", async () => {
  const odd = { batchMs: -1, maxBatchReports: 101, maxBufferedReports: "many", pingMs: NaN, source: "a b", batchSize: 5 };
  const { publisher, clock, service, warnings } = simulate(odd);
  clock.advance(10);
  publisher.report({ a: 1 });
  clock.advance(1_100);
  assert.equal(service.frames.length, 1);
  assert.match(publisher.stats().source, /^[A-Za-z0-9_.:@-]+-\d+/);
  await settle();
  assert.deepEqual(warnings.map(({ code, count }) => [code, count]), [["bad_option", 1]]);
  const faults = warnings[0].message.split("; ");
  assert.equal(faults.filter((fault) => /must be|there is no option/.test(fault)).length, 6, warnings[0].message);
});

test("metrics that are no JSON object are lost as invalid", () => {
  const { publisher } = simulate();
  const circle = {};
  circle.self = circle;
  const hostile = { toJSON() { throw { toString() { throw new Error("no"); } }; } };
  const getter = { get a() { throw new Error("no"); } };
  const deaf = new Proxy({}, { ownKeys: () => { throw new Error("no"); } });
  const reporting = { get a() { return publisher.report(reporting); } };
  const bad = [deaf, undefined, null, 7, "text", [], [1], circle, { a: 1n }, hostile, getter, { toJSON: () => 7 }, { toJSON: () => undefined }, () => {}, Symbol("x")];
  for (const metrics of bad) assert.equal(publisher.report(metrics), false);
  assert.equal(publisher.report(reporting), true, "but for the innermost of them");
  const { lost: { invalid: nested } } = figuresOf(publisher);
  assert.ok(nested > bad.length && nested < bad.length + 10, `${nested}`);
  for (const timestamp of ["2026-01-01", NaN, -1, new Date(NaN), {}, [], true, Infinity, 1e18, Symbol("x"), 7n]) {
    assert.equal(publisher.report({ a: 1 }, { timestamp }), false);
  }
  assert.equal(publisher.report({ a: 1 }, { get timestamp() { throw new Error("no"); } }), false);
  assert.equal(figuresOf(publisher).lost.invalid, nested + 12);
  assert.equal(publisher.report({ a: NaN }, null), true);
});

test("a timestamp is a date of any realm or milliseconds, whose fraction is cut off", () => {
  const { publisher, clock, service } = simulate();
  const foreign = runInNewContext(`new Date(${START_MS})`);
  for (const timestamp of [new Date(START_MS), foreign, START_MS, START_MS + 0.9, null, undefined]) {
    assert.equal(publisher.report({ a: 1 }, { timestamp }), true);
  }
  clock.advance(2_000);
  assert.deepEqual(service.frames[0].data.map((report) => report.timestamp - START_MS), [0, 0, 0, 0, 0, 1]);
});

test("half of a surrogate pair is replaced, and its report arrives", () => {
  const { publisher, clock, service } = simulate();
  const texts = ["\ud83d", "\ude00", "cut \ud83d", "\ude00\ud83d", "😀", "\\ud83d", "\\\ud83d", '\n"\u0001\ud83d'];
  for (const text of texts) publisher.report({ [text]: text });
  clock.advance(2_000);
  const wellFormed = texts.map((text) => text.replace(/\p{Surrogate}/gu, "\ufffd"));
  assert.deepEqual(service.frames[0].data.map(({ metrics }) => metrics), wellFormed.map((text) => ({ [text]: text })));
  assert.ok(!/[^\\]\\ud[89a-f]/.test(service.frames[0].text));
});

test("an answer of API Gateway, which names no frame, delays what is under way by seconds", () => {
  const { publisher, clock, service } = simulate({ maxBatchReports: 1 });
  let failures = 0;
  service.onFrame = (connection, frame) => {
    // The first of three fails, and the second is answered late.
    if (frame.id === 1 && (failures += 1) <= 2) connection.deliver({ message: "Internal server error", connectionId: "x=", requestId: "y=" });
    else connection.ack(frame.id, 1, [], frame.id === 2 ? 100 : 5);
  };
  clock.advance(10);
  for (let number = 1; number <= 3; number += 1) publisher.report({ number });
  clock.advance(6_000);
  const { stored, buffered, connections, ignoredFrames, problems } = figuresOf(publisher);
  assert.deepEqual([stored, buffered, connections, failures], [3, 0, 1, 3]);
  assert.deepEqual(problems.map(({ code, message }) => [code, message]), [["unavailable", "API Gateway: Internal server error"]]);
  assert.equal(service.frames.filter((frame) => frame.id === 2).length, 1, "it was answered before it was sent again");
  service.last.deliver({ message: "Forbidden", connectionId: "x=" });
  clock.advance(10);
  assert.equal(figuresOf(publisher).ignoredFrames, ignoredFrames + 1, "nothing is under way");
});

test("a callback that throws, rejects or reports again harms nothing", async () => {
  let calls = 0;
  const again = [];
  const onProblem = (problem) => {
    calls += 1;
    again[0]?.report({ problem });
    if (calls % 2 === 0) throw new Error("the host's fault");
    return Promise.reject(new Error("the host's fault"));
  };
  const { publisher, clock } = simulate({ onProblem });
  again.push(publisher);
  for (let number = 0; number < 100; number += 1) publisher.report(null);
  await settle();
  assert.equal(calls, 7, "the 1st, 2nd, 4th ... 64th");
  clock.advance(2_000);
  assert.equal(figuresOf(publisher).stored, 7);
});

test("a callback that flushes and closes its publisher ends it", async () => {
  const states = [];
  const onProblem = async () => {
    await publisher.flush(0);
    states.push((await publisher.close(0)).state);
  };
  const { publisher, clock } = simulate({ onProblem });
  publisher.report({ a: 1 });
  publisher.report(null);
  for (let turn = 0; turn < 5; turn += 1) {
    await settle();
    clock.advance(1);
  }
  assert.deepEqual([...new Set(states)], ["closed"]);
  assert.equal(publisher.report({ a: 2 }), false);
  const { lost, buffered } = figuresOf(publisher);
  assert.deepEqual([lost.closed, lost.invalid, buffered], [2, 1, 0]);
});

test("messages of problems are printable and short", () => {
  const { publisher, clock, service } = simulate();
  service.onConnect = (connection) => connection.end({ reason: `\u001b[31mred\u202e${"x".repeat(1_000)}` });
  clock.advance(10);
  const { message } = publisher.stats().problems.at(-1);
  assert.ok(message.startsWith(" [31mred x"));
  assert.equal(message.length, 500);
});
