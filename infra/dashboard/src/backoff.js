// The delay before reconnecting: exponential with jitter, so that not all viewers reconnect to a restarted service at once.

const SHORTEST_MS = 500;
const LONGEST_MS = 30_000;
const DOUBLINGS_MAX = 6;

/** The delay after `failures` failures in a row; `fraction` (0 to 1) selects it between the shortest and the ceiling. */
export function wait(failures, fraction) {
  const ceiling = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** (1 + Math.min(failures, DOUBLINGS_MAX)));
  return SHORTEST_MS + (ceiling - SHORTEST_MS) * Math.min(1, Math.max(0, fraction));
}
