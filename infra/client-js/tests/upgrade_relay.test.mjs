// What becomes of the library's messages between its socket and the service, in simulated hours.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Clock, randomOf } from "./support/simulation.mjs";

const require = createRequire(import.meta.url);
const { Figures } = require("../src/upgrade_figures.js");
const { copiesOf, isHarmless, isLibraryHandshake } = require("../src/upgrade_library.js");
const { Relay } = require("../src/upgrade_relay.js");

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const AUTH = { userId: "me", appId: "shop" };

/** A relay in a simulated world, whose service is `onConnect(connection)` and `onFrame(connection, frame)`. */
function simulate({ random = () => 0.5, url = "wss://service.example/live", apiKey = "the-key" } = {}) {
  const clock = new Clock();
  const figures = new Figures();
  const toLibrary = [];
  const connections = [];
  const frames = [];
  const relays = [];
  const service = {
    onConnect: (connection) => connection.open(),
    onFrame: (connection, { type, data }) => type === "auth" && connection.deliver({ type: "auth_success", payload: { userId: data.userId, appId: data.appId } }),
  };
  let holds = 0;
  const world = {
    now: () => clock.now,
    random,
    startTimer: (run, ms) => clock.start(run, ms),
    hold: () => ({ release: () => (holds -= 1), isHold: (holds += 1) > 0 }),
    stopTimer: (timer) => (timer.isHold ? timer.release() : clock.stop(timer)),
    openSocket(address, listener) {
      let hasEnded = false;
      const end = (reason = "the connection was lost") => {
        if (hasEnded) return;
        hasEnded = true;
        listener.ended({ reason, status: null, closeCode: null, retryAfterMs: null });
      };
      const connection = {
        at: clock.now,
        frames: [],
        get isEnded() { return hasEnded; },
        open: listener.opened,
        end,
        deliver: (message) => clock.start(() => hasEnded || listener.received(typeof message === "string" ? message : JSON.stringify(message)), 5),
      };
      connections.push(connection);
      clock.start(() => hasEnded || service.onConnect(connection), 5);
      return {
        unsentBytes: 0,
        send(text) {
          const frame = JSON.parse(text);
          connection.frames.push(frame);
          frames.push(frame);
          service.onFrame(connection, frame);
        },
        close: () => end("closed"),
        destroy: end,
      };
    },
    settingsFor: () => ({ url: new URL(url), apiKey, faults: [] }),
    retireOlder: (newest) => relays.filter((relay) => relay !== newest && relay.appId === newest.appId).flatMap((relay) => relay.retire()),
  };
  const newRelay = () => {
    const relay = new Relay(world, figures, (text) => toLibrary.push(JSON.parse(text)));
    relays.push(relay);
    return relay;
  };
  let number = 0;
  /** Sends what the library does in a second. */
  const report = (relay, copies = 2) => {
    number += 1;
    for (let copy = 0; copy < copies; copy += 1) relay.send(reportOf(number, clock.wallMs + copy));
    clock.advance(1_000);
  };
  const balanced = () => {
    const counts = figures.counts;
    assert.equal(counts.emitted, counts.sent + counts.buffered + counts.lostTotal, JSON.stringify(counts));
    return counts;
  };
  const reports = () => frames.filter(({ type }) => type === "send_metrics").map(({ data }) => data.metrics.number);
  return { clock, service, relay: newRelay(), newRelay, connections, frames, reports, report, toLibrary, balanced, holds: () => holds };
}

const authOf = (data = AUTH) => JSON.stringify({ type: "auth", data });
const reportOf = (number, wallMs) => JSON.stringify({ type: "send_metrics", data: { ...AUTH, metrics: { number }, timestamp: new Date(wallMs).toISOString() } });

/** A relay whose library is authenticated. */
function admitted(options) {
  const world = simulate(options);
  world.relay.send(authOf());
  world.clock.advance(100);
  assert.equal(world.relay.state, "open");
  return world;
}

