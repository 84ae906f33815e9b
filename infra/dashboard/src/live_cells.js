// The live view: a grid of seconds with the reports of each source, and minutes of history before those. `undefined` is
// a second without a report, which a line bridges; `null` is a gap, because the source is silent.

import { MINUTE_MS } from "./range.js";
import { rateBetween } from "./rates.js";
import { valueIn } from "./report_log.js";
import { isCounter } from "./units.js";

export const CELL_MS = 1000;
/** A source without a report for this long is silent, */
const SILENT_CELLS = 10;
/** or for this many of its usual intervals: one report may be late, and another lost. */
const SILENT_INTERVALS = 2.5;
/** Additional seconds at the end of the grid, which is ten seconds after now; reports take a moment to arrive. */
const SILENT_END_CELLS = 15;

/** Starts of the seconds in [from, to). */
export function cellTimes(from, to) {
  const first = Math.ceil(from / CELL_MS);
  return Array.from({ length: Math.floor(to / CELL_MS) - first + 1 }, (_, index) => (first + index) * CELL_MS);
}

/** The values of `name` in the seconds of `times` by source; several values in a second are averaged. */
export function cellsBySource(log, name, times) {
  const sources = new Map();
  if (times.length === 0) return sources;
  const counts = isCounter(name);
  // A rate needs the report before the first second.
  const start = times[0] - (counts ? MINUTE_MS : 0);
  for (let index = log.since(start); index < log.entries.length; index += 1) {
    const entry = log.entries[index];
    const value = valueIn(entry, name);
    if (value === undefined) continue;
    let line = sources.get(entry.source);
    if (line === undefined) sources.set(entry.source, (line = { cells: new Array(times.length), mean: null }));
    const shown = counts ? rateSince(line, entry.at, value) : value;
    note(line, Math.floor((entry.at - times[0]) / CELL_MS), shown);
  }
  for (const line of sources.values()) markSilence(line.cells);
  return new Map([...sources].map(([source, line]) => [source, line.cells]));
}

function rateSince(line, at, value) {
  const rate = rateBetween(line.before, { at, value });
  line.before = { at, value };
  return rate;
}

function note(line, cell, value) {
  if (value === null || cell < 0 || cell >= line.cells.length) return;
  const mean = line.mean?.cell === cell ? line.mean : (line.mean = { cell, sum: 0, count: 0 });
  mean.sum += value;
  mean.count += 1;
  line.cells[cell] = mean.sum / mean.count;
}

function markSilence(cells) {
  const reported = [...cells.keys()].filter((cell) => cells[cell] !== undefined);
  const gaps = reported.slice(1).map((cell, index) => cell - reported[index]);
  const limit = silentAfter(gaps);
  for (const [index, gap] of gaps.entries()) if (gap > limit) cells.fill(null, reported[index] + 1, reported[index + 1]);
  const last = reported.at(-1);
  if (cells.length - last > limit + SILENT_END_CELLS) cells.fill(null, last + 1);
}

function silentAfter(gaps) {
  if (gaps.every((gap) => gap <= SILENT_CELLS)) return SILENT_CELLS;
  const usual = [...gaps].sort((one, other) => one - other)[(gaps.length - 1) >> 1];
  return Math.max(SILENT_CELLS, SILENT_INTERVALS * usual);
}

/** Average, minimum and maximum over the sources in each second; a source keeps its last value until it is silent. */
export function combined(lines, length) {
  const column = { avg: new Array(length), min: new Array(length), max: new Array(length) };
  const latestValues = lines.map(() => undefined);
  for (let cell = 0; cell < length; cell += 1) {
    let hasReport = false;
    for (const [index, cells] of lines.entries()) {
      if (cells[cell] === undefined) continue;
      latestValues[index] = cells[cell];
      hasReport ||= cells[cell] !== null;
    }
    const values = latestValues.filter((value) => typeof value === "number");
    const isSilent = values.length === 0 && latestValues.includes(null);
    if (!hasReport && !isSilent) continue;
    column.avg[cell] = isSilent ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    column.min[cell] = isSilent ? null : Math.min(...values);
    column.max[cell] = isSilent ? null : Math.max(...values);
  }
  return column;
}

/** Fills minutes without reports in the log with the averages of history. */
export function fillFromMinutes(column, name, times, minutes, rateOf) {
  if (minutes === null || times.length === 0) return;
  const first = times[0] - (times[0] % MINUTE_MS);
  for (let minute = first; minute < times.at(-1); minute += MINUTE_MS) {
    const start = (minute - times[0]) / CELL_MS;
    const begin = Math.max(0, start);
    const end = Math.min(times.length, (minute + MINUTE_MS - times[0]) / CELL_MS);
    const isEmpty = column.avg.slice(begin, end).every((value) => value === undefined || value === null);
    const bucket = minutes.bucket(name, minute);
    // The middle of the whole minute, even if the grid begins within it, so that the point does not move with the grid.
    const middle = Math.floor((start + end) / 2);
    if (!isEmpty || bucket.count === 0 || middle < 0 || middle >= times.length) continue;
    const value = rateOf === null ? bucket.sum / bucket.count : rateOf(minute);
    if (value === null) continue;
    for (const cells of [column.avg, column.min, column.max]) cells.fill(undefined, begin, end);
    column.avg[middle] = value;
    column.min[middle] = rateOf === null ? bucket.min : value;
    column.max[middle] = rateOf === null ? bucket.max : value;
  }
}
