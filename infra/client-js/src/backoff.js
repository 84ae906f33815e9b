// The delay before the next attempt, so that neither one client nor thousands of them burden a service that is down.

"use strict";

/**
 * A delay that doubles with each failure, of which half is random.
 * @param {number} failures In a row.
 * @param {{minMs: number, maxMs: number}} bounds
 * @param {number} random From 0 to 1.
 */
function backoffMs(failures, { minMs, maxMs }, random) {
  return Math.min(maxMs, minMs * 2 ** failures) * (0.5 + random / 2);
}

module.exports = { backoffMs };
