// How long to wait before dialling again: exponential with jitter, so that a service that restarts is not met by all its
// viewers in the same instant.

const SHORTEST_MS = 500;
const LONGEST_MS = 30_000;
/** More would overflow no number, but mean nothing. */
const DOUBLINGS_MAX = 6;

/** The wait after `failures` failures in a row; `fraction`, from 0 to 1, places it between the shortest and the ceiling. */
export function wait(failures, fraction) {
  const ceiling = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** (1 + Math.min(failures, DOUBLINGS_MAX)));
  return SHORTEST_MS + (ceiling - SHORTEST_MS) * Math.min(1, Math.max(0, fraction));
}
