// Rates of counters per second, between two reports of a source or two points of history. A counter that was reset has no
// rate until it grows again.

/** Relative difference of the counts of two points that means that a source came or went, so that the average jumps. */
const COUNT_DIFFERS = 0.1;

/** The rate between two samples `{at, value}` of one source, or null. */
export function rateBetween(before, after) {
  if (before === undefined || after.at <= before.at || after.value < before.value) return null;
  return (after.value - before.value) / ((after.at - before.at) / 1000);
}

/**
 * The average rates per source of a column of history: the growth of the average from the middle of a point to the
 * middle of the next. `spanOf(index)` is how many milliseconds of that point have passed.
 */
export function ratesOfColumn({ avg, min, max, count }, spanOf, isOneSource) {
  const rates = avg.map(() => null);
  let wasReset = false;
  for (let index = 1; index < avg.length; index += 1) {
    if (avg[index] === null || avg[index - 1] === null) {
      wasReset = false;
      continue;
    }
    const restarts = isOneSource && min[index] < max[index - 1];
    const comesOrGoes = !isOneSource && differs(count[index - 1] / spanOf(index - 1), count[index] / spanOf(index));
    const apart = (spanOf(index - 1) + spanOf(index)) / 2000;
    const grown = avg[index] - avg[index - 1];
    if (!restarts && !comesOrGoes && !wasReset && grown >= 0 && apart > 0) rates[index] = grown / apart;
    // The average of a point with a reset mixes values before and after it.
    wasReset = restarts;
  }
  return rates;
}

function differs(before, after) {
  return Math.abs(after - before) > COUNT_DIFFERS * Math.max(before, after);
}