test("an outage of an hour ends within half a minute, and every loss is counted", () => {
  const { relay, service, connections, clock, report, reports, balanced } = admitted({ random: randomOf(1) });
  report(relay);
  service.onConnect = (connection) => connection.end("connect ECONNREFUSED");
  clock.advance(15_000);
  connections.at(-1).end();
  for (let second = 0; second < 3_600; second += 1) report(relay);
  const attempts = connections.length;
  // After the first five, an attempt every 15 to 30 s.
  assert.ok(attempts > 120 && attempts < 250, String(attempts));
  service.onConnect = (connection) => connection.open();
  for (let second = 0; second < 31; second += 1) report(relay);
  const { sent, lost, lostTotal, emitted, buffered, problems } = balanced();
  assert.deepEqual([emitted, lost.overflow + lost.expired, buffered], [3_632, lostTotal, 0]);
  // Those before the outage and after it, and what waited.
  assert.ok(sent > 230 && sent <= 272, String(sent));
  assert.deepEqual(reports(), [...new Set(reports())].sort((one, other) => one - other));
  assert.equal(problems.find(({ code }) => code === "connection").message, "wss://service.example: connect ECONNREFUSED");
});

test("the library's socket stays open through any number of failures", () => {
  const { relay, service, connections, clock, toLibrary } = admitted();
  service.onConnect = (connection) => connection.end();
  connections.at(-1).end();
  clock.advance(24 * HOUR_MS);
  assert.ok(connections.length > 20 * 20);
  service.onConnect = (connection) => connection.open();
  clock.advance(MINUTE_MS);
  assert.equal(relay.state, "open");
  assert.equal(toLibrary.filter(({ type }) => type === "auth_success").length, 1);
});

test("a break of three minutes costs no report, and doubles none", () => {
  const { relay, service, connections, clock, report, reports, balanced } = admitted();
  for (let second = 0; second < 30; second += 1) report(relay);
  service.onConnect = (connection) => connection.end();
  connections.at(-1).end();
  for (let second = 0; second < 180; second += 1) report(relay);
  service.onConnect = (connection) => connection.open();
  clock.advance(30_000);
  const { emitted, sent, lostTotal } = balanced();
  assert.deepEqual([emitted, sent, lostTotal], [210, 210, 0]);
  assert.deepEqual(reports(), Array.from({ length: 210 }, (_, index) => index + 1));
});

test("only copies are dropped: as many as there are, and nothing that differs or is later", async () => {
  const isCopy = copiesOf();
  const at = (ms, number = 1) => isCopy({ ...AUTH, metrics: { number }, timestamp: new Date(ms).toISOString() });
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  // A listener of the host takes 400 ms.
  assert.deepEqual([at(1_000), at(1_000), at(1_009), at(1_400), at(1_501), at(1_501, 2)], [false, true, true, true, false, false]);
  await nextTurn();
  assert.deepEqual([at(1_500, 2), at(1_501, 3), at(1_501, 2)], [false, false, false]);
  await nextTurn();
  assert.deepEqual([at(1_501, 2), at(1_511, 2), at(1_512, 2)], [true, true, false]);
});

test("a wrong key is reported once, and the library neither kept silent nor asked to wait", () => {
  const { relay, service, connections, clock, report, toLibrary, balanced } = simulate();
  service.onFrame = (connection, { type }) => type === "auth" && connection.deliver({ type: "command", data: { type: "NSL: these ids open no app here" } });
  relay.send(authOf());
  for (let second = 0; second < 600; second += 1) report(relay);
  assert.deepEqual(toLibrary, [{ type: "auth_success", payload: { appId: "shop", userId: "me" } }]);
  // 20 s for the answer, then 15 to 30 s until the next attempt.
  assert.ok(connections.length >= 12 && connections.length <= 18, String(connections.length));
  const { problems, lost, buffered, sent } = balanced();
  assert.deepEqual(problems.map(({ code }) => code).sort(), ["no_access", "notice"]);
  assert.equal(problems.find(({ code }) => code === "notice").message, "these ids open no app here");
  assert.deepEqual([sent, buffered, lost.overflow + lost.expired], [0, 240, 360]);
  service.onFrame = (connection, { type, id }) => {
    if (type === "auth") connection.deliver({ type: "auth_success", payload: { userId: "me", appId: "shop" } });
    if (id !== undefined) connection.deliver({ type: "ack", payload: { id, accepted: 1, rejected: [] } });
  };
  clock.advance(MINUTE_MS);
  assert.equal(balanced().buffered, 0);
  assert.equal(toLibrary.length, 1);
});

