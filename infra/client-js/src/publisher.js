// A publisher: the conversation with the service over one connection after the other. Nothing is thrown into its host.

"use strict";

const { isDate } = require("node:util/types");

const { backoffMs } = require("./backoff.js");
const { ReportClock } = require("./clock.js");
const { unwatchExit, watchExit } = require("./exit.js");
const { PROCESS } = require("./host.js");
const { documentOf, messageOf, readMessage, readRejection } = require("./message.js");
const { readOptions } = require("./options.js");
const { Outbox } = require("./outbox.js");
const { Problems } = require("./problems.js");

const DOCUMENT_BYTES_MAX = 14 * 1024;
/** 9999-12-30, the service's last instant. */
const TIMESTAMP_MAX = 253_402_128_000_000;
/** A connection that lasted this long was no failure, even if nothing was acknowledged. */
const STABLE_MS = 30_000;
/** The access of the app's key may come back: the frame is kept, and the handshake repeated. */
const ACCESS_CODES = ["unauthorized", "forbidden", "app_inactive"];
/** @type {Record<number, string>} What the service means by the status of a handshake: docs/PROTOCOL.md, "Connecting". */
const STATUSES = {
  401: ": the key is wrong or was revoked",
  403: ": the app is switched off, or the address is wrong",
  429: ": the app has its maximum of connections",
};
const RETRY_AFTER_MAX_MS = 900_000;
/** How long a flush may take, unless the caller gives a time. */
const FLUSH_MS = 5_000;
const FLUSH_MAX_MS = 600_000;
/** The event loop empties again after a flush at the exit, which must not lead to the next one. */
const EXIT_AGAIN_MS = 10_000;

class Publisher {
  #process;
  #settings;
  #clock;
  #outbox;
  /** @type {ReturnType<typeof PROCESS.openSocket> | null} */
  #socket = null;
  #isOpen = false;
  /** Whether the service answered a frame on this connection. */
  #isAnswered = false;
  #openedAt = 0;
  #lastSentAt = 0;
  /** @type {number | null} */
  #pingedAt = null;
  /** Connections in a row that were of no use, and rejections in a row that name no time. */
  #failures = 0;
  #rejections = 0;
  #connectAt = 0;
  /** @type {ReturnType<typeof PROCESS.startTimer> | null} */
  #timer = null;
  #timerAt = Infinity;
  /** @type {Set<() => void>} */
  #flushes = new Set();
  /** @type {Promise<object> | null} */
  #closing = null;
  #isClosed = false;
  #exitFlushedAt = -Infinity;
  #exiting = { beforeExit: this.#guard(() => this.#flushAtExit()), exit: this.#guard(() => this.#exit()) };
  #problems;
  #counts = { connections: 0, failedConnections: 0, sentFrames: 0, resentFrames: 0, ignoredFrames: 0 };

