// Counts problems by their code, and calls the host for the 1st, 2nd, 4th, 8th ... of each, so that an outage of a night
// fills no log.

"use strict";

const HostDate = Date;
const MESSAGE_LENGTH_MAX = 500;
/** Most codes; a service could invent more. */
const CODES_MAX = 60;

/** @typedef {{code: string, message: string, count: number, at: string}} Problem */

class Problems {
  /** @type {Map<string, Problem>} The newest last. */
  #problems = new Map();
  #onProblem;
  #wallMs;

  /**
   * @param {unknown} onProblem The host's callback; nothing is called if it is no function.
   * @param {() => number} wallMs
   */
  constructor(onProblem, wallMs) {
    this.#onProblem = onProblem;
    this.#wallMs = wallMs;
  }

  /**
   * @param {string} code
   * @param {string} message
   * @param {number} [times]
   */
  add(code, message, times = 1) {
    const isCounted = this.#problems.has(code) || this.#problems.size < CODES_MAX;
    const name = isCounted ? code : "other";
    const before = this.#problems.get(name)?.count ?? 0;
    const count = before + times;
    const problem = { code: name, message: printable(message), count, at: new HostDate(this.#wallMs()).toISOString() };
    this.#problems.delete(name);
    this.#problems.set(name, problem);
    if (Math.floor(Math.log2(count)) === Math.floor(Math.log2(before))) return;
    void this.#notify({ ...problem });
  }

  list() {
    return [...this.#problems.values()].map((problem) => ({ ...problem }));
  }

  /** @param {Problem} problem */
  async #notify(problem) {
    try {
      // So that a callback never runs within a call of its own host.
      await null;
      if (typeof this.#onProblem === "function") await this.#onProblem(problem);
    } catch {
      // The host's fault, which must not end the host.
    }
  }
}

/** @param {string} text */
function printable(text) {
  return text.slice(0, MESSAGE_LENGTH_MAX).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, " ");
}

/** @param {Problem} problem */
function emitWarning({ code, message }) {
  process.emitWarning(message, { type: "NslClientWarning", code: `NSL_${code.toUpperCase()}` });
}

module.exports = { Problems, emitWarning };
