// The publisher against the service itself, on a local gateway: what the HTTP API counts is what the publisher counts.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { WebSocket } from "ws";

import { until, wsServer } from "./support/loopback.mjs";
import { isBalanced } from "./support/simulation.mjs";

const { startPublisher } = createRequire(import.meta.url)("../src/publisher.js");
const HOUR_MS = 3_600_000;
const FLUSH_MS = 60_000;
/** Reconnects are quick, so that the tests are. */
const QUICK = { batchMs: 20, reconnectMinMs: 50, reconnectMaxMs: 200, onProblem: null };

const binaries = process.env.NSL_BINARIES ?? new URL("../../../target/debug", import.meta.url).pathname;
const isRequired = (process.env.NSL_REQUIRE ?? "").split(" ").includes("node");
const skip = existsSync(`${binaries}/nsl-gateway`) || isRequired ? false : "skipped: nsl-gateway (cargo build --workspace)";

/** The class of a gateway, and the one of most tests. */
let Gateway = null;
let gateway = null;

before(async () => {
  if (skip) return;
  ({ Gateway } = await import("../../dashboard/tests/browser/gateway.js"));
  gateway = await new Gateway().start();
});
after(() => gateway?.end());

const newApp = () => gateway.nsl("app", "create", "--name", "Shop", "--owner", "me");

function publisherOf(app, options = {}, replaced = {}) {
  return startPublisher({ url: gateway.ready.ws, appId: app.appId, apiKey: app.apiKey, ...QUICK, ...options }, replaced);
}

/** Reports that the service has of the last hours, by the series `number`. */
async function storedOf({ appId, apiKey }) {
  const query = new URLSearchParams({ from: Date.now() - 36 * HOUR_MS, to: Date.now() + 60_000, agg: "count", series: "number" });
  const response = await fetch(`${gateway.ready.http}/apps/${appId}/metrics?${query}`, { headers: { authorization: `Bearer ${apiKey}` } });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return (answer.series.number?.count ?? []).reduce((sum, count) => sum + count, 0);
}

/** Closes the publisher; its figures, which must add up. */
async function closed(publisher) {
  const stats = await publisher.close(FLUSH_MS);
  assert.ok(isBalanced(stats), JSON.stringify(stats));
  return stats;
}

const send = (publisher, count) => {
  for (let number = 0; number < count; number += 1) publisher.report({ number });
};

/** A proxy to the gateway, whose `script(client, service)` may lose frames. */
async function proxy(t, script) {
  const server = await wsServer((client, request) => {
    const service = new WebSocket(gateway.ready.ws, { headers: { authorization: request.headers.authorization } });
    service.on("error", () => client.terminate());
    service.on("close", () => client.terminate());
    client.on("close", () => service.close());
    const early = [];
    client.on("message", (text) => (service.readyState === WebSocket.OPEN ? service.send(text.toString()) : early.push(text.toString())));
    service.on("open", () => early.forEach((text) => service.send(text)));
    script(client, service);
  });
  t.after(server.end);
  return server.url;
}

test("what is acknowledged is stored once, under the publisher's source", { skip }, async () => {
  const app = await newApp();
  const publisher = publisherOf(app, { source: "web-1" });
  send(publisher, 150);
  const { stored, emitted } = await closed(publisher);
  assert.deepEqual([emitted, stored], [150, 150]);
  assert.equal(await storedOf(app), 150);
  const latest = await fetch(`${gateway.ready.http}/apps/${app.appId}/metrics/latest`, { headers: { authorization: `Bearer ${app.apiKey}` } });
  assert.deepEqual((await latest.json()).reports.map(({ source }) => source), ["web-1"]);
});

test("reports whose acknowledgements are lost are sent again and stored once", { skip }, async (t) => {
  const app = await newApp();
  let lostAcks = 0;
  const url = await proxy(t, (client, service) => {
    service.on("message", (text) => {
      if (lostAcks < 5 && JSON.parse(text).type === "ack") {
        lostAcks += 1;
        client.terminate();
      } else {
        client.send(text.toString());
      }
    });
  });
  const publisher = publisherOf(app, { url, maxBatchReports: 10 });
  send(publisher, 100);
  const { stored, lostTotal, resentFrames } = await closed(publisher);
  assert.deepEqual([stored, lostTotal, lostAcks], [100, 0, 5]);
  assert.ok(resentFrames >= 5);
  assert.equal(await storedOf(app), 100);
});

test("a service that is down and comes back costs no report", { skip }, async () => {
  const app = await newApp();
  const publisher = publisherOf(app);
  send(publisher, 50);
  await until(() => publisher.stats().stored === 50);
  await gateway.stop();
  send(publisher, 120);
  await until(() => publisher.stats().failedConnections > 3);
  await gateway.start();
  const { stored, lostTotal } = await closed(publisher);
  assert.deepEqual([stored, lostTotal], [170, 0]);
  assert.equal(await storedOf(app), 170);
});

