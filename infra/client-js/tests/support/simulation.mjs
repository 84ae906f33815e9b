// A simulated clock, network and service, with which hours of a publisher's life take milliseconds.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { startPublisher } = createRequire(import.meta.url)("../../src/publisher.js");

export const START_MS = Date.parse("2026-11-27T12:00:00Z");
export const OPTIONS = { url: "wss://service.example/live", appId: "shop", apiKey: "nehonix@key.nsl", source: "web-1" };

/** Random numbers from 0 to 1 that are the same for the same seed. */
export function randomOf(seed) {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Time that passes only by `advance`. The wall clock can be set apart from it. */
export class Clock {
  now = 0;
  offsetMs = 0;
  /** How long the machine slept, and how long it was paused from outside, which its uptime does not count. */
  sleptMs = 0;
  pausedMs = 0;
  #timers = [];

  get wallMs() {
    return this.trueMs + this.offsetMs;
  }

  /** The service's time. */
  get trueMs() {
    return START_MS + this.now + this.sleptMs + this.pausedMs;
  }

  start(run, ms) {
    const timer = { run, at: this.now + ms, unref: () => {} };
    this.#timers.push(timer);
    return timer;
  }

  stop(timer) {
    this.#timers = this.#timers.filter((one) => one !== timer);
  }

  /** Runs what is due within this time, in order; promises settle only with `settle`. */
  advance(ms) {
    const until = this.now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= until).sort((one, other) => one.at - other.at)[0];
      if (due === undefined) break;
      this.stop(due);
      this.now = Math.max(this.now, due.at);
      due.run();
    }
    this.now = until;
  }
}

/** Lets promises and microtasks run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** One connection as the service sees it. */
class Connection {
  isOpen = false;
  frames = [];
  #listener;
  #clock;

  constructor(listener, clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  /** Accepts the handshake; its answer has the service's time, in whole seconds, unless it is to have no `Date`. */
  open({ hasDate = true } = {}) {
    if (this.#listener === null) return;
    this.isOpen = true;
    this.#listener.opened(hasDate ? new Date(this.#clock.trueMs).toUTCString() : undefined);
  }

  /** Delivers a message after `ms`, if the connection is open by then. */
  deliver(message, ms = 5) {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.#clock.start(() => this.isOpen && this.#listener.received(text), ms);
  }

  end(ended) {
    const isFirst = this.#listener !== null;
    const listener = this.#listener;
    this.isOpen = false;
    this.#listener = null;
    if (isFirst) listener.ended({ reason: "the connection was lost", status: null, closeCode: null, retryAfterMs: null, ...ended });
  }

  ack(id, accepted, rejected = [], ms = 5) {
    this.deliver({ type: "ack", payload: { id, accepted, rejected } }, ms);
  }

  error(payload, ms = 5) {
    this.deliver({ type: "error", payload: { message: "as the test says", retryable: false, ...payload } }, ms);
  }
}

/** A service whose behaviour is `onConnect(connection)` and `onFrame(connection, frame, text)`. */
export class Service {
  connections = [];
  frames = [];
  onConnect = (connection) => connection.open();
  onFrame = (connection, frame) => connection.ack(frame.id, frame.data.length);

  constructor(clock) {
    this.clock = clock;
  }

  get last() {
    return this.connections.at(-1);
  }

  openSocket(url, credential, listener) {
    const connection = new Connection(listener, this.clock);
    Object.assign(connection, { url, credential, at: this.clock.now });
    this.connections.push(connection);
    this.clock.start(() => this.onConnect(connection), 5);
    return {
      send: (text) => {
        const frame = JSON.parse(text);
        this.frames.push({ at: this.clock.now, text, ...frame });
        connection.frames.push(frame);
        if (frame.type === "metrics") this.onFrame(connection, frame, text);
        else this.onOther?.(connection, frame);
      },
      close: () => connection.end(),
      destroy: (reason) => connection.end({ reason }),
    };
  }
}

/** A publisher in a simulated world. */
export function simulate(options = {}, random = () => 0.5, { offsetMs = 0, ...more } = {}) {
  const clock = new Clock();
  clock.offsetMs = offsetMs;
  const service = new Service(clock);
  const warnings = [];
  const replaced = {
    now: () => clock.now,
    wallMs: () => clock.wallMs,
    random,
    startTimer: (run, ms) => clock.start(run, ms),
    uptimeMs: () => clock.now + clock.sleptMs,
    stopTimer: (timer) => clock.stop(timer),
    openSocket: (...args) => service.openSocket(...args),
    warn: (problem) => warnings.push(problem),
    ...more,
  };
  const publisher = startPublisher({ ...OPTIONS, ...options }, replaced);
  return { publisher, clock, service, warnings };
}

/** What must be true of a publisher's figures at any time. */
export function isBalanced({ emitted, stored, buffered, lostTotal, lost }) {
  const sum = Object.values(lost).reduce((total, count) => total + count, 0);
  return sum === lostTotal && emitted === stored + buffered + lostTotal;
}

/** The publisher's figures, which must add up. */
export function figuresOf(publisher) {
  const stats = publisher.stats();
  assert.ok(isBalanced(stats), JSON.stringify(stats));
  return stats;
}

export const rateLimited = (id, retryAfterMs) => ({ id, code: "rate_limited", retryable: true, retryAfterMs });