test("a service that is slow at first costs no report, and answers what the library asked", () => {
  const { relay, service, clock, connections, report, reports, frames, toLibrary } = simulate();
  service.onConnect = (connection) => clock.start(connection.open, 5_000);
  relay.send(authOf());
  clock.advance(600);
  assert.deepEqual(toLibrary.map(({ type }) => type), ["auth_success"]);
  relay.send(JSON.stringify({ type: "history", data: AUTH }));
  for (let second = 0; second < 8; second += 1) report(relay);
  assert.deepEqual([connections.length, reports(), toLibrary.length], [1, [1, 2, 3, 4, 5, 6, 7, 8], 1]);
  assert.deepEqual(frames.slice(0, 3).map(({ type }) => type), ["auth", "history", "send_metrics"]);
});

test("a connection that is admitted and closed at once is not repeated without a pause", () => {
  const { connections, service, clock, relay } = simulate();
  service.onFrame = (connection) => {
    connection.deliver({ type: "auth_success", payload: { userId: "me", appId: "shop" } });
    clock.start(() => connection.end(), 20);
  };
  relay.send(authOf());
  clock.advance(10 * MINUTE_MS);
  assert.ok(connections.length < 40, String(connections.length));
});

test("a connection without an answer to its ping is replaced", () => {
  const { service, connections, clock, relay } = admitted();
  clock.advance(6 * MINUTE_MS);
  assert.deepEqual([connections.length, connections[0].frames.at(-1).type], [2, "ping"]);
  const answers = service.onFrame;
  service.onFrame = (connection, frame) => (frame.type === "ping" ? connection.deliver({ type: "pong" }) : answers(connection, frame));
  clock.advance(HOUR_MS);
  assert.deepEqual([connections.length, relay.state], [2, "open"]);
});

test("a report every half minute is acknowledged, and lost access leads to a new attempt", () => {
  const { relay, service, connections, clock, report, reports, frames, balanced } = admitted();
  const answers = service.onFrame;
  let rejected = [];
  service.onFrame = (connection, frame) => {
    if (frame.id !== undefined) connection.deliver({ type: "ack", payload: { id: frame.id, accepted: 1 - rejected.length, rejected } });
    answers(connection, frame);
  };
  for (let second = 0; second < 301; second += 1) report(relay);
  assert.deepEqual([connections.length, new Set(frames.map(({ id }) => id)).size - 1, reports().length], [1, 10, 301]);
  rejected = [{ index: 0, code: "too_deep", message: "too deep", retryable: false }];
  for (let second = 0; second < 31; second += 1) report(relay);
  rejected = [{ index: 0, code: "rate_limited", message: "too many", retryable: true }];
  for (let second = 0; second < 30; second += 1) report(relay);
  assert.deepEqual([connections.length, balanced().lost.rejected], [1, 1]);
  rejected = [{ index: 0, code: "unauthorized", message: "revoked", retryable: false }];
  for (let second = 0; second < 40; second += 1) report(relay);
  rejected = [];
  clock.advance(MINUTE_MS);
  assert.ok(connections.length > 1);
  // All but the one that was rejected for good.
  const { emitted, sent, buffered, problems } = balanced();
  assert.deepEqual([emitted, sent, buffered, new Set(reports()).size], [402, 401, 0, 402]);
  assert.deepEqual(problems.map(({ code }) => code), ["too_deep", "rate_limited", "unauthorized"]);
});

