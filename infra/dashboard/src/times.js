// Formats instants in the time zone of the viewer.

import { language, t } from "./language.js";
import { DAY_S, duration } from "./units.js";

const DAY_MS = DAY_S * 1000;
/** Days of a month, as uPlot counts them. */
const MONTH_DAYS = 30;
/** A mark closer to the one before than this part of the distance is left out, unless it begins a day. */
const NEAR = 0.7;
/** Less than this ago is "just now". */
const NOW_MS = 5_000;

const styles = {
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  minute: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
  full: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
};
const timeFormats = new Map();

export function timeText(ms, style) {
  const key = language() + style;
  if (!timeFormats.has(key)) timeFormats.set(key, new Intl.DateTimeFormat(language(), { hourCycle: "h23", ...styles[style] }));
  return timeFormats.get(key).format(ms);
}

/** The time of a point: with seconds, minutes or the day, depending on its width and age. */
export function pointText(ms, step) {
  if (step < 60_000) return timeText(ms, "second");
  return timeText(ms, Date.now() - ms < DAY_MS / 2 && step < DAY_MS ? "minute" : "full");
}

export function agoText(ms) {
  return ms < NOW_MS ? t("just") : t("ago", { t: duration(Math.round(ms / 1000)) });
}

/**
 * The marks of a time axis from one second to another: round times of the viewer's clock `increment` seconds apart, and
 * the first instant of each day. That is not midnight where the clock is put forward at midnight, and days may have 23 or
 * 25 hours, or be left out.
 */
export function axisMarks(from, to, increment) {
  const marks = [];
  const last = () => marks.at(-1) ?? -Infinity;
  if (increment >= DAY_S) {
    const first = new Date(from * 1000);
    for (let day = first.getDate(); ; day += 1) {
      const date = new Date(first.getFullYear(), first.getMonth(), day);
      const second = date / 1000;
      if (second > to) return marks;
      if (second >= from && second > last() && isRoundDay(date, increment / DAY_S)) marks.push(second);
    }
  }
  // Every offset from UTC is a multiple of a quarter of an hour.
  const step = increment === 600 ? 300 : Math.min(increment, 900);
  for (let second = Math.ceil(from / step) * step; second <= to; second += step) {
    const date = new Date(second * 1000);
    const isStart = isDayStart(date);
    if (!isStart && (date.getHours() * 3600 + date.getMinutes() * 60 + date.getSeconds()) % increment !== 0) continue;
    if (second - last() < NEAR * increment) {
      if (!isStart) continue;
      marks.pop();
    }
    marks.push(second);
  }
  return marks;
}

/** Whether a day has a mark if these are `days` apart, or as many months as those are. */
function isRoundDay(date, days) {
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
  if (days < MONTH_DAYS) return (Date.UTC(year, month, day) / DAY_MS) % days === 0;
  return day === 1 && (year * 12 + month) % Math.floor(days / MONTH_DAYS) === 0;
}

function isDayStart(date) {
  return date.getTime() === new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Labels of a time axis with marks `increment` seconds apart; the first instant of a day is labelled with the day. */
export function axisLabels(seconds, increment) {
  const style = increment < 60 ? "second" : increment < DAY_S ? "minute" : "day";
  return seconds.map((second) => {
    const date = new Date(second * 1000);
    return timeText(date, style === "minute" && isDayStart(date) ? "day" : style);
  });
}
