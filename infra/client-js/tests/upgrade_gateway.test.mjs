// The upgraded library against the service itself, on a local gateway: apps without the legacy flag, and what the HTTP
// API counts.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";

import { hostFolder, runHost, writeHost, UPGRADE } from "./support/library/host.mjs";
import { until } from "./support/library/service.mjs";

const HOUR_MS = 3_600_000;
/** A credential may make ten calls a second. */
const POLL_MS = 100;

const binaries = process.env.NSL_BINARIES ?? new URL("../../../target/debug", import.meta.url).pathname;
const isRequired = (process.env.NSL_REQUIRE ?? "").split(" ").includes("node");
const skip = existsSync(`${binaries}/nsl-gateway`) || isRequired ? false : "skipped: nsl-gateway (cargo build --workspace)";

/** A report of the library that is lost is not sent again, so waiting for it must end. */
const TIMED = { skip, timeout: 120_000 };

let gateway = null;

before(async () => {
  if (skip) return;
  const { Gateway } = await import("../../dashboard/tests/browser/gateway.js");
  gateway = await new Gateway().start();
});
after(() => gateway?.end());

const newApp = () => gateway.nsl("app", "create", "--name", "Shop", "--owner", "me");

/** Reports that the service has of the last hour, by the series `number`. */
async function storedOf({ appId, apiKey }) {
  const query = new URLSearchParams({ from: Date.now() - HOUR_MS, to: Date.now() + 60_000, agg: "count", series: "number" });
  const response = await fetch(`${gateway.ready.http}/apps/${appId}/metrics?${query}`, { headers: { authorization: `Bearer ${apiKey}` } });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return (answer.series.number?.count ?? []).reduce((sum, count) => sum + count, 0);
}

/** Stops after `count` reports, and once all that was emitted is sent; then shows the figures. */
const script = (count) => `
  const { stats } = require(${JSON.stringify(UPGRADE)});
  start();
  process.on("message", () => {});
  const poll = setInterval(() => {
    const { sent, lostTotal, buffered } = stats();
    if (sent + lostTotal < ${count} || buffered > 0) return;
    clearInterval(poll);
    library.disable();
    show(stats());
  }, 10);`;

/** An application with the library beside the upgrade, as an operator would configure it. */
function runUpgraded(t, { appId, apiKey }, count, options = { speed: 5 }) {
  const folder = hostFolder(t, { appId, apiKey, wsUrl: gateway.ready.ws });
  return runHost(t, writeHost(folder, script(count), { options }));
}

/** The number of stored reports as soon as it is this or more. */
async function storedAtLeast(app, expected) {
  for (;;) {
    const stored = await storedOf(app);
    if (stored >= expected) return stored;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

test("without the upgrade an app without the legacy flag stores nothing of a library", TIMED, async (t) => {
  const app = await newApp();
  const folder = hostFolder(t, app);
  const bare = `start(); setInterval(() => library.emitted >= 40 && process.exit(), 10);`;
  const { lines } = await runHost(t, writeHost(folder, bare, { options: { speed: 20, address: gateway.ready.ws } }), { args: [] }).ended;
  assert.deepEqual(lines.filter(({ admitted }) => admitted), []);
  assert.equal(await storedOf(app), 0);
});

test("each report of an unmodified library is stored once", TIMED, async (t) => {
  const app = await newApp();
  const { ended } = runUpgraded(t, app, 20);
  const { code, lines, stderr } = await ended;
  const { emitted, sent, lostTotal, duplicates } = lines.at(-1);
  assert.deepEqual([code, stderr, sent, lostTotal], [0, "", emitted, 0]);
  assert.ok(duplicates >= emitted - 1);
  assert.equal(await storedAtLeast(app, emitted), emitted);
});

test("a restart of the service doubles no report, and costs at most what was under way", TIMED, async (t) => {
  const app = await newApp();
  const { lines, ended } = runUpgraded(t, app, 40);
  await until(() => lines.some(({ admitted }) => admitted));
  await storedAtLeast(app, 5);
  await gateway.stop();
  await gateway.start();
  await ended;
  const { emitted, lostTotal, connections } = lines.at(-1);
  assert.deepEqual([lostTotal, connections], [0, 2]);
  const stored = await storedAtLeast(app, emitted - 5);
  assert.ok(stored <= emitted, `${stored} of ${emitted}`);
});

test("a key that is revoked while running costs no report that is not counted", TIMED, async (t) => {
  const app = await newApp();
  const folder = hostFolder(t, { appId: app.appId, apiKey: app.apiKey, wsUrl: gateway.ready.ws });
  const text = `const { stats } = require(${JSON.stringify(UPGRADE)}); start();
    setInterval(() => { const now = stats(); if (now.buffered > 20 && now.admissions === 1 && now.connections > 1) { show(now); process.exit(); } }, 10);`;
  const { ended } = runHost(t, writeHost(folder, text, { options: { speed: 5 } }));
  await storedAtLeast(app, 5);
  const { apiKey } = await gateway.nsl("app", "rotate-key", app.appId);
  await gateway.nsl("app", "rotate-key", app.appId, "--drop-old");
  // The functions cache an app for a minute, and forget it with their processes.
  await gateway.stop();
  await gateway.start();
  const { lines, stderr } = await ended;
  const { emitted, sent, buffered, lostTotal, problems } = lines.at(-1);
  assert.equal(emitted, sent + buffered + lostTotal);
  assert.doesNotMatch(stderr + JSON.stringify(problems), new RegExp(app.apiKey));
  const count = await storedOf({ ...app, apiKey });
  assert.ok(count <= sent && count >= sent - 5, `${count} of ${sent}`);
});

test("an app that is switched off and on again resumes within a minute", TIMED, async (t) => {
  const app = await newApp();
  const { lines, child } = runUpgraded(t, app, Infinity);
  await until(() => lines.some(({ admitted }) => admitted));
  await storedAtLeast(app, 5);
  await gateway.nsl("app", "deactivate", app.appId);
  await gateway.stop();
  await gateway.start();
  await gateway.nsl("app", "activate", app.appId);
  const count = await storedOf(app);
  await storedAtLeast(app, count + 10);
  child.kill();
});
