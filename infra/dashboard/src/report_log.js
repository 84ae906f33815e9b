// The reports that this page has seen lately: each once, by its id, in the order of their timestamps, and bounded.
// `completeFrom` is the promise that the seam rests on: of reports stamped since then, the log has every one.

/** As long as the hour view, so that its sources can be told apart as far back as the page has seen them. */
export const KEPT_MS = 61 * 60_000;
/** Bounds of memory: a report takes about 100 bytes and 8 for each number. */
const REPORTS_MAX = 15_000;
const NUMBERS_MAX = 1_500_000;
/** Sets of names that are remembered, for documents share them; beyond that all are forgotten. */
const SHAPES_MAX = 256;

export class ReportLog {
  entries = [];
  completeFrom = Infinity;
  /** Reports taken since the page was opened. */
  taken = 0;
  #ids = new Set();
  #shapes = new Map();
  #numbers = 0;
  #evictedTo = -Infinity;
  #limits;

  constructor(limits = {}) {
    this.#limits = { keptMs: KEPT_MS, reports: REPORTS_MAX, numbers: NUMBERS_MAX, ...limits };
  }

  /** Takes a report; answers whether it is `added`, a `repeat`, or too `old` to be kept. */
  add({ id, at, source, samples }, now) {
    if (this.#ids.has(id)) return "repeat";
    if (at < this.#evictedTo || at < now - this.#limits.keptMs) return "old";
    this.#ids.add(id);
    this.taken += 1;
    const entry = { id, at, source, shape: this.#shapeOf(samples.names), values: Float64Array.from(samples.values) };
    this.entries.splice(this.#place(at), 0, entry);
    this.#numbers += entry.values.length;
    this.#evict(now);
    return "added";
  }

  /** Promises that every report stamped since `from` is here. What was evicted cannot be promised. */
  claim(from) {
    this.completeFrom = Math.max(from, this.#evictedTo);
  }

  /** The latest report of each source, with the sources that were heard last at the end. */
  latest() {
    const latest = new Map();
    for (const entry of this.entries) latest.set(entry.source, entry);
    return latest;
  }

  /** The index of the first entry stamped at `at` or later. */
  since(at) {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle].at < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Behind those of the same instant, so that equal stamps keep the order of arrival. */
  #place(at) {
    const last = this.entries.at(-1);
    return last === undefined || last.at <= at ? this.entries.length : this.since(at + 1);
  }

  #evict(now) {
    let gone = 0;
    const { keptMs, reports, numbers } = this.#limits;
    for (const entry of this.entries) {
      const isOld = entry.at < now - keptMs;
      if (!isOld && this.entries.length - gone <= reports && this.#numbers <= numbers) break;
      gone += 1;
      this.#numbers -= entry.values.length;
      this.#ids.delete(entry.id);
      this.#evictedTo = entry.at + 1;
    }
    if (gone === 0) return;
    this.entries.splice(0, gone);
    this.completeFrom = Math.max(this.completeFrom, this.#evictedTo);
  }

  #shapeOf(names) {
    const key = names.join("\n");
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      if (this.#shapes.size >= SHAPES_MAX) this.#shapes.clear();
      // A name that stands twice means its last value, as for the service.
      shape = { names, places: new Map(names.map((name, place) => [name, place])) };
      this.#shapes.set(key, shape);
    }
    return shape;
  }
}

/** The value of a series in an entry of the log, or undefined. */
export function valueIn(entry, name) {
  const place = entry.shape.places.get(name);
  return place === undefined ? undefined : entry.values[place];
}
