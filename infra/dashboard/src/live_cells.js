// The live view: a grid of seconds, filled from the reports of each source, and from minutes of history where the
// reports do not reach. `undefined` is a second without a report, which a line passes over; `null` is silence.

import { MINUTE_MS } from "./range.js";
import { rateBetween } from "./rates.js";
import { valueIn } from "./report_log.js";
import { isCounter } from "./units.js";

export const CELL_MS = 1000;
/** A source that reports nothing for this long is silent, */
const PATIENCE_CELLS = 10;
/** or for so many times what usually lies between two of its reports: one may be late, and another lost. */
const PATIENCE_REPORTS = 2.5;
/** More of it at the end of the grid, which reaches ten seconds beyond now, and reports take a moment to arrive. */
const PATIENCE_END_CELLS = 15;

/** Starts of the seconds in [from, to). */
export function cellTimes(from, to) {
  const first = Math.ceil(from / CELL_MS);
  return Array.from({ length: Math.floor(to / CELL_MS) - first + 1 }, (_, index) => (first + index) * CELL_MS);
}

/** For each source that told `name` its values in the seconds of `times`, averaged where it told several. */
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
    if (line === undefined) sources.set(entry.source, (line = { cells: new Array(times.length), tally: null }));
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
  const tally = line.tally?.cell === cell ? line.tally : (line.tally = { cell, sum: 0, count: 0 });
  tally.sum += value;
  tally.count += 1;
  line.cells[cell] = tally.sum / tally.count;
}

function markSilence(cells) {
  const told = [...cells.keys()].filter((cell) => cells[cell] !== undefined);
  const gaps = told.slice(1).map((cell, index) => cell - told[index]);
  const patience = patienceFor(gaps);
  for (const [index, gap] of gaps.entries()) if (gap > patience) cells.fill(null, told[index] + 1, told[index + 1]);
  const last = told.at(-1);
  if (cells.length - last > patience + PATIENCE_END_CELLS) cells.fill(null, last + 1);
}

function patienceFor(gaps) {
  if (gaps.every((gap) => gap <= PATIENCE_CELLS)) return PATIENCE_CELLS;
  const usual = [...gaps].sort((one, other) => one - other)[(gaps.length - 1) >> 1];
  return Math.max(PATIENCE_CELLS, PATIENCE_REPORTS * usual);
}

/** Average, least and greatest over the sources in each second; a source stands for its last value until it is silent. */
export function combined(lines, length) {
  const column = { avg: new Array(length), min: new Array(length), max: new Array(length) };
  const held = lines.map(() => undefined);
  for (let cell = 0; cell < length; cell += 1) {
    let told = false;
    for (const [index, cells] of lines.entries()) {
      if (cells[cell] === undefined) continue;
      held[index] = cells[cell];
      told ||= cells[cell] !== null;
    }
    const values = held.filter((value) => typeof value === "number");
    const isSilent = values.length === 0 && held.includes(null);
    if (!told && !isSilent) continue;
    column.avg[cell] = isSilent ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    column.min[cell] = isSilent ? null : Math.min(...values);
    column.max[cell] = isSilent ? null : Math.max(...values);
  }
  return column;
}

/** Puts the averages of history's minutes into the minutes of which the log has nothing. */
export function fillFromMinutes(column, name, times, minutes, rateOf) {
  if (minutes === null || times.length === 0) return;
  const first = times[0] - (times[0] % MINUTE_MS);
  for (let minute = first; minute < times.at(-1); minute += MINUTE_MS) {
    const start = (minute - times[0]) / CELL_MS;
    const begin = Math.max(0, start);
    const end = Math.min(times.length, (minute + MINUTE_MS - times[0]) / CELL_MS);
    const isEmpty = column.avg.slice(begin, end).every((value) => value === undefined || value === null);
    const bucket = minutes.bucket(name, minute);
    // Of the whole minute, also where the grid begins within it: what is drawn stands still while the grid moves on.
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