test("an app that is switched off and on again costs no report", { skip }, async () => {
  const app = await newApp();
  const publisher = publisherOf(app);
  send(publisher, 10);
  await until(() => publisher.stats().stored === 10);
  await gateway.nsl("app", "deactivate", app.appId);
  send(publisher, 10);
  await until(() => publisher.stats().problems.length > 0);
  await gateway.nsl("app", "activate", app.appId);
  const { stored, lostTotal } = await closed(publisher);
  assert.deepEqual([stored, lostTotal], [20, 0]);
  assert.equal(await storedOf(app), 20);
});

test("a key that is revoked while running is reported, and its reports counted", { skip }, async () => {
  const app = await newApp();
  const publisher = publisherOf(app);
  send(publisher, 10);
  await until(() => publisher.stats().stored === 10);
  const { apiKey } = await gateway.nsl("app", "rotate-key", app.appId);
  await gateway.nsl("app", "rotate-key", app.appId, "--drop-old");
  // The functions cache an app for a minute, and forget it with their processes.
  await gateway.stop();
  await gateway.start();
  send(publisher, 10);
  await until(() => publisher.stats().problems.some(({ code }) => code === "handshake"));
  const { stored, lostTotal, problems } = await publisher.close(100);
  assert.deepEqual([stored, lostTotal], [10, 10]);
  assert.match(problems.find(({ code }) => code === "handshake").message, /401 .*: the key is wrong or was revoked/);
  assert.equal(await storedOf({ ...app, apiKey }), 10);
});

test("a key that may only view is reported as forbidden", { skip }, async () => {
  const app = await gateway.nsl("app", "create", "--name", "Shop", "--owner", "me", "--scope", "view");
  const publisher = publisherOf(app);
  send(publisher, 10);
  await until(() => publisher.stats().problems.some(({ code }) => code === "forbidden"));
  const { lost, stored } = await publisher.close(0);
  assert.deepEqual([stored, lost.closed + lost.unconfirmed], [0, 10]);
});

test("a clock that is a day or a century off is corrected by the service's", { skip }, async () => {
  const app = await newApp();
  for (const offsetMs of [24 * HOUR_MS, -24 * HOUR_MS, 876_000 * HOUR_MS, -400_000 * HOUR_MS]) {
    const publisher = publisherOf(app, { source: `off-by-${offsetMs}` }, { wallMs: () => Date.now() + offsetMs });
    send(publisher, 50);
    const { stored, lostTotal, correctedTimestamps, clockSkewMs } = await closed(publisher);
    assert.deepEqual([stored, lostTotal, correctedTimestamps], [50, 0, 50]);
    assert.ok(Math.abs(clockSkewMs - offsetMs) < 60_000, String(clockSkewMs));
  }
  const latest = await fetch(`${gateway.ready.http}/apps/${app.appId}/metrics/latest`, { headers: { authorization: `Bearer ${app.apiKey}` } });
  const { reports } = await latest.json();
  assert.equal(reports.length, 4);
  for (const { timestamp } of reports) assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000, timestamp);
});

test("documents that are too deep, too large or cut cost no other report", { skip }, async () => {
  const app = await newApp();
  const publisher = publisherOf(app);
  const deep = (levels) => Array.from({ length: levels }).reduce((document) => ({ a: document }), { number: 1 });
  const keys = (count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
  send(publisher, 10);
  for (const document of [deep(9), deep(200), deep(2_000), deep(100_000), keys(600), keys(100_000)]) publisher.report(document);
  publisher.report({ number: 1, text: "cut \ud83d", "\ude00": [null, NaN, -0, 1e308] });
  send(publisher, 10);
  const { stored, lost } = await closed(publisher);
  assert.deepEqual([stored, lost.too_deep, lost.too_many_series, lost.too_large, lost.invalid], [21, 3, 1, 1, 1], JSON.stringify(lost));
  assert.equal(await storedOf(app), 21);
});

test("reports above an app's limit wait, and none is lost within the buffer", { skip }, async (t) => {
  // Each instance of a function counts for itself, so there is one.
  const ours = gateway;
  gateway = await new Gateway("--memory", "--max-concurrency", "1").start();
  t.after(async () => {
    await gateway.end();
    gateway = ours;
  });
  const app = await newApp();
  // A hundred at once, which is the least, and five a second.
  await gateway.nsl("app", "update", app.appId, "--max-reports", "5");
  const publisher = publisherOf(app, { maxBatchReports: 20 });
  send(publisher, 140);
  const { stored, lostTotal, connections, problems } = await closed(publisher);
  assert.deepEqual([stored, lostTotal, connections], [140, 0, 1]);
  assert.match(problems.find(({ code }) => code === "rate_limited").message, /too many reports of this app/);
  assert.equal(await storedOf(app), 140);
});

test("equal reports of two publishers in one process are all stored", { skip }, async () => {
  const app = await newApp();
  const publishers = [publisherOf(app), publisherOf(app)];
  for (const publisher of publishers) for (let count = 0; count < 100; count += 1) publisher.report({ number: 1 });
  for (const publisher of publishers) assert.equal((await closed(publisher)).stored, 100);
  assert.equal(await storedOf(app), 200);
});
