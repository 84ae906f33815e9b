// What the upgrade counts, over all sockets of the library in this process.

"use strict";

const { PROCESS } = require("./host.js");
const { Problems, emitWarning } = require("./problems.js");

/** @typedef {"overflow" | "expired" | "too_large" | "rejected" | "closed" | "exit"} Reason Why a frame is lost. */

class Figures {
  sockets = 0;
  emitted = 0;
  sent = 0;
  buffered = 0;
  bufferedBytes = 0;
  duplicates = 0;
  connections = 0;
  failedConnections = 0;
  admissions = 0;
  /** @type {Record<Reason, number>} */
  #lost = { overflow: 0, expired: 0, too_large: 0, rejected: 0, closed: 0, exit: 0 };
  // Each problem is printed once; `stats` has how often it occurred.
  #problems = new Problems((/** @type {import("./problems.js").Problem} */ problem) => problem.count === 1 && emitWarning(problem), PROCESS.wallMs);

  /**
   * @param {Reason} reason
   * @param {number} [count]
   */
  lose(reason, count = 1) {
    this.#lost[reason] += count;
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  problem(code, message) {
    this.#problems.add(code, message);
  }

  get counts() {
    const { sockets, emitted, sent, buffered, bufferedBytes, duplicates, connections, failedConnections, admissions } = this;
    const lostTotal = Object.values(this.#lost).reduce((sum, count) => sum + count, 0);
    const problems = this.#problems.list();
    return { sockets, emitted, sent, buffered, bufferedBytes, lostTotal, lost: { ...this.#lost }, duplicates, connections, failedConnections, admissions, problems };
  }
}

module.exports = { Figures };
