// The seam between history and live reports: whatever happens to the connection, each point is what the service stores.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AppModel } from "../../src/app_model.js";
import { MINUTE_MS } from "../../src/range.js";
import { History } from "../../src/seam.js";
import { World, randomFrom } from "./world.js";

const HOUR_MS = 60 * MINUTE_MS;
const BEGIN = Date.UTC(2026, 10, 22, 12, 0, 0);
const RUNS = 60;

/** A viewer that hears live frames while it is connected, and does what the page does. */
class Viewer {
  model = new AppModel();
  isConnected = false;
  constructor(world) {
    this.world = world;
  }

  load(now) {
    const take = this.model.ask();
    take(new History(this.world.history(MINUTE_MS, 60, now)), new History(this.world.history(HOUR_MS, 168, now)));
  }

  connect(now, random) {
    const since = this.model.resumeFrom(now);
    const { reports, complete, earliest } = this.world.replay(since, now);
    // API Gateway keeps no order.
    for (const payload of [...reports].sort(() => random() - 0.5)) this.model.take(payload, now);
    this.model.replayed({ since, earliest, complete });
    this.isConnected = true;
    if (this.model.isStale) this.load(now);
  }

  hear(payload, now, random) {
    if (!this.isConnected) return;
    this.model.take(payload, now);
    if (random() < 0.1) this.model.take(payload, now);
  }
}

function run(seed) {
  const random = randomFrom(seed);
  const world = new World();
  const viewer = new Viewer(world);
  const sources = ["a", "b", "c"].slice(0, 1 + Math.floor(random() * 3));
  const every = 500 + Math.floor(random() * 6_000);
  let now = BEGIN + Math.floor(random() * HOUR_MS);
  for (let before = now - 2 * HOUR_MS; before < now; before += 20_000) world.store(before, sources[0], random() * 100);
  const steps = 300 + Math.floor(random() * 500);
  for (let step = 0; step < steps; step += 1) {
    now += Math.floor(random() * 2 * every);
    for (const source of sources) {
      const isLate = random() < 0.01;
      const at = now - Math.floor(random() * (isLate ? 40 * MINUTE_MS : 800));
      viewer.hear(world.store(at, source, Math.round(random() * 1000) / 8), now, random);
    }
    if (step === 5 || random() < 0.01) viewer.load(now);
    if (!viewer.isConnected && step > 3 && random() < 0.1) viewer.connect(now, random);
    else if (viewer.isConnected && random() < 0.015) viewer.isConnected = false;
  }
  if (!viewer.isConnected) viewer.connect(now, random);
  // What came late while nobody listened is in history alone, which the page asks for each minute.
  viewer.load(now);
  return { world, viewer, now, seed };
}

function check({ world, viewer, now, seed }, range, step) {
  const { times, lines } = viewer.model.columns(["a.b"], { range, bySource: false }, now);
  for (const [index, from] of times.entries()) {
    const { count, sum, min, max } = world.bucket(from, step);
    const told = { count: lines[0].count[index], avg: lines[0].avg[index], min: lines[0].min[index], max: lines[0].max[index] };
    const where = `seed ${seed}, ${range}, ${(now - from) / MINUTE_MS} minutes back`;
    assert.equal(told.count, count, where);
    assert.deepEqual([told.min, told.max], count === 0 ? [null, null] : [min, max], where);
    if (count > 0) assert.ok(Math.abs(told.avg - sum / count) < 1e-9, where);
  }
}

test("every point of the hour and the week is what is stored, however the connection fared", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const outcome = run(seed);
    check(outcome, "hour", MINUTE_MS);
    check(outcome, "week", HOUR_MS);
  }
});

test("live reports count at once, although history was asked for before them", () => {
  const world = new World();
  const viewer = new Viewer(world);
  const random = randomFrom(9);
  for (let at = BEGIN; at < BEGIN + 10 * MINUTE_MS; at += 1000) world.store(at, "a", 1);
  let now = BEGIN + 10 * MINUTE_MS;
  viewer.load(now);
  viewer.connect(now, random);
  for (; now < BEGIN + 14 * MINUTE_MS; now += 1000) viewer.hear(world.store(now, "a", 2), now, random);
  check({ world, viewer, now: now - 1, seed: 0 }, "hour", MINUTE_MS);
  check({ world, viewer, now: now - 1, seed: 0 }, "week", HOUR_MS);
});

test("a gap that is greater than what is replayed is filled from history", () => {
  const world = new World();
  const viewer = new Viewer(world);
  const random = randomFrom(3);
  let now = BEGIN;
  viewer.connect(now, random);
  viewer.load(now);
  for (let step = 0; step < 2000; step += 1, now += 1000) {
    viewer.isConnected = step < 100;
    viewer.hear(world.store(now, "a", step), now, random);
  }
  viewer.connect(now, random);
  check({ world, viewer, now, seed: 0 }, "hour", MINUTE_MS);
});

test("a report too late for the log asks for history anew", () => {
  const world = new World();
  const viewer = new Viewer(world);
  viewer.connect(BEGIN, randomFrom(1));
  viewer.load(BEGIN);
  viewer.hear(world.store(BEGIN - 30 * MINUTE_MS, "a", 1), BEGIN, randomFrom(1));
  assert.equal(viewer.model.isStale, true);
  viewer.load(BEGIN);
  check({ world, viewer, now: BEGIN, seed: 0 }, "hour", MINUTE_MS);
});
