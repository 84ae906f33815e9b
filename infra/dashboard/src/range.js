// The time ranges of a page: live, the hour, day and week of the service, and a selection.

export const MINUTE_MS = 60_000;
export const LIVE_MS = 5 * MINUTE_MS;
export const HOUR_MS = 60 * MINUTE_MS;
/** Widths and counts of points: docs/PROTOCOL.md, "HTTP". */
const NAMED = {
  hour: { step: MINUTE_MS, points: 60 },
  day: { step: 10 * MINUTE_MS, points: 144 },
  week: { step: HOUR_MS, points: 168 },
};
export const RANGES = ["live", "hour", "day", "week"];
/** Stored resolutions, and how many points are enough for a chart. */
const STEPS = [1, 10, 60, 1440].map((minutes) => minutes * MINUTE_MS);
const POINTS_ENOUGH = 300;
/** A narrower selection is widened: a point of history is a minute. */
const SELECTION_MIN_MS = 10 * MINUTE_MS;

/** The text of a range in the page's address. */
export function rangeText(range) {
  return typeof range === "string" ? range : `${range.from}-${range.to}`;
}

/** The range of a text; live if it is not valid. */
export function readRange(text) {
  if (RANGES.includes(text)) return text;
  const match = /^(\d{12,14})-(\d{12,14})$/.exec(text ?? "");
  const [from, to] = match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
  return to > from ? { from, to } : "live";
}

/** A selection by its ends, widened around its middle to the minimum, and not later than now. */
export function selectionBetween(from, to, now) {
  const missing = Math.max(0, SELECTION_MIN_MS - (to - from)) / 2;
  const end = Math.min(Math.ceil((to + missing) / MINUTE_MS) * MINUTE_MS, now);
  const begin = Math.floor((from - missing) / MINUTE_MS) * MINUTE_MS;
  return { from: Math.min(begin, end - SELECTION_MIN_MS), to: Math.round(end) };
}

/** The width of a point of a range. */
export function stepOf(range) {
  if (typeof range === "string") return NAMED[range]?.step ?? MINUTE_MS;
  return STEPS.find((step) => (range.to - range.from) / step <= POINTS_ENOUGH) ?? STEPS.at(-1);
}

/** The params of a request for the history of a range; live is shown on top of an hour. */
export function queryOf(range) {
  if (typeof range === "string") return { timeRange: range === "live" ? "hour" : range };
  return { from: String(range.from), to: String(range.to), step: String(stepOf(range) / 1000) };
}

/** Starts of the points of a named range at `now`, the last one running. */
export function timesOf(range, now) {
  const { step, points } = NAMED[range];
  const last = Math.floor(now / step) * step;
  return Array.from({ length: points }, (_, index) => last - (points - 1 - index) * step);
}