  /**
   * @param {unknown} options
   * @param {Partial<typeof PROCESS>} [replaced]
   */
  constructor(options, replaced) {
    this.#process = { ...PROCESS, ...replaced };
    const { settings, faults } = readOptions(options);
    this.#settings = settings;
    const { onProblem = this.#process.warn } = settings;
    this.#problems = new Problems(onProblem, this.#process.wallMs);
    this.#clock = new ReportClock(this.#process);
    this.#outbox = new Outbox(settings, this.#clock, (code, message, count) => this.#problems.add(code, message, count));
    if (faults.length > 0) this.#problems.add("bad_option", faults.join("; "));
    if (settings.url === null) return;
    watchExit(this.#exiting);
    this.#guard(() => this.#step())();
  }

  /**
   * @param {unknown} metrics
   * @param {{timestamp?: unknown} | null} [options]
   */
  report(metrics, options) {
    this.#outbox.emitted += 1;
    let isBuffered = false;
    try {
      isBuffered = this.#buffer(metrics, options?.timestamp);
    } catch (error) {
      this.#outbox.lose("invalid", 1, `metrics cannot be written as JSON: ${messageOf(error)}`);
    }
    if (isBuffered) this.#guard(() => this.#step())();
    return isBuffered;
  }

  /**
   * @param {unknown} metrics
   * @param {unknown} timestamp
   */
  #buffer(metrics, timestamp) {
    const lose = (/** @type {string} */ reason, /** @type {string} */ message) => {
      this.#outbox.lose(reason, 1, message);
      return false;
    };
    if (this.#settings.url === null) return lose("misconfigured", "url, appId or apiKey is wrong: nothing is sent");
    if (this.#closing !== null) return lose("closed", "the publisher is closed");
    const document = typeof metrics === "object" ? documentOf(metrics) : undefined;
    if (!document?.startsWith("{")) return lose("invalid", "metrics must be an object");
    const bytes = Buffer.byteLength(document);
    if (bytes > DOCUMENT_BYTES_MAX) return lose("too_large", `metrics has ${bytes} bytes, at most ${DOCUMENT_BYTES_MAX} are accepted`);
    const at = isDate(timestamp) ? timestamp.getTime() : (timestamp ?? null);
    if (at !== null && !(typeof at === "number" && at >= 0 && at < TIMESTAMP_MAX)) {
      return lose("invalid", "timestamp must be a Date or milliseconds since 1970");
    }
    return this.#outbox.add(document, at && Math.floor(at), this.#process.now());
  }

  /**
   * Whether all that is buffered now was answered within this time.
   * @param {unknown} [timeoutMs]
   * @returns {Promise<boolean>}
   */
  flush(timeoutMs) {
    return new Promise((resolve) => {
      this.#outbox.seal();
      const { nextId } = this.#outbox;
      const isThrough = () => this.#outbox.oldestId >= nextId;
      const end = () => {
        this.#flushes.delete(check);
        this.#process.stopTimer(timer);
        resolve(isThrough());
      };
      const check = () => void ((isThrough() || this.#isClosed) && end());
      // An awaited promise that never settles would end the process, so this timer holds it.
      const timer = this.#process.startTimer(end, readTimeout(timeoutMs));
      this.#flushes.add(check);
      this.#guard(() => this.#step())();
      check();
    });
  }

  /** @param {unknown} [timeoutMs] */
  close(timeoutMs) {
    this.#closing ??= this.flush(timeoutMs).then(() => {
      this.#guard(() => this.#finish())();
      return this.stats();
    });
    return this.#closing;
  }

  #finish() {
    this.#isClosed = true;
    this.#outbox.discard("closed");
    this.#schedule(Infinity);
    unwatchExit(this.#exiting);
    this.#isOpen = false;
    this.#socket?.close();
    this.#socket = null;
  }

  stats() {
    const { emitted, stored, buffered, bufferedBytes, lost } = this.#outbox;
    const lostTotal = Object.values(lost).reduce((sum, count) => sum + count, 0);
    const { source } = this.#settings;
    const reports = { emitted, stored, buffered, bufferedBytes, lostTotal, lost };
    const clock = { clockSkewMs: this.#clock.skewMs(), correctedTimestamps: this.#clock.corrected };
    return { state: this.#state(), source, ...reports, ...clock, ...this.#counts, problems: this.#problems.list() };
  }

  #state() {
    if (this.#settings.url === null) return "misconfigured";
    if (this.#isClosed) return "closed";
    if (this.#socket === null) return "waiting";
    return this.#isOpen ? "open" : "connecting";
  }

  /** Does what is due, and sets the timer for what is due next. */
  #step() {
    if (this.#isClosed || this.#settings.url === null) return;
    const now = this.#process.now();
    if (this.#socket === null) {
      if (now >= this.#connectAt) this.#connect(now, this.#settings.url);
    } else if (now >= this.#answerDueAt()) {
      this.#socket.destroy(this.#isOpen ? "the service does not answer" : "the handshake was not answered");
    }
    if (this.#isOpen && this.#clock.isDoubtful) this.#socket?.destroy("");
    if (this.#isOpen) this.#send(now);
    for (const check of this.#flushes) check();
    this.#schedule(this.#dueAt());
  }

  /** When the connection counts as dead. */
  #answerDueAt() {
    const { connectTimeoutMs, ackTimeoutMs } = this.#settings;
    if (!this.#isOpen) return this.#openedAt + connectTimeoutMs;
    return Math.min(this.#outbox.waitingSince(), this.#pingedAt ?? Infinity) + ackTimeoutMs;
  }

  #dueAt() {
    if (this.#socket === null) return this.#connectAt;
    if (!this.#isOpen) return this.#answerDueAt();
    const pingAt = this.#pingedAt === null ? this.#lastSentAt + this.#settings.pingMs : Infinity;
    return Math.min(this.#answerDueAt(), this.#outbox.dueAt(), pingAt);
  }

  /** @param {number} at */
  #schedule(at) {
    if (at === this.#timerAt) return;
    if (this.#timer !== null) this.#process.stopTimer(this.#timer);
    this.#timer = null;
    this.#timerAt = at;
    if (at === Infinity || this.#isClosed) return;
    const run = this.#guard(() => {
      this.#timer = null;
      this.#timerAt = Infinity;
      this.#step();
    });
    this.#timer = this.#process.startTimer(run, Math.max(1, Math.ceil(at - this.#process.now())));
    this.#timer.unref();
  }

  /**
   * @param {number} now
   * @param {URL} url
   */
  #connect(now, url) {
    this.#openedAt = now;
    this.#isAnswered = false;
    this.#pingedAt = null;
    const isCurrent = () => this.#socket === socket && !this.#isClosed;
    /** @type {ReturnType<typeof PROCESS.openSocket> | null} */
    let socket = null;
    try {
      socket = this.#process.openSocket(url, this.#settings.apiKey, {
        opened: this.#guard((date) => isCurrent() && this.#opened(date)),
        received: this.#guard((text) => isCurrent() && this.#received(text)),
        ended: this.#guard((ended) => isCurrent() && this.#ended(ended)),
      });
      this.#socket = socket;
    } catch (error) {
      this.#ended({ reason: messageOf(error), status: null, closeCode: null, retryAfterMs: null });
    }
  }

  /** @param {string | undefined} date Of the handshake's answer. */
  #opened(date) {
    const now = this.#process.now();
    if (this.#clock.synchronise(date, now - this.#openedAt)) {
      this.#problems.add("clock", "the clock differs from the service's: timestamps are corrected");
    }
    this.#isOpen = true;
    this.#openedAt = now;
    this.#lastSentAt = now;
    this.#counts.connections += 1;
    this.#step();
  }

  /** @param {import("./socket.js").Ended} ended */
  #ended({ reason, status, closeCode, retryAfterMs }) {
    const now = this.#process.now();
    const isSilent = now >= this.#answerDueAt();
    const wasUseful = this.#isOpen && !isSilent && (this.#isAnswered || now - this.#openedAt >= STABLE_MS);
    if (!this.#isOpen) this.#counts.failedConnections += 1;
    this.#socket = null;
    this.#isOpen = false;
    this.#outbox.disconnected(closeCode);
    this.#failures = wasUseful ? 0 : this.#failures + 1;
    this.#connectAt = now + Math.max(this.#backoff(this.#failures), Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS));
    const meaning = STATUSES[status ?? 0] ?? "";
    if (!wasUseful && reason !== "") this.#problems.add(status === null ? "connection" : "handshake", reason + meaning);
    this.#step();
  }

  /** @param {number} failures */
  #backoff(failures) {
    const { reconnectMinMs: minMs, reconnectMaxMs: maxMs } = this.#settings;
    return backoffMs(failures, { minMs, maxMs }, this.#process.random());
  }

  /** @param {number} now */
  #send(now) {
    for (let frame = this.#outbox.next(now); frame !== null; frame = this.#outbox.next(now)) {
      this.#counts.sentFrames += 1;
      if (frame.attempts > 0) this.#counts.resentFrames += 1;
      this.#outbox.sent(frame, now);
      this.#lastSentAt = now;
      this.#socket?.send(frame.text);
    }
    if (this.#pingedAt === null && now - this.#lastSentAt >= this.#settings.pingMs) {
      this.#pingedAt = now;
      this.#lastSentAt = now;
      this.#socket?.send('{"type":"ping"}');
    }
  }

  /** @param {string} text */
  #received(text) {
    const { type, payload, fault } = readMessage(text);
    if (type === "pong") this.#pingedAt = null;
    const isAnswer = (type === "ack" && this.#acknowledged(payload)) || (type === "error" && this.#refused(payload));
    const isUsed = type === "pong" || isAnswer || (fault !== null && this.#failed(fault));
    if (!isUsed) this.#counts.ignoredFrames += 1;
    this.#step();
  }

  /**
   * Returns whether the acknowledgement is one of a frame that waits for it.
   * @param {Record<string, unknown>} payload
   */
  #acknowledged({ id, accepted, rejected }) {
    const frame = this.#outbox.awaiting(id);
    if (frame === null || !Array.isArray(rejected)) return false;
    /** @type {Map<number, import("./message.js").Rejection>} */
    const rejections = new Map(rejected.map((entry) => [entry?.index, readRejection(entry)]));
    const isComplete = accepted === frame.count - rejections.size;
    const isInRange = [...rejections.keys()].every((index) => Number.isInteger(index) && index >= 0 && index < frame.count);
    if (!isComplete || !isInRange) return false;
    this.#isAnswered = true;
    if (this.#outbox.answered(frame, rejections)) this.#rejections = 0;
    else this.#pause(frame, [...rejections.values()].filter((rejection) => rejection.retryable));
    return true;
  }

  /**
   * Returns whether the rejection is one of a frame that waits for an answer.
   * @param {Record<string, unknown>} payload
   */
  #refused(payload) {
    const rejection = readRejection(payload);
    const frame = this.#outbox.awaiting(payload.id);
    if (frame === null) {
      this.#problems.add(rejection.code, rejection.message);
      return false;
    }
    if (ACCESS_CODES.includes(rejection.code)) {
      this.#problems.add(rejection.code, rejection.message);
      this.#outbox.postpone([frame]);
      this.#isAnswered = false;
      this.#socket?.destroy("");
      return true;
    }
    this.#isAnswered = true;
    if (rejection.retryable) {
      this.#outbox.postpone([frame]);
      this.#pause(frame, [rejection]);
    } else {
      this.#outbox.rejected(frame, rejection);
    }
    return true;
  }

  /**
   * An answer that names no frame: all that wait for theirs are sent again, unless they get it meanwhile.
   * @param {string} message
   */
  #failed(message) {
    const [frame] = this.#outbox.unanswered();
    if (frame === undefined) return false;
    this.#pause(frame, [{ code: "unavailable", message, retryable: true, retryAfterMs: 0 }]);
    return true;
  }

  /**
   * @param {import("./outbox.js").Frame} frame
   * @param {import("./message.js").Rejection[]} rejections
   */
  #pause(frame, rejections) {
    const [{ code, message }] = rejections;
    const asked = Math.max(...rejections.map((rejection) => rejection.retryAfterMs));
    const waitMs = asked > 0 ? asked : this.#backoff(this.#rejections);
    if (asked === 0) this.#rejections += 1;
    this.#outbox.pause(frame, code, waitMs, this.#process.now());
    this.#problems.add(code, message);
  }

  /** What an open connection takes is still sent; nothing can wait for its answer. */
  #exit() {
    this.#outbox.seal();
    if (this.#isOpen) this.#send(this.#process.now());
    this.#outbox.discard("exit");
    // What later listeners report is lost too.
    void this.close(0);
  }

  #flushAtExit() {
    const now = this.#process.now();
    const { exitFlushMs } = this.#settings;
    if (this.#outbox.buffered === 0 || now - this.#exitFlushedAt < exitFlushMs + EXIT_AGAIN_MS) return;
    this.#exitFlushedAt = now;
    void this.flush(exitFlushMs);
  }

  /**
   * A function that throws nothing: a fault of this package costs the connection, not the host.
   * @template {unknown[]} Args
   * @param {(...args: Args) => unknown} run
   */
  #guard(run) {
    return (/** @type {Args} */ ...args) => {
      try {
        run(...args);
      } catch (error) {
        this.#problems.add("internal", messageOf(error));
      }
    };
  }
}

/** @param {unknown} timeoutMs */
function readTimeout(timeoutMs) {
  return typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= FLUSH_MAX_MS ? timeoutMs : FLUSH_MS;
}

/**
 * Starts a publisher. Whatever it is given, it throws nothing; the functions need no `this`.
 * @param {unknown} options
 * @param {Partial<typeof PROCESS>} [replaced]
 */
function startPublisher(options, replaced) {
  const publisher = new Publisher(options, replaced);
  return Object.freeze({
    report: publisher.report.bind(publisher),
    flush: publisher.flush.bind(publisher),
    close: publisher.close.bind(publisher),
    stats: publisher.stats.bind(publisher),
  });
}

module.exports = { startPublisher };
