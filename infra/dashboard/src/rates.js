// Counters as rates: what grew in a source, per second, between two of its reports, or between two points of history.
// A counter that began anew shows no rate until it has grown again.

/** A source came or went where a point has this much more or less than the one before: its average jumps. */
const COUNT_DIFFERS = 0.1;

/** The rate between two samples `{at, value}` of one source, or null. */
export function rateBetween(before, after) {
  if (before === undefined || after.at <= before.at || after.value < before.value) return null;
  return (after.value - before.value) / ((after.at - before.at) / 1000);
}

/**
 * The rates of a column of history, a source on average: the growth of the averages from the middle of a point to the
 * middle of the next. `spanOf(index)` is how many milliseconds of that point have passed.
 */
export function ratesOfColumn({ avg, min, max, count }, spanOf, isOneSource) {
  const rates = avg.map(() => null);
  let began = false;
  for (let index = 1; index < avg.length; index += 1) {
    if (avg[index] === null || avg[index - 1] === null) {
      began = false;
      continue;
    }
    const restarts = isOneSource && min[index] < max[index - 1];
    const comesOrGoes = !isOneSource && differs(count[index - 1] / spanOf(index - 1), count[index] / spanOf(index));
    const apart = (spanOf(index - 1) + spanOf(index)) / 2000;
    const grown = avg[index] - avg[index - 1];
    if (!restarts && !comesOrGoes && !began && grown >= 0 && apart > 0) rates[index] = grown / apart;
    // The average of the point of a restart is of both lives.
    began = restarts;
  }
  return rates;
}

function differs(before, after) {
  return Math.abs(after - before) > COUNT_DIFFERS * Math.max(before, after);
}
