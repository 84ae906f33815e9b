// A model of the service for tests: its stored reports, replays and history (docs/PROTOCOL.md). Randomness is seeded, so
// that failures are reproducible.

import { MINUTE_MS } from "../../src/range.js";

const OVERLAP_MS = 5_000;
const REPLAY_MAX_MS = 15 * MINUTE_MS;
const REPLAY_REPORTS_MAX = 500;

/** A generator of numbers from 0 to 1 with a seed. */
export function randomFrom(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class ServiceModel {
  stored = [];

  store(at, source, value) {
    const id = `${at}-${source}-${this.stored.length}`;
    const payload = { id, source, timestamp: new Date(at).toISOString(), metrics: { a: { b: value } } };
    this.stored.push({ at, value, payload });
    return payload;
  }

  /** The answer to `subscribe` at `now`. */
  replay(since, now) {
    const earliest = now - REPLAY_MAX_MS;
    const wanted = this.stored.filter(({ at }) => at > Math.max(since - OVERLAP_MS, earliest)).sort((one, other) => one.at - other.at);
    const reports = wanted.slice(-REPLAY_REPORTS_MAX);
    const complete = since - OVERLAP_MS >= earliest && reports.length === wanted.length;
    return { reports: reports.map(({ payload }) => payload), complete, earliest: reports[0]?.at ?? Infinity };
  }

  /** The answer to `metrics` at `now`, with `points` points of width `step`. */
  history(step, points, now) {
    const last = Math.floor(now / step) * step;
    const times = Array.from({ length: points }, (_, index) => last - (points - 1 - index) * step);
    const buckets = times.map((from) => this.bucket(from, step));
    const figures = {
      avg: buckets.map(({ count, sum }) => (count === 0 ? null : sum / count)),
      min: buckets.map(({ count, min }) => (count === 0 ? null : min)),
      max: buckets.map(({ count, max }) => (count === 0 ? null : max)),
      count: buckets.map(({ count }) => count),
    };
    const seconds = times.map((time) => time / 1000);
    return { step: step / 1000, timestamps: seconds, series: { "a.b": figures }, sources: [], completeTo: new Date(now).toISOString() };
  }

  /** The definition of a point. */
  bucket(from, step) {
    const values = this.stored.filter(({ at }) => at >= from && at < from + step).map(({ value }) => value);
    return { count: values.length, sum: values.reduce((sum, value) => sum + value, 0), min: Math.min(...values), max: Math.max(...values) };
  }
}
