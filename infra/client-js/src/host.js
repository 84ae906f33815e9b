// What a publisher takes from its process.

"use strict";

const { uptime } = require("node:os");
const { performance } = require("node:perf_hooks");
const { clearTimeout, setTimeout } = require("node:timers");

const { emitWarning } = require("./problems.js");
const { Socket } = require("./socket.js");

// Taken when this is loaded, so that the fake clocks and timers of a host's tests stop no publisher.
const { now } = Date;
const { random } = Math;

/** What a publisher takes from its process; tests replace it. */
const PROCESS = {
  now: () => performance.now(),
  wallMs: () => Math.floor(now()) || 0,
  /** Counts the time that the machine sleeps, unlike `now`. */
  uptimeMs: () => {
    try {
      return 1_000 * uptime();
    } catch {
      return NaN;
    }
  },
  random,
  /** @type {(run: () => void, ms: number) => {unref(): unknown}} */
  startTimer: setTimeout,
  /** @type {(timer: any) => void} */
  stopTimer: clearTimeout,
  /** @type {(...args: ConstructorParameters<typeof Socket>) => Pick<Socket, "send" | "close" | "destroy">} */
  openSocket: (...args) => new Socket(...args),
  warn: emitWarning,
};

module.exports = { PROCESS };
