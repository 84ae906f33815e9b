// Merged history and live reports: whatever happens to the connection, each point equals what the service stores.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AppModel } from "../../src/app_model.js";
import { MINUTE_MS } from "../../src/range.js";
import { History } from "../../src/history_merge.js";
import { ServiceModel, randomFrom } from "./service_model.js";

const HOUR_MS = 60 * MINUTE_MS;
const BEGIN = Date.UTC(2026, 10, 22, 12, 0, 0);
const RUNS = 60;

/** A viewer that receives live frames while it is connected, and does what the page does. */
class Viewer {
  model = new AppModel();
  isConnected = false;
  constructor(service) {
    this.service = service;
  }

  load(now) {
    const take = this.model.startLoad();
    take(new History(this.service.history(MINUTE_MS, 60, now)), new History(this.service.history(HOUR_MS, 168, now)));
  }

  connect(now, random) {
    const since = this.model.resumeFrom(now);
    const { reports, complete, earliest } = this.service.replay(since, now);
    // API Gateway keeps no order.
    for (const payload of [...reports].sort(() => random() - 0.5)) this.model.add(payload, now);
    this.model.replayed({ since, earliest, complete });
    this.isConnected = true;
    if (this.model.isStale) this.load(now);
  }

  receive(payload, now, random) {
    if (!this.isConnected) return;
    this.model.add(payload, now);
    if (random() < 0.1) this.model.add(payload, now);
  }
}

function run(seed) {
  const random = randomFrom(seed);
  const service = new ServiceModel();
  const viewer = new Viewer(service);
  const sources = ["a", "b", "c"].slice(0, 1 + Math.floor(random() * 3));
  const every = 500 + Math.floor(random() * 6_000);
  let now = BEGIN + Math.floor(random() * HOUR_MS);
  for (let before = now - 2 * HOUR_MS; before < now; before += 20_000) service.store(before, sources[0], random() * 100);
  const steps = 300 + Math.floor(random() * 500);
  for (let step = 0; step < steps; step += 1) {
    now += Math.floor(random() * 2 * every);
    for (const source of sources) {
      const isLate = random() < 0.01;
      const at = now - Math.floor(random() * (isLate ? 40 * MINUTE_MS : 800));
      viewer.receive(service.store(at, source, Math.round(random() * 1000) / 8), now, random);
    }
    if (step === 5 || random() < 0.01) viewer.load(now);
    if (!viewer.isConnected && step > 3 && random() < 0.1) viewer.connect(now, random);
    else if (viewer.isConnected && random() < 0.015) viewer.isConnected = false;
  }
  if (!viewer.isConnected) viewer.connect(now, random);
  // Only history has reports that were late while the viewer was not connected; the page loads it each minute.
  viewer.load(now);
  return { service, viewer, now, seed };
}

function check({ service, viewer, now, seed }, range, step) {
  const { times, lines } = viewer.model.columns(["a.b"], { range, bySource: false }, now);
  for (const [index, from] of times.entries()) {
    const { count, sum, min, max } = service.bucket(from, step);
    const shown = { count: lines[0].count[index], avg: lines[0].avg[index], min: lines[0].min[index], max: lines[0].max[index] };
    const where = `seed ${seed}, ${range}, ${(now - from) / MINUTE_MS} minutes back`;
    assert.equal(shown.count, count, where);
    assert.deepEqual([shown.min, shown.max], count === 0 ? [null, null] : [min, max], where);
    if (count > 0) assert.ok(Math.abs(shown.avg - sum / count) < 1e-9, where);
  }
}

test("points of hour and week equal what is stored despite lost connections", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const outcome = run(seed);
    check(outcome, "hour", MINUTE_MS);
    check(outcome, "week", HOUR_MS);
  }
});

test("live reports count at once although history was loaded before them", () => {
  const service = new ServiceModel();
  const viewer = new Viewer(service);
  const random = randomFrom(9);
  for (let at = BEGIN; at < BEGIN + 10 * MINUTE_MS; at += 1000) service.store(at, "a", 1);
  let now = BEGIN + 10 * MINUTE_MS;
  viewer.load(now);
  viewer.connect(now, random);
  for (; now < BEGIN + 14 * MINUTE_MS; now += 1000) viewer.receive(service.store(now, "a", 2), now, random);
  check({ service, viewer, now: now - 1, seed: 0 }, "hour", MINUTE_MS);
  check({ service, viewer, now: now - 1, seed: 0 }, "week", HOUR_MS);
});

test("a gap longer than the replay is filled from history", () => {
  const service = new ServiceModel();
  const viewer = new Viewer(service);
  const random = randomFrom(3);
  let now = BEGIN;
  viewer.connect(now, random);
  viewer.load(now);
  for (let step = 0; step < 2000; step += 1, now += 1000) {
    viewer.isConnected = step < 100;
    viewer.receive(service.store(now, "a", step), now, random);
  }
  viewer.connect(now, random);
  check({ service, viewer, now, seed: 0 }, "hour", MINUTE_MS);
});

test("a report too late for the log reloads history", () => {
  const service = new ServiceModel();
  const viewer = new Viewer(service);
  viewer.connect(BEGIN, randomFrom(1));
  viewer.load(BEGIN);
  viewer.receive(service.store(BEGIN - 30 * MINUTE_MS, "a", 1), BEGIN, randomFrom(1));
  assert.equal(viewer.model.isStale, true);
  viewer.load(BEGIN);
  check({ service, viewer, now: BEGIN, seed: 0 }, "hour", MINUTE_MS);
});
