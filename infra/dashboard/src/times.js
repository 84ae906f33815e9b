// Formats instants in the time zone of the viewer.

import { language, t } from "./language.js";
import { duration } from "./units.js";

const DAY_MS = 86_400_000;
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

/** Labels of a time axis with marks `increment` seconds apart; midnight is labelled with the day. */
export function axisLabels(seconds, increment) {
  const style = increment < 60 ? "second" : increment < 86_400 ? "minute" : "day";
  return seconds.map((second) => {
    const date = new Date(second * 1000);
    const isMidnight = style === "minute" && date.getHours() === 0 && date.getMinutes() === 0;
    return timeText(date, isMidnight ? "day" : style);
  });
}