test("while the app is switched off reports wait, and are sent when one is accepted", () => {
  const { relay, service, report, reports, balanced } = admitted();
  const answers = service.onFrame;
  let rejected = [{ index: 0, code: "app_inactive", message: "switched off", retryable: false }];
  service.onFrame = (connection, frame) => {
    answers(connection, frame);
    if (frame.type === "auth") connection.deliver({ type: "command", data: { type: "NSL: the app is switched off." } });
    if (frame.id !== undefined) connection.deliver({ type: "ack", payload: { id: frame.id, accepted: 1 - rejected.length, rejected } });
  };
  relay.retire();
  for (let second = 0; second < 120; second += 1) report(relay);
  const attempts = reports().length;
  assert.ok(attempts < 20, String(attempts));
  rejected = [];
  for (let second = 0; second < 40; second += 1) report(relay);
  const { emitted, sent, lostTotal } = balanced();
  assert.deepEqual([emitted, sent, lostTotal], [160, 160, 0]);
  assert.equal(new Set(reports()).size, 160);
});

test("a dead connection is replaced within a minute and a half of reports", () => {
  const { relay, service, connections, report } = admitted();
  service.onFrame = () => {};
  for (let second = 0; second < 92; second += 1) report(relay);
  assert.deepEqual(connections.map(({ isEnded }) => isEnded), [true, false]);
});

test("an older socket of the same app is disconnected until it is used again", () => {
  const { relay, newRelay, connections, clock, report, reports, balanced } = admitted();
  const newer = newRelay();
  newer.send(authOf());
  clock.advance(100);
  assert.deepEqual([connections.map(({ isEnded }) => isEnded), relay.state, newer.state], [[true, false], "idle", "open"]);
  report(newer);
  report(relay);
  assert.deepEqual([reports(), balanced().lostTotal, relay.state], [[1, 2], 0, "open"]);
});

test("a socket without auth opens no connection, and a repeated auth none either", () => {
  const { relay, newRelay, connections, clock } = admitted();
  newRelay();
  relay.send(authOf());
  clock.advance(MINUTE_MS);
  assert.equal(connections.length, 1);
  relay.send(authOf({ ...AUTH, appId: "other" }));
  clock.advance(MINUTE_MS);
  assert.deepEqual(connections.map(({ frames }) => frames[0].data), [{ ...AUTH, apiKey: "the-key" }, { ...AUTH, appId: "other", apiKey: "the-key" }]);
});

test("frames above the service's limit cost no connection, and are counted", () => {
  const { relay, frames, balanced } = admitted();
  relay.send(JSON.stringify({ type: "logs", data: { ...AUTH, logs: [{ message: "x".repeat(40_000) }] } }));
  const { lost, emitted } = balanced();
  assert.deepEqual([lost.too_large, emitted, frames.length], [1, 1, 1]);
});

test("log entries displace no reports, and what is older than four minutes is not sent", () => {
  const { relay, service, clock, report, reports, frames, balanced, connections } = admitted();
  service.onConnect = (connection) => connection.end();
  connections.at(-1).end();
  for (let number = 0; number < 3_000; number += 1) {
    if (number % 60 === 0) report(relay, 1);
    relay.send(JSON.stringify({ type: "logs", data: { ...AUTH, logs: [{ number }] } }));
  }
  assert.deepEqual([balanced().buffered, balanced().lost.overflow], [290, 2_760]);
  clock.advance(220_000);
  report(relay);
  const { lost, buffered } = balanced();
  assert.ok(lost.expired > 20 && lost.expired < 120, String(lost.expired));
  service.onConnect = (connection) => connection.open();
  clock.advance(30_000);
  const { sent, lostTotal, emitted } = balanced();
  assert.equal(sent + lostTotal, emitted);
  assert.ok(sent <= buffered);
  assert.equal(reports().at(-1), 51);
  assert.equal(frames.filter(({ type }) => type === "logs").length + reports().length, sent);
});

