// Merges history and live reports into points. Each point has one origin: the reports if the log has every one of its
// span, else minutes of history if they cover it, else coarse history. So no report is counted twice or left out,
// however often the connection was lost.

import { EMPTY, average, bucketOf, merge } from "./bucket.js";
import { MINUTE_MS } from "./range.js";
import { valueIn } from "./report_log.js";

/** An answer of the service, with the values of a series by instant. */
export class History {
  constructor(answer) {
    this.step = answer.step * 1000;
    this.sources = answer.sources ?? [];
    this.times = answer.timestamps.map((second) => second * 1000);
    this.from = this.times[0] ?? Infinity;
    this.to = this.times.length === 0 ? -Infinity : this.times.at(-1) + this.step;
    this.completeTo = Date.parse(answer.completeTo);
    this.series = new Map(Object.entries(answer.series));
  }

  covers(at) {
    return at >= this.from && at < this.to;
  }

  bucket(name, at) {
    const figures = this.series.get(name);
    const index = (at - this.from) / this.step;
    const count = figures?.count?.[index] ?? 0;
    if (count === 0) return EMPTY;
    return { count, sum: figures.avg[index] * count, min: figures.min[index], max: figures.max[index] };
  }

  p95(name, at) {
    return this.series.get(name)?.p95?.[(at - this.from) / this.step] ?? null;
  }
}

/** The buckets of one series in the log, by the start of their minute. */
export function minutesOfLog(log, name) {
  const minutes = new Map();
  for (const entry of log.entries) {
    const value = valueIn(entry, name);
    if (value === undefined) continue;
    const minute = entry.at - (entry.at % MINUTE_MS);
    minutes.set(minute, merge(minutes.get(minute) ?? EMPTY, bucketOf(value)));
  }
  return minutes;
}

/** The bucket of the span of `step` milliseconds from `at`, in whole minutes. */
export function bucketAt({ coarse, minutes, log, logged }, name, at, step) {
  if (at >= log.completeFrom) return loggedBucket(logged, at, step);
  if (step === MINUTE_MS || !minutes?.covers(at)) {
    const level = step === MINUTE_MS ? minutes : coarse;
    return level?.covers(at) ? level.bucket(name, at) : EMPTY;
  }
  let bucket = EMPTY;
  for (let minute = at; minute < at + step; minute += MINUTE_MS) {
    bucket = merge(bucket, bucketAt({ minutes, log, logged }, name, minute, MINUTE_MS));
  }
  return bucket;
}

function loggedBucket(logged, at, step) {
  let bucket = EMPTY;
  for (let minute = at; minute < at + step; minute += MINUTE_MS) {
    bucket = merge(bucket, logged.get(minute) ?? EMPTY);
  }
  return bucket;
}

/** The points of one series at `times`; a gap is null with a count of 0. */
export function mergedColumn(levels, name, times, step) {
  const logged = minutesOfLog(levels.log, name);
  const column = { avg: [], min: [], max: [], count: [], p95: [] };
  const own = step === MINUTE_MS ? levels.minutes : levels.coarse;
  for (const at of times) {
    const bucket = bucketAt({ ...levels, logged }, name, at, step);
    column.avg.push(average(bucket));
    column.min.push(bucket.count === 0 ? null : bucket.min);
    column.max.push(bucket.count === 0 ? null : bucket.max);
    column.count.push(bucket.count);
    column.p95.push(own?.covers(at) ? own.p95(name, at) : null);
  }
  return column;
}
