// Marks and labels of time axes around every change of a clock in several time zones and twenty years.

import assert from "node:assert/strict";
import { after, test } from "node:test";

const ZONES = [
  "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Havana", "America/Asuncion", "Atlantic/Azores", "Asia/Tehran", "America/St_Johns",
  "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Pyongyang", "Africa/Casablanca", "UTC",
];
const [FIRST_YEAR, LAST_YEAR] = [2010, 2030];
const HOUR_S = 3600;
const DAY_S = 86_400;
const QUARTER_S = 900;
const OWN_ZONE = process.env.TZ;

after(() => {
  if (OWN_ZONE === undefined) delete process.env.TZ;
  else process.env.TZ = OWN_ZONE;
});

/** The module as a page in this time zone has it. */
async function timesIn(zone) {
  process.env.TZ = zone;
  return import(`../../src/times.js?${zone}`);
}

/** Local dates and times of a zone, computed without `Date`. */
function calendarOf(zone) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  return (second) => {
    const [day, month, year, time] = format.format(second * 1000).split(/[/,] ?/);
    return { date: `${year}-${month}-${day}`, time };
  };
}

/** The starts of weeks with a change of the clock in their middle, in UTC seconds; a week without one if there is none. */
function weeksWithChanges(calendar) {
  const weeks = [];
  for (let noon = Date.UTC(FIRST_YEAR, 0, 1, 12) / 1000; noon < Date.UTC(LAST_YEAR, 0, 1) / 1000; noon += DAY_S) {
    if (calendar(noon).time !== calendar(noon + DAY_S).time) weeks.push(noon - 3 * DAY_S);
  }
  return weeks.length > 0 ? weeks : [Date.UTC(2026, 5, 1, 12) / 1000];
}

/** The first instant of each local date in a week. */
function dayStarts(calendar, from, to) {
  const starts = new Map();
  for (let second = from - DAY_S; second <= to; second += QUARTER_S) {
    const { date } = calendar(second);
    if (!starts.has(date)) starts.set(date, second);
  }
  return [...starts.values()].slice(1).filter((second) => second >= from);
}

for (const zone of ZONES) {
  test(`each day is labelled once, at its first instant, in ${zone}`, async () => {
    const { axisLabels, axisMarks, timeText } = await timesIn(zone);
    const calendar = calendarOf(zone);
    for (const from of weeksWithChanges(calendar)) {
      const to = from + 7 * DAY_S;
      const starts = dayStarts(calendar, from, to);
      const days = starts.map((second) => timeText(second * 1000, "day"));
      assert.equal(new Set(days).size, days.length);
      for (const increment of [HOUR_S / 2, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S, DAY_S]) {
        const marks = axisMarks(from, to, increment);
        const labels = axisLabels(marks, increment);
        const around = `${calendar(from).date} every ${increment} s`;
        assert.deepEqual(marks.filter((_, index) => !labels[index].includes(":")), starts, around);
        assert.deepEqual(labels.filter((label) => !label.includes(":")), days, around);
        for (const [index, mark] of marks.entries()) {
          const { time } = calendar(mark);
          if (labels[index].includes(":")) assert.equal(labels[index], time, around);
          if (index === 0) continue;
          const apart = mark - marks[index - 1];
          assert.ok(apart >= 0.7 * increment && (apart <= 2 * increment || increment === DAY_S), `${around}: ${apart} s`);
        }
      }
    }
  });
}

test("marks are at round times of the viewer's clock", async () => {
  const { axisLabels, axisMarks } = await timesIn("Asia/Kathmandu");
  const from = Date.UTC(2026, 5, 1, 15, 7) / 1000;
  assert.deepEqual(axisLabels(axisMarks(from, from + 2400, 600), 600), ["21:00", "21:10", "21:20", "21:30"]);
  assert.deepEqual(axisLabels(axisMarks(from, from + 5 * HOUR_S, HOUR_S), HOUR_S), ["21:00", "22:00", "23:00", "Jun 2", "01:00"]);
  assert.deepEqual(axisLabels(axisMarks(from, from + 30, 15), 15), ["20:52:00", "20:52:15", "20:52:30"]);
});

test("long spans are marked at round days and first days of months", async () => {
  const { axisLabels, axisMarks } = await timesIn("America/Santiago");
  const from = Date.UTC(2026, 7, 20) / 1000;
  assert.deepEqual(axisLabels(axisMarks(from, from + 8 * DAY_S, 2 * DAY_S), 2 * DAY_S), ["Aug 21", "Aug 23", "Aug 25", "Aug 27"]);
  assert.deepEqual(axisLabels(axisMarks(from, from + 100 * DAY_S, 30 * DAY_S), 30 * DAY_S), ["Sep 1", "Oct 1", "Nov 1"]);
  assert.deepEqual(axisLabels(axisMarks(from, from + 400 * DAY_S, 90 * DAY_S), 90 * DAY_S), ["Oct 1", "Jan 1", "Apr 1", "Jul 1"]);
});
