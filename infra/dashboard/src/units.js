// Units of series by their names, as in the service (docs/PROTOCOL.md, "HTTP"), and numbers with units in the language of
// the page or a given one: percent, GiB, MB/s, 3 h 12 min.

import { language } from "./language.js";

const SECOND_S = 1;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

/** The factor from one unit to the next. */
const BINARY = 1024;
const DECIMAL = 1000;
const BYTE_SIGNS = { en: "B", fr: "o" };
const PREFIXES = { binary: ["", "Ki", "Mi", "Gi", "Ti", "Pi"], decimal: ["", "k", "M", "G", "T", "P"] };
const TIME_SIGNS = { en: ["d", "h", "min", "s"], fr: ["j", "h", "min", "s"] };
/** Larger and smaller numbers are in scientific notation: 1.8 × 10^15, 3.2 × 10^-7. */
const MAX_PLAIN = 1e15;
const MIN_PLAIN = 1e-4;
/** Significant digits. */
const DIGITS = 3;
const NO_VALUE = "–";

const numberFormats = new Map();

/** `percent`, `bytes`, `seconds`, `bytes/s`, `/s` or empty. */
export function unitOf(name) {
  const parts = name.split(".");
  const last = parts.at(-1);
  const group = parts.at(-2) ?? "";
  if (isCounter(name)) return last.startsWith("bytes") ? "bytes/s" : "/s";
  if (["usage", "usagePercent", "system", "user"].includes(last)) return "percent";
  if (last === "uptime") return "seconds";
  if (["rss", "heapTotal", "heapUsed", "external", "arrayBuffers"].includes(last)) return "bytes";
  if (["total", "used", "free"].includes(last) && ["memory", "disk"].includes(group)) return "bytes";
  return last.endsWith("Bytes") ? "bytes" : "";
}

/** Whether a series is a counter, of which the rate is shown. */
export function isCounter(name) {
  return /^(bytes|packets)/.test(name.slice(name.lastIndexOf(".") + 1)) && name.includes(".");
}

/** `value` with its unit; a dash without a value. */
export function humanise(value, unit, tag = language()) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (unit === "percent") return percent(value, tag);
  if (unit === "bytes") return bytes(value, "binary", tag);
  if (unit === "bytes/s") return `${bytes(value, "decimal", tag)}/s`;
  if (unit === "/s") return `${plain(value, tag)}/s`;
  if (unit === "seconds") return duration(value, tag);
  return plain(value, tag);
}

function percent(value, tag) {
  if (Math.abs(value) >= MAX_PLAIN) return `${plain(value, tag)} %`;
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return formatter(tag, { style: "unit", unit: "percent", maximumFractionDigits: digits }).format(value);
}

function bytes(value, base, tag) {
  const size = base === "binary" ? BINARY : DECIMAL;
  const prefixes = PREFIXES[base];
  let scaled = value;
  let step = 0;
  // Rounding may reach the next unit: 1023.9 KiB is 1 MiB.
  while (Math.abs(scaled) >= size - 0.5 && step < prefixes.length - 1) {
    scaled /= size;
    step += 1;
  }
  return `${plain(scaled, tag)} ${prefixes[step]}${BYTE_SIGNS[tag]}`;
}

function plain(value, tag) {
  const size = Math.abs(value);
  if (size >= MAX_PLAIN || (size > 0 && size < MIN_PLAIN)) {
    return formatter(tag, { notation: "scientific", maximumSignificantDigits: DIGITS }).format(value);
  }
  if (size >= 10 * DECIMAL) {
    return formatter(tag, { notation: "compact", maximumSignificantDigits: DIGITS }).format(value);
  }
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const options = size < 1 ? { maximumSignificantDigits: DIGITS } : { maximumFractionDigits: digits };
  return formatter(tag, options).format(value);
}

/** The two largest parts of a duration: `3 h 12 min`, `45 s`, `120 ms`. */
export function duration(seconds, tag = language()) {
  if (Math.abs(seconds) < SECOND_S && seconds !== 0) return `${plain(seconds * 1000, tag)} ms`;
  const sign = seconds < 0 ? "−" : "";
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