test("what waits is bounded by number and by bytes, and lost when the library closes", () => {
  const { relay, balanced } = simulate();
  for (let number = 0; number < 1_000; number += 1) relay.send(JSON.stringify({ type: "logs", data: { ...AUTH, logs: [{ number }] } }));
  assert.deepEqual([balanced().buffered, balanced().lost.overflow], [240, 760]);
  for (let number = 0; number < 1_000; number += 1) relay.send(JSON.stringify({ type: "logs", data: { ...AUTH, logs: ["x".repeat(20_000)] } }));
  assert.ok(balanced().bufferedBytes <= 524_288);
  relay.end("closed");
  relay.end("exit");
  assert.deepEqual([balanced().buffered, balanced().lost.exit, balanced().lostTotal], [0, 0, 2_000]);
});

test("the process is kept as long as the library would keep it", () => {
  const { relay, service, connections, clock, holds } = admitted();
  clock.advance(HOUR_MS);
  assert.equal(holds(), 1);
  service.onConnect = (connection) => connection.end();
  connections.at(-1).end();
  clock.advance(59_000);
  assert.equal(holds(), 1);
  clock.advance(2_000);
  assert.equal(holds(), 0);
  service.onConnect = (connection) => connection.open();
  clock.advance(MINUTE_MS);
  assert.equal(holds(), 1);
  relay.end("closed");
  assert.equal(holds(), 0);
});

test("no message that ends the library's process reaches it", () => {
  const harmful = ["", "<html>", "null", '"x"', '{"type":"auth_error","payload":{}}', '{"type":"clear"}', '{"type":"connect","payload":{"userId":"x","appId":"y"}}',
    '{"type":"auth_success"}', '{"type":"auth_success","payload":{}}', '{"type":"logs"}', '{"type":"logs","payload":{"logs":5}}', '{"type":"metrics"}', '{"type":"command"}', '{"type":"command","data":null}',
    '{"type":"command","data":{"type":"console_toggle"}}', '{"type":"get_last_actions"}', '{"type":"get_last_actions","payload":{}}', '{"type":"get_last_actions","payload":[{}]}', '{"type":"request_history","payload":{"logs":{}}}'];
  const harmless = ['{"message":"Forbidden"}', "{}", "[]", '{"type":"error","payload":{}}', '{"type":"auth_success","payload":{"userId":"me"}}', '{"type":"command","data":{"type":"console_toggle","data":{"enabled":true}}}',
    '{"type":"command","data":{"type":"other"}}', '{"type":"get_last_actions","payload":[]}', '{"type":"request_history","payload":{"logs":[]}}'];
  assert.deepEqual(harmful.filter(isHarmless), []);
  assert.deepEqual(harmless.filter((text) => !isHarmless(text)), []);
  const { connections, toLibrary, clock, balanced } = admitted();
  for (const text of harmful) connections[0].deliver(text);
  connections[0].deliver(harmless[6]);
  clock.advance(100);
  assert.deepEqual(toLibrary.map(({ type }) => type), ["auth_success", "command"]);
  assert.ok(balanced().problems.some(({ code }) => code === "answer"));
});

test("only the handshake that the library's ws makes is redirected", () => {
  const headers = { "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": "key", Connection: "Upgrade", Upgrade: "websocket" };
  const options = { host: "localhost", port: "8087", path: "/", headers };
  assert.equal(isLibraryHandshake(options), true);
  const others = [undefined, null, "http://localhost:8087/", new URL("http://localhost:8087/"), { ...options, port: 8088 }, { ...options, host: "127.0.0.1" }, { ...options, path: "/socket" },
    { ...options, headers: {} }, { ...options, headers: undefined }, { ...options, headers: { ...headers, Origin: "http://localhost" } }, { ...options, headers: { ...headers, authorization: "Bearer x" } },
    { ...options, headers: { ...headers, "Sec-WebSocket-Protocol": "graphql" } }];
  assert.deepEqual(others.filter(isLibraryHandshake), []);
});
