// The state of one application: its history, its live reports, and the columns of each chart from both. It has no I/O;
// time is an argument.

import { cellTimes, cellsBySource, combined, fillFromMinutes } from "./live_cells.js";
import { HOUR_MS, LIVE_MS, MINUTE_MS, stepOf, timesOf } from "./range.js";
import { ratesOfColumn } from "./rates.js";
import { ReportLog } from "./report_log.js";
import { samplesOf } from "./samples.js";
import { mergedColumn } from "./history_merge.js";
import { isCounter } from "./units.js";

/** A source that reported this recently before a connection was lost may have reported since. */
const ACTIVE_MS = 2 * MINUTE_MS;
/** The live grid extends beyond both edges for scrolling. */
const LIVE_MARGIN_MS = 10_000;
/** Most sources with a line of their own. */
export const SOURCES_MAX = 40;

export class AppModel {
  log = new ReportLog();
  minutes = null;
  coarse = null;
  /** Whether a report arrived that the loaded history may lack. */
  isStale = false;
  /** From when the log is complete once history is loaded again. */
  #claim = null;
  #receivedAt = null;
  #listed = new Set();

  /** Adds a report of the service; returns whether it is new. */
  add(payload, now) {
    this.#receivedAt = now;
    const at = Date.parse(payload.timestamp);
    if (Number.isNaN(at)) return false;
    const outcome = this.log.add({ id: payload.id, at, source: payload.source, samples: samplesOf(payload.metrics) }, now);
    if (outcome !== "repeat" && at < this.log.completeFrom) this.isStale = true;
    return outcome !== "repeat";
  }

  /** From when reports may be missing: the `since` of a subscription. */
  resumeFrom(now) {
    if (this.log.completeFrom === Infinity || this.#receivedAt === null) return now - LIVE_MS;
    let from = this.#receivedAt;
    for (const { at } of this.log.latest().values()) if (at > this.#receivedAt - ACTIVE_MS) from = Math.min(from, at);
    return from;
  }

  /** Records that the replay of a subscription is complete. */
  replayed({ since, earliest, complete }) {
    // A truncated replay may lack reports of its earliest instant.
    const from = complete || earliest === Infinity ? since : earliest + 1;
    if (this.log.completeFrom === Infinity) return this.log.claim(from);
    // Only history has reports that were late during an outage or are older than the replay, so it is loaded first.
    this.#claim = from;
    this.isStale = true;
    return undefined;
  }

  /** Starts loading history; returns the function that stores it. */
  startLoad() {
    const claim = this.#claim;
    this.isStale = false;
    return (minutes, coarse) => {
      if (minutes !== null) this.minutes = minutes;
      this.coarse = coarse;
      if (claim === null || minutes === null) return;
      this.log.claim(claim);
      if (this.#claim === claim) this.#claim = null;
    };
  }

  /** Adds names that the service listed. */
  addNames(names) {
    for (const name of names) this.#listed.add(name);
  }

  /** The names of all series, sorted. */
  names() {
    const names = new Set(this.#listed);
    for (const history of [this.minutes, this.coarse]) for (const name of history?.series.keys() ?? []) names.add(name);
    for (const { shape } of this.log.latest().values()) for (const name of shape.names) names.add(name);
    return [...names].sort();
  }

  /** Names of the sources that reported in the last hour, sorted. */
  sources() {
    return [...this.log.latest().keys()].sort().slice(0, SOURCES_MAX);
  }

  /** How many of all sources are drawn, and since when, or null if that is the whole range. */
  sourceCoverage(range, now) {
    const all = this.log.latest().size;
    const since = this.log.completeFrom;
    const from = now - (range === "live" ? LIVE_MS : HOUR_MS) + MINUTE_MS;
    return { all, drawn: Math.min(all, SOURCES_MAX), since: since > from && since < now ? since : null };
  }

  sourcesNow(now) {
    return [...this.log.latest().values()].filter(({ at }) => at > now - ACTIVE_MS).length;
  }

  /** The newest timestamp. */
  lastReport() {
    return this.log.entries.at(-1)?.at ?? null;
  }

  /** `{times, step, lines}` of these series, in milliseconds; with `bySource`, one line of the first for each source. */
  columns(names, { range, bySource }, now) {
    if (range === "live") return this.#live(names, bySource, now);
    if (typeof range !== "string") return this.#chosen(names);
    const step = stepOf(range);
    const times = timesOf(range, now);
    if (bySource && step === MINUTE_MS) return { times, step, lines: this.#minutesBySource(names[0], times) };
    const lines = names.map((name) => this.#rated(name, mergedColumn(this, name, times, step), times, step, now));
    return { times, step, lines };
  }

  #live(names, bySource, now) {
    const times = cellTimes(now - LIVE_MS - LIVE_MARGIN_MS, now + LIVE_MARGIN_MS);
    const step = times[1] - times[0];
    if (bySource) {
      const cells = cellsBySource(this.log, names[0], times);
      return { times, step, lines: this.sources().map((source) => ({ source, avg: cells.get(source) ?? new Array(times.length) })) };
    }
    const lines = names.map((name) => {
      const column = combined([...cellsBySource(this.log, name, times).values()], times.length);
      fillFromMinutes(column, name, times, this.minutes, isCounter(name) ? this.#minuteRates(name) : null);
      return column;
    });
    return { times, step, lines };
  }

  #chosen(names) {
    const history = this.coarse;
    if (history === null) return { times: [], step: MINUTE_MS, lines: names.map(() => ({ avg: [], min: [], max: [] })) };
    const { times, step } = history;
    // History has everything that a selection shows: no live report is added.
    const levels = { coarse: history, minutes: step === MINUTE_MS ? history : null, log: { entries: [], completeFrom: Infinity } };
    const lines = names.map((name) => this.#rated(name, mergedColumn(levels, name, times, step), times, step, history.completeTo));
    return { times, step, lines };
  }

  #minutesBySource(name, times) {
    return this.sources().map((source) => {
      const entries = this.log.entries.filter((entry) => entry.source === source);
      const column = mergedColumn({ log: { entries, completeFrom: -Infinity } }, name, times, MINUTE_MS);
      return { source, avg: isCounter(name) ? ratesOfColumn(column, () => MINUTE_MS, true) : column.avg };
    });
  }

  /** The column of a counter as rates, any other unchanged. */
  #rated(name, column, times, step, now) {
    if (!isCounter(name)) return column;
    const spanOf = (index) => Math.max(1, Math.min(step, now - times[index]));
    const rates = ratesOfColumn(column, spanOf, this.#isOneSource());
    return { avg: rates, min: rates, max: rates, count: column.count, p95: rates.map(() => null) };
  }

  #isOneSource() {
    const sources = new Set(this.log.latest().keys());
    for (const history of [this.minutes, this.coarse]) for (const source of history?.sources ?? []) sources.add(source);
    return sources.size <= 1;
  }

  #minuteRates(name) {
    const times = this.minutes?.times ?? [];
    const column = this.#rated(name, mergedColumn(this, name, times, MINUTE_MS), times, MINUTE_MS, times.at(-1) + MINUTE_MS);
    return (minute) => column.avg[times.indexOf(minute)] ?? null;
  }
}
