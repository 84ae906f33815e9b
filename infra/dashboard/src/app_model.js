// What is known of one application: its history, its live reports, and the columns of each chart made of both.
// Draws nothing and asks nobody; time is an argument.

import { cellTimes, cellsBySource, combined, fillFromMinutes } from "./live_cells.js";
import { HOUR_MS, LIVE_MS, MINUTE_MS, stepOf, timesOf } from "./range.js";
import { ratesOfColumn } from "./rates.js";
import { ReportLog } from "./report_log.js";
import { samplesOf } from "./samples.js";
import { seamColumn } from "./seam.js";
import { isCounter } from "./units.js";

/** A source that was heard this shortly before a connection was lost may have reported since. */
const ACTIVE_MS = 2 * MINUTE_MS;
/** The live grid reaches beyond both edges, so that scrolling always has something to show. */
const LIVE_MARGIN_MS = 10_000;
/** Sources that get a line of their own. */
export const SOURCES_MAX = 40;

export class AppModel {
  log = new ReportLog();
  minutes = null;
  coarse = null;
  /** Whether a report came that the history at hand may lack. */
  isStale = false;
  /** What the log may promise once history was asked for again. */
  #claim = null;
  #heardAt = null;
  #listed = new Set();

  /** Takes a report as the service sends it; answers whether it was not known. */
  take(payload, now) {
    this.#heardAt = now;
    const at = Date.parse(payload.timestamp);
    if (Number.isNaN(at)) return false;
    const verdict = this.log.add({ id: payload.id, at, source: payload.source, samples: samplesOf(payload.metrics) }, now);
    if (verdict !== "repeat" && at < this.log.completeFrom) this.isStale = true;
    return verdict !== "repeat";
  }

  /** From when on reports may be missing: what a subscription asks for. */
  resumeFrom(now) {
    if (this.log.completeFrom === Infinity || this.#heardAt === null) return now - LIVE_MS;
    let from = this.#heardAt;
    for (const { at } of this.log.latest().values()) if (at > this.#heardAt - ACTIVE_MS) from = Math.min(from, at);
    return from;
  }

  /** Notes that a subscription's replay has arrived whole. */
  replayed({ since, earliest, complete }) {
    // Of the earliest instant of a cut replay some reports may be missing.
    const from = complete || earliest === Infinity ? since : earliest + 1;
    if (this.log.completeFrom === Infinity) return this.log.claim(from);
    // What came late during an outage, or before what is replayed, only history has: so it is asked for first.
    this.#claim = from;
    this.isStale = true;
    return undefined;
  }

  /** Begins to ask for history; answers with what takes it. */
  ask() {
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

  /** Adds names that the service listed to those that were seen. */
  list(names) {
    for (const name of names) this.#listed.add(name);
  }

  /** Every series that is known, by name. */
  names() {
    const names = new Set(this.#listed);
    for (const history of [this.minutes, this.coarse]) for (const name of history?.series.keys() ?? []) names.add(name);
    for (const { shape } of this.log.latest().values()) for (const name of shape.names) names.add(name);
    return [...names].sort();
  }

  /** Names of the sources that were heard in the last hour, in a steady order. */
  sources() {
    return [...this.log.latest().keys()].sort().slice(0, SOURCES_MAX);
  }

  /** How many of all sources have lines of their own, and since when where that is not the whole of a range, else null. */
  apart(range, now) {
    const all = this.log.latest().size;
    const since = this.log.completeFrom;
    const from = now - (range === "live" ? LIVE_MS : HOUR_MS) + MINUTE_MS;
    return { all, drawn: Math.min(all, SOURCES_MAX), since: since > from && since < now ? since : null };
  }

  sourcesNow(now) {
    return [...this.log.latest().values()].filter(({ at }) => at > now - ACTIVE_MS).length;
  }

  /** The newest instant that a report was stamped with. */
  lastReport() {
    return this.log.entries.at(-1)?.at ?? null;
  }

  /** `{times, step, lines}` of these series, in milliseconds; `bySource` gives each source a line of the first. */
  columns(names, { range, bySource }, now) {
    if (range === "live") return this.#live(names, bySource, now);
    if (typeof range !== "string") return this.#chosen(names);
    const step = stepOf(range);
    const times = timesOf(range, now);
    if (bySource && step === MINUTE_MS) return { times, step, lines: this.#minutesBySource(names[0], times) };
    const lines = names.map((name) => this.#rated(name, seamColumn(this, name, times, step), times, step, now));
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
    // A selection is over, or history knows of it what there is: no live report is added.
    const levels = { coarse: history, minutes: step === MINUTE_MS ? history : null, log: { entries: [], completeFrom: Infinity } };
    const lines = names.map((name) => this.#rated(name, seamColumn(levels, name, times, step), times, step, history.completeTo));
    return { times, step, lines };
  }

  #minutesBySource(name, times) {
    return this.sources().map((source) => {
      const entries = this.log.entries.filter((entry) => entry.source === source);
      const column = seamColumn({ log: { entries, completeFrom: -Infinity } }, name, times, MINUTE_MS);
      return { source, avg: isCounter(name) ? ratesOfColumn(column, () => MINUTE_MS, true) : column.avg };
    });
  }

  /** A counter's column as rates, any other as it is. */
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
    const column = this.#rated(name, seamColumn(this, name, times, MINUTE_MS), times, MINUTE_MS, times.at(-1) + MINUTE_MS);
    return (minute) => column.avg[times.indexOf(minute)] ?? null;
  }
}
