// Units of series, and numbers with units in the language of the page or a given one, as `nsl` prints them: percent, GiB,
// MiB/s, 3 h 12 min.

import { language } from "./language.js";
import LIBRARY_SERIES from "../../../functions/shared/domain/src/series/library_series.json" with { type: "json" };

const SECOND_S = 1;
const MINUTE_S = 60;
const HOUR_S = 3600;
export const DAY_S = 86_400;

/** The factor from one prefix to the next. */
const BINARY = 1024;
const DECIMAL = 1000;
const BINARY_PREFIXES = [" ", " Ki", " Mi", " Gi", " Ti", " Pi"];
const DECIMAL_PREFIXES = ["", "k", "M", "G", "T"];
const BYTE_SIGNS = { en: "B", fr: "o" };
const TIME_SIGNS = { en: ["d", "h", "min", "s"], fr: ["j", "h", "min", "s"] };
/** Larger and smaller numbers are in scientific notation: 1.8 × 10^15, 3.2 × 10^-7. */
const MAX_PLAIN = 1e15;
const MIN_PLAIN = 1e-4;
/** Larger numbers have a prefix: 12.3k. */
const MAX_WITHOUT_PREFIX = 9999.5;
/** Significant digits. */
const DIGITS = 3;
const NO_VALUE = "–";

const numberFormats = new Map();

/** `percent`, `bytes`, `seconds`, `bytes/s`, `/s` or empty: what is shown of a series. */
export function unitOf(name) {
  const [, , unit = ""] = rowOf(name);
  return isCounter(name) ? `${unit}/s` : unit;
}

/** Whether a series is a counter, of which the rate is shown. */
export function isCounter(name) {
  return rowOf(name)[1] === "counter";
}

/** The row of a series in the table of the library's; `*` is an interface's name, which may contain dots. */
function rowOf(name) {
  return LIBRARY_SERIES.find(([pattern]) => {
    const [before, after] = pattern.split("*");
    return after === undefined ? name === before : name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
  }) ?? [];
}

/** `value` with its unit; a dash without a value. */
export function humanise(value, unit, tag = language()) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (unit === "percent") return percent(value, tag);
  if (unit.endsWith("/s")) return `${humanise(value, unit.slice(0, -2), tag)}/s`;
  if (unit === "bytes") return prefixed(value, BINARY, BINARY_PREFIXES, tag) + BYTE_SIGNS[tag];
  if (unit === "seconds") return duration(value, tag);
  return plain(value, tag);
}

function percent(value, tag) {
  if (Math.abs(value) >= MAX_PLAIN) return `${plain(value, tag)} %`;
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return formatter(tag, { style: "unit", unit: "percent", maximumFractionDigits: digits }).format(value);
}

function prefixed(value, size, prefixes, tag) {
  let scaled = value;
  let step = 0;
  // Rounding may reach the next prefix: 1023.9 KiB is 1 MiB.
  while (Math.abs(scaled) >= size - 0.5 && step < prefixes.length - 1) {
    scaled /= size;
    step += 1;
  }
  return plain(scaled, tag) + prefixes[step];
}

function plain(value, tag) {
  const size = Math.abs(value);
  if (size >= MAX_PLAIN || (size > 0 && size < MIN_PLAIN)) {
    return formatter(tag, { notation: "scientific", maximumSignificantDigits: DIGITS }).format(value);
  }
  if (size >= MAX_WITHOUT_PREFIX) return prefixed(value, DECIMAL, DECIMAL_PREFIXES, tag);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const options = size < 1 ? { maximumSignificantDigits: DIGITS } : { maximumFractionDigits: digits };
  return formatter(tag, options).format(value);
}

/** The two largest parts of a duration: `3 h 12 min`, `45 s`, `120 ms`. */
export function duration(seconds, tag = language()) {
  if (Math.abs(seconds) < SECOND_S && seconds !== 0) return `${plain(seconds * 1000, tag)} ms`;
  const sign = seconds < 0 ? "-" : "";
  let left = Math.round(Math.abs(seconds));
  if (left >= MAX_PLAIN) return `${plain(seconds, tag)} s`;
  const parts = [];
  for (const [index, size] of [DAY_S, HOUR_S, MINUTE_S, SECOND_S].entries()) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push([index, `${formatter(tag, {}).format(count)} ${TIME_SIGNS[tag][index]}`]);
  }
  if (parts.length === 0) return `0 ${TIME_SIGNS[tag][3]}`;
  const [first, second] = parts;
  const isNext = second !== undefined && second[0] === first[0] + 1;
  return sign + (isNext ? `${first[1]} ${second[1]}` : first[1]);
}

/** A relative change: `+12%`. */
export function change(part, tag = language()) {
  if (part === null || part === undefined) return NO_VALUE;
  const options = { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: Math.abs(part) < 0.1 ? 1 : 0 };
  return Math.abs(part) > DECIMAL ? `× ${plain(part + 1, tag)}` : formatter(tag, options).format(part);
}

/** Whole numbers: `12 345`. */
export function count(value, tag = language()) {
  return formatter(tag, {}).format(value);
}

function formatter(tag, options) {
  const key = tag + JSON.stringify(options);
  if (!numberFormats.has(key)) numberFormats.set(key, new Intl.NumberFormat(tag, options));
  return numberFormats.get(key);
}
