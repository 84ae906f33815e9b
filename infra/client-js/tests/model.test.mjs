// Random stories of acknowledgements, losses, disconnects, restarts and wrong clocks, against a model of the service that
// stores a report by source, instant and document. STORIES sets their number, and a failure names its seed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isBalanced, randomOf, simulate } from "./support/simulation.mjs";

const STORIES = Number(process.env.STORIES ?? 100);
const STEPS = 120;
const RETRYABLE = ["rate_limited", "unavailable"];
const FINAL = ["too_deep", "invalid_field", "timestamp_out_of_range"];
const ACCESS = ["unauthorized", "forbidden", "app_inactive"];
const CLOSE_CODES = [null, 1000, 1001, 1006, 1008, 1009];
const DAY_MS = 86_400_000;
/** How far a timestamp may be from the true one: what is tolerated, and half of a `Date` header's second. */
const TIMESTAMP_ERROR_MS = 10_600;

/** A story: the publisher, and a service whose mood changes. */
class Story {
  stored = new Set();
  texts = new Map();
  #rejected = new Map();
  #mood = "healthy";
  #number = 0;

  constructor(seed) {
    this.random = randomOf(seed);
    const isTiny = this.random() < 0.4;
    const bounds = isTiny ? { maxBufferedReports: 1 + this.#below(40), maxBatchReports: 1 + this.#below(10), maxBufferedBytes: 32_768 } : {};
    this.bounds = { maxBufferedReports: 10_000, maxBufferedBytes: 8_388_608, ...bounds };
    const offsetMs = this.#pick([0, 0, DAY_MS, -30 * DAY_MS, 9_000]);
    Object.assign(this, simulate({ batchMs: this.#below(2_000), ...bounds }, this.random, { offsetMs }));
    this.service.onConnect = (connection) => this.#connected(connection);
    this.service.onFrame = (connection, frame, text) => this.#framed(connection, frame, text);
  }

  #below(limit) {
    return Math.floor(this.random() * limit);
  }

  #pick(list) {
    return list[this.#below(list.length)];
  }

  step() {
    const action = this.#below(10);
    if (action < 5) {
      for (let count = this.#below(30); count >= 0; count -= 1) this.#report();
    } else if (action === 5) {
      this.#mood = this.#pick(["healthy", "healthy", "flaky", "flaky", "refusing", "silent", "down", "barred"]);
    } else if (action === 6 && this.service.last?.isOpen) {
      this.service.last.end({ closeCode: this.#pick(CLOSE_CODES) });
    } else if (action === 7 && this.random() < 0.3) {
      if (this.random() < 0.5) this.clock.sleptMs += this.#below(DAY_MS);
      else this.clock.offsetMs = this.#pick([0, 0, 1_500, -1_500, 3_000, 60_000, -60_000, DAY_MS, -DAY_MS]);
    }
    this.clock.advance(this.#below(this.random() < 0.1 ? 120_000 : 3_000));
  }

  #report() {
    const kind = this.random();
    // Many reports are equal, and some are invalid.
    this.#number += 1;
    if (kind < 0.03) this.publisher.report(null);
    else if (kind < 0.3) this.publisher.report({ same: 1 });
    else this.publisher.report({ number: this.#number, made: this.clock.trueMs, text: "x".repeat(this.#below(2_000)) });
  }

  #connected(connection) {
    if (this.#mood === "down") connection.end();
    else if (this.#mood === "barred") connection.end({ status: this.#pick([401, 403, 429, 500]), retryAfterMs: this.#pick([null, 5_000]) });
    else if (this.#mood !== "silent" || this.random() < 0.5) connection.open();
  }

  #framed(connection, frame, text) {
    const before = this.texts.get(frame.id);
    assert.ok(before === undefined || before === text, `frame ${frame.id} changed`);
    this.texts.set(frame.id, text);
    for (const { timestamp, metrics } of frame.data) {
      assert.ok(metrics.made === undefined || Math.abs(timestamp - metrics.made) <= TIMESTAMP_ERROR_MS, `${timestamp - metrics.made} ms off`);
    }
    const fate = this.#mood === "healthy" ? 1 : this.random();
    if (this.#mood === "silent") return;
    if (this.#mood === "refusing") return this.#reject(connection, frame, fate);
    if (fate < 0.15) return connection.end();
    const rejected = fate < 0.6 || this.#rejected.size > 0 ? this.#rejections(frame) : [];
    const lost = new Set(rejected.map(({ index }) => index));
    frame.data.forEach((report, index) => lost.has(index) || this.stored.add(JSON.stringify(report)));
    // Stored, but the acknowledgement is lost, or comes late, or an answer that names no frame comes instead or before.
    if (fate > 0.25 && fate < 0.35) connection.deliver({ message: "Internal server error", connectionId: "x=" }, this.#below(2_000));
    if (fate < 0.3) return fate < 0.2 ? connection.end() : undefined;
    connection.ack(frame.id, frame.data.length - rejected.length, rejected, this.#below(2_000));
  }

  #rejections(frame) {
    return frame.data.flatMap((report, index) => {
      // What is stored is not rejected for its document later, and what was rejected for it is never stored.
      const key = JSON.stringify(report);
      const known = this.#rejected.get(key);
      if (known === undefined && (this.random() < 0.8 || this.stored.has(key))) return [];
      const code = known ?? this.#pick([...RETRYABLE, ...FINAL]);
      if (FINAL.includes(code)) this.#rejected.set(key, code);
      return [{ index, code, message: code, retryable: RETRYABLE.includes(code) }];
    });
  }

  #reject(connection, frame, fate) {
    const code = fate < 0.5 ? this.#pick(RETRYABLE) : fate < 0.6 ? "too_large" : this.#pick(ACCESS);
    const isOld = frame.data.some((report) => this.stored.has(JSON.stringify(report)));
    if (code === "too_large" && isOld) return;
    const retryAfterMs = fate < 0.25 ? this.#below(60_000) : undefined;
    connection.error({ id: frame.id, code, retryable: RETRYABLE.includes(code), retryAfterMs }, this.#below(2_000));
  }

  check() {
    const stats = this.publisher.stats();
    assert.ok(isBalanced(stats), JSON.stringify(stats));
    assert.ok(stats.buffered <= this.bounds.maxBufferedReports && stats.bufferedBytes <= this.bounds.maxBufferedBytes);
    // What it counts as stored is stored; what it does not know may be.
    const unknown = stats.lost.unconfirmed + stats.lost.transport + stats.buffered;
    const { size } = this.stored;
    assert.ok(stats.stored <= size && size <= stats.stored + unknown, `${size} stored, ${JSON.stringify(stats)}`);
    return stats;
  }

  /** The service recovers: whatever is buffered is stored. */
  recover() {
    this.#mood = "healthy";
    this.clock.advance(3_600_000);
    return this.check();
  }
}

test("every report is stored once, or lost and counted, in any story", async () => {
  const totals = { stored: 0, resentFrames: 0, lostTotal: 0, connections: 0 };
  for (let seed = 0; seed < STORIES; seed += 1) {
    try {
      const story = new Story(seed);
      for (let step = 0; step < STEPS; step += 1) {
        story.step();
        story.check();
      }
      const stats = story.recover();
      assert.equal(stats.buffered, 0);
      // Publishers that are not closed live as long as their process.
      assert.equal((await story.publisher.close()).state, "closed");
      for (const name of Object.keys(totals)) totals[name] += stats[name];
    } catch (error) {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    }
  }
  // The stories are about something.
  assert.ok(Object.values(totals).every((count) => count > STORIES), JSON.stringify(totals));
});
