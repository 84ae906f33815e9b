// What a number means and how people read it: percent, GiB, MB/s, 3 h 12 min.
// The names that tell a unit are the service's own (docs/PROTOCOL.md, `series`). All is told in the language of the page,
// unless another is named.

import { language } from "./language.js";

const SECOND_S = 1;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

/** Units of which the greater one is this many of the smaller. */
const BINARY = 1024;
const DECIMAL = 1000;
const BYTE_SIGNS = { en: "B", fr: "o" };
const PREFIXES = { binary: ["", "Ki", "Mi", "Gi", "Ti", "Pi"], decimal: ["", "k", "M", "G", "T", "P"] };
const TIME_SIGNS = { en: ["d", "h", "min", "s"], fr: ["j", "h", "min", "s"] };
/** Beyond these, digits say more than words: 1.8 × 10^15, 3.2 × 10^-7. */
const GREATEST_WORDED = 1e15;
const SMALLEST_PLAIN = 1e-4;
/** Figures that are told of a number. */
const FIGURES = 3;
const NO_VALUE = "–";

const numberFormats = new Map();

/** `percent`, `bytes`, `seconds`, `bytes/s`, `/s` or an empty text. */
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

/** Whether a series only ever grows, so that its rate is what people want to see. */
export function isCounter(name) {
  return /^(bytes|packets)/.test(name.slice(name.lastIndexOf(".") + 1)) && name.includes(".");
}

/** `value` as people read it; a dash where there is none. */
export function humanise(value, unit, tongue = language()) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (unit === "percent") return percent(value, tongue);
  if (unit === "bytes") return bytes(value, "binary", tongue);
  if (unit === "bytes/s") return `${bytes(value, "decimal", tongue)}/s`;
  if (unit === "/s") return `${plain(value, tongue)}/s`;
  if (unit === "seconds") return duration(value, tongue);
  return plain(value, tongue);
}

function percent(value, tongue) {
  if (Math.abs(value) >= GREATEST_WORDED) return `${plain(value, tongue)} %`;
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return formatter(tongue, { style: "unit", unit: "percent", maximumFractionDigits: digits }).format(value);
}

function bytes(value, base, tongue) {
  const size = base === "binary" ? BINARY : DECIMAL;
  const prefixes = PREFIXES[base];
  let scaled = value;
  let step = 0;
  // Rounding may reach the next unit: 1023.9 KiB is 1 MiB.
  while (Math.abs(scaled) >= size - 0.5 && step < prefixes.length - 1) {
    scaled /= size;
    step += 1;
  }
  return `${plain(scaled, tongue)} ${prefixes[step]}${BYTE_SIGNS[tongue]}`;
}

function plain(value, tongue) {
  const size = Math.abs(value);
  if (size >= GREATEST_WORDED || (size > 0 && size < SMALLEST_PLAIN)) {
    return formatter(tongue, { notation: "scientific", maximumSignificantDigits: FIGURES }).format(value);
  }
  if (size >= 10 * DECIMAL) {
    return formatter(tongue, { notation: "compact", maximumSignificantDigits: FIGURES }).format(value);
  }
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const options = size < 1 ? { maximumSignificantDigits: FIGURES } : { maximumFractionDigits: digits };
  return formatter(tongue, options).format(value);
}

/** The two greatest parts of a span of time: `3 h 12 min`, `45 s`, `120 ms`. */
export function duration(seconds, tongue = language()) {
  if (Math.abs(seconds) < SECOND_S && seconds !== 0) return `${plain(seconds * 1000, tongue)} ms`;
  const sign = seconds < 0 ? "−" : "";
  let left = Math.round(Math.abs(seconds));
  if (left >= GREATEST_WORDED) return `${plain(seconds, tongue)} s`;
  const parts = [];
  for (const [index, size] of [DAY_S, HOUR_S, MINUTE_S, SECOND_S].entries()) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push([index, `${formatter(tongue, {}).format(count)} ${TIME_SIGNS[tongue][index]}`]);
  }
  if (parts.length === 0) return `0 ${TIME_SIGNS[tongue][3]}`;
  const [first, second] = parts;
  const isNext = second !== undefined && second[0] === first[0] + 1;
  return sign + (isNext ? `${first[1]} ${second[1]}` : first[1]);
}

/** A change against before, as a part of it: `+12%`. */
export function change(part, tongue = language()) {
  if (part === null || part === undefined) return NO_VALUE;
  const options = { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: Math.abs(part) < 0.1 ? 1 : 0 };
  return Math.abs(part) > DECIMAL ? `× ${plain(part + 1, tongue)}` : formatter(tongue, options).format(part);
}

/** Whole numbers: `12 345`. */
export function count(value, tongue = language()) {
  return formatter(tongue, {}).format(value);
}

function formatter(tongue, options) {
  const key = tongue + JSON.stringify(options);
  if (!numberFormats.has(key)) numberFormats.set(key, new Intl.NumberFormat(tongue, options));
  return numberFormats.get(key);
}
