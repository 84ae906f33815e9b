// When reports were made: by the host's clock, or by the service's if the two are far apart, as a handshake shows.
// Instants are taken on a steady clock, which is never set and counts the time that the machine sleeps.

"use strict";

const { parse } = Date;
/** A host's clock that is off by at most this is used as it is. */
const TOLERANCE_MS = 10_000;
/** A `Date` header has whole seconds. */
const DATE_MS = 1_000;
/** The host's clock jumped if it moved by this more than the steady one; the uptime has whole seconds on some systems. */
const JUMP_MS = 2_000;

/**
 * @typedef {object} Instant
 * @property {number} at On the steady clock; since 1970 if `offset` is NaN.
 * @property {number} offset From the steady clock to the host's; NaN once it is decided which clock counts.
 */

class ReportClock {
  #process;
  #sleptMs = 0;
  #uptimeOffset;
  #offset = -Infinity;
  /** From the steady clock to the service's; NaN if no handshake shows it. */
  #serviceOffset = NaN;
  #newest = -Infinity;
  /** Whether the host's clock jumped ahead since the handshake: it was set, or the machine, a virtual one, was paused. */
  isDoubtful = false;
  /** Reports whose timestamp is the service's. */
  corrected = 0;

  /** @param {{now: () => number, wallMs: () => number, uptimeMs: () => number}} process */
  constructor(process) {
    this.#process = process;
    this.#uptimeOffset = process.uptimeMs() - process.now();
    this.#read();
  }

  /** The steady clock. */
  #read() {
    const { now, wallMs, uptimeMs } = this.#process;
    const wall = wallMs();
    const hasJumped = () => wall - now() - this.#sleptMs - this.#offset >= JUMP_MS;
    if (hasJumped()) this.#sleptMs = Math.max(this.#sleptMs, uptimeMs() - now() - this.#uptimeOffset) || 0;
    if (hasJumped()) {
      this.isDoubtful ||= this.#serviceOffset === this.#serviceOffset;
      this.#serviceOffset = NaN;
    }
    const steady = Math.floor(now() + this.#sleptMs);
    const offset = wall - steady;
    // A clock that is set back a little is followed once it is past the last instant, so that no instant is used twice.
    if (offset > this.#offset || offset < this.#offset - TOLERANCE_MS) this.#offset = offset;
    return steady;
  }

  /**
   * The instant of a report that is made now.
   * The service takes the same document at the same instant for one report, so no two have the same.
   * @returns {Instant}
   */
  next() {
    const steady = this.#read();
    const isAhead = steady <= this.#newest && this.#newest - steady < TOLERANCE_MS;
    this.#newest = isAhead ? this.#newest + 1 : steady;
    const instant = { at: this.#newest, offset: this.#offset };
    return this.#serviceOffset === this.#serviceOffset ? { at: this.decide(instant), offset: NaN } : instant;
  }

  /** Milliseconds since 1970. */
  now() {
    return this.timestampOf({ at: this.#read(), offset: this.#offset });
  }

  /** @param {Instant} instant */
  timestampOf({ at, offset }) {
    return at + ((this.#isOff(offset) ? this.#serviceOffset : offset) || 0);
  }

  /**
   * The timestamp of a report, for good.
   * @param {Instant} instant
   */
  decide(instant) {
    if (this.#isOff(instant.offset)) this.corrected += 1;
    return this.timestampOf(instant);
  }

  /** @param {number} offset */
  #isOff(offset) {
    return Math.abs(offset - this.#serviceOffset) > TOLERANCE_MS;
  }

  /** How far the host's clock is ahead of the service's, if a handshake showed it. */
  skewMs() {
    this.#read();
    const skewMs = this.#offset - this.#serviceOffset;
    return skewMs === skewMs ? skewMs : null;
  }

  /**
   * Takes the service's time from the answer to a handshake, which was written at any time of it.
   * Returns whether the host's clock is off.
   * @param {string | undefined} date Of the answer.
   * @param {number} tookMs
   */
  synchronise(date, tookMs) {
    const dateMs = parse(String(date));
    const offset = Math.round(dateMs + (DATE_MS + tookMs) / 2) - this.#read();
    this.isDoubtful = false;
    if (Math.abs(this.#offset - offset) <= TOLERANCE_MS + tookMs / 2) this.#serviceOffset = this.#offset;
    // That two measurements of the same clock differ moves no report.
    else if (dateMs && !(Math.abs(this.#serviceOffset - offset) <= 2 * DATE_MS)) this.#serviceOffset = offset;
    return this.#isOff(this.#offset);
  }
}

module.exports = { ReportClock };
