// The recent reports of the page: each once, by its id, in the order of their timestamps, and bounded.
// The log has every report stamped since `completeFrom`; history_merge.js depends on it.

/** As long as the hour view, which can show each source as far back. */
export const KEPT_MS = 61 * 60_000;
/** Limits of memory: a report takes about 100 bytes, and 8 for each number. */
const REPORTS_MAX = 15_000;
const NUMBERS_MAX = 1_500_000;
/** Most cached sets of names, which documents share; one more empties the cache. */
const SHAPES_MAX = 256;

export class ReportLog {
  entries = [];
  completeFrom = Infinity;
  /** Reports received since the page was opened. */
  taken = 0;
  #ids = new Set();
  #shapes = new Map();
  #numbers = 0;
  #evictedTo = -Infinity;
  #limits;

  constructor(limits = {}) {
    this.#limits = { keptMs: KEPT_MS, reports: REPORTS_MAX, numbers: NUMBERS_MAX, ...limits };
  }

  /** Adds a report; returns `added`, `repeat` or `old`, which is not kept. */
  add({ id, at, source, samples }, now) {
    if (this.#ids.has(id)) return "repeat";
    if (at < this.#evictedTo || at < now - this.#limits.keptMs) return "old";
    this.#ids.add(id);
    this.taken += 1;
    const entry = { id, at, source, shape: this.#shapeOf(samples.names), values: Float64Array.from(samples.values) };
    this.entries.splice(this.#indexOf(at), 0, entry);
    this.#numbers += entry.values.length;
    this.#evict(now);
    return "added";
  }

  /** Records that the log has every report stamped since `from`, except evicted ones. */
  claim(from) {
    this.completeFrom = Math.max(from, this.#evictedTo);
  }

  /** The latest report of each source; the most recent sources are last. */
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

  /** After those of the same instant, so that equal timestamps keep the order of arrival. */
  #indexOf(at) {
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
      // The last value of a repeated name counts, as in the service.
      shape = { names, indices: new Map(names.map((name, index) => [name, index])) };
      this.#shapes.set(key, shape);
    }
    return shape;
  }
}

/** The value of a series in an entry of the log, or undefined. */
export function valueIn(entry, name) {
  const index = entry.shape.indices.get(name);
  return index === undefined ? undefined : entry.values[index];
}
