// The live view: a grid of seconds, filled from the reports of each source, and from minutes of history where the
// reports do not reach. `undefined` is a second without a report, which a line passes over; `null` is silence.

import { MINUTE_MS } from "./range.js";
import { rateBetween } from "./rates.js";
import { valueIn } from "./report_log.js";
import { isCounter } from "./units.js";

export const CELL_MS = 1000;
/** A source that reports nothing for this long is silent. */
const PATIENCE_CELLS = 10;
/** The same at the end of the grid, which reaches ten seconds beyond now, and reports take a moment to arrive. */
const PATIENCE_END_CELLS = 25;

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
  let last = -1;
  for (let cell = 0; cell < cells.length; cell += 1) {
    if (cells[cell] === undefined) continue;
    if (last >= 0 && cell - last > PATIENCE_CELLS) cells.fill(null, last + 1, cell);
    last = cell;
  }
  if (last >= 0 && cells.length - last > PATIENCE_END_CELLS) cells.fill(null, last + 1);
}

/** Average, least and greatest over the sources in each second; a source stands for its last value until it is silent. */
export function combined(lines, length) {
  const column = { avg: new Array(length), min: new Array(length), max: new Array(length) };
  const held = lines.map(() => ({ value: undefined, age: 0 }));
  for (let cell = 0; cell < length; cell += 1) {
    let told = false;
    const values = [];
    for (const [index, cells] of lines.entries()) {
      told ||= cells[cell] !== undefined;
      hold(held[index], cells[cell]);
      if (held[index].value !== undefined) values.push(held[index].value);
    }
    if (!told) continue;
    column.avg[cell] = values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    column.min[cell] = values.length === 0 ? null : Math.min(...values);
    column.max[cell] = values.length === 0 ? null : Math.max(...values);
  }
  markSilence(column.avg);
  return column;
}

function hold(held, value) {
  if (value !== undefined) {
    held.value = value ?? undefined;
    held.age = 0;
  } else if ((held.age += 1) > PATIENCE_CELLS) {
    held.value = undefined;
  }
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
    for (let cell = begin; cell < end; cell += 1) column.avg[cell] = undefined;
    column.avg[middle] = value;
    column.min[middle] = rateOf === null ? bucket.min : value;
    column.max[middle] = rateOf === null ? bucket.max : value;
  }
}
