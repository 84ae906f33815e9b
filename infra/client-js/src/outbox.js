// The reports that have no final answer: batches, their bounds, acknowledgements, losses. Touches no socket.
// A frame is sent again unchanged until each of its reports is stored or lost: the service stores a report once.
// Its text is written when it is first sent, because before the first connection the service's time is not known.

"use strict";

/** Most frames that wait for an acknowledgement at a time. */
const WINDOW_MAX = 4;
/** What a frame takes besides its reports: about this much memory, and fewer bytes on the wire. */
const ENVELOPE_BYTES = 512;
const FULL = "the buffer is full: reports were dropped";
/** A report is late if its minute ended this long ago: docs/PROTOCOL.md, "Rates". The service then counts it separately. */
const LATE_MS = 5 * 60_000;
const MINUTE_MS = 60_000;
/** No pause is longer: the service asks for at most 13 minutes. */
const PAUSE_MAX_MS = 15 * 60_000;
/** No timestamp has more digits. */
const TIMESTAMP_MAX = 1e14;
/** @type {unknown[]} Close codes that a frame itself causes. */
const REFUSING_CODES = [1003, 1007, 1009];
/** How often a frame may be open when that happens. */
const STRIKES_MAX = 3;
/** Most different reasons of losses that are counted; a service has 13. */
const REASONS_MAX = 40;
/** Reasons that do not show whether an earlier, unanswered attempt was stored. */
const INCONCLUSIVE = ["overflow", "closed", "exit", "timestamp_out_of_range", "unauthorized", "forbidden", "app_inactive"];

/** @typedef {import("./clock.js").Instant & {document: string, bytes: number}} Report */

/**
 * @typedef {object} Frame
 * @property {number} id
 * @property {Report[]} reports Empty once it was sent.
 * @property {string} text Empty until it is sent.
 * @property {number} count Reports in it.
 * @property {number} bytes
 * @property {number} at Of its first report, as `offset`.
 * @property {number} offset
 * @property {number[]} stored Indexes of the reports that are known to be stored.
 * @property {number | null} sentAt When it was sent, while it waits for its answer.
 * @property {number} attempts
 * @property {boolean} isUncertain An attempt of it was never answered.
 * @property {number} strikes
 */

/** @typedef {import("./message.js").Rejection} Rejection */

class Outbox {
  /** @type {Map<number, Frame>} Frames to send, in the order of their ids. */
  #waiting = new Map();
  /** @type {Map<number, Frame>} Frames that wait for their answers. */
  #inFlight = new Map();
  /** @type {Report[]} The batch that is being filled. */
  #batch = [];
  #batchBytes = 0;
  #batchSince = 0;
  #frameBytes = 0;
  /** Frames with strikes: they are sent one at a time, so that the one that closes connections is found. */
  #suspects = 0;
  /** Frames that may wait at a time: one after a pause, and one more with each that is through. */
  #window = WINDOW_MAX;
  #pausedUntil = 0;
  #latePausedUntil = 0;
  #settings;
  #clock;
  #prefix;
  #reportBytes;
  #onLoss;
  /** @type {Map<string, number>} */
  #lost = new Map(["invalid", "too_large", "overflow", "unconfirmed", "transport", "misconfigured", "closed", "exit"].map((reason) => [reason, 0]));
  nextId = 1;
  emitted = 0;
  stored = 0;
  buffered = 0;

  /**
   * @param {import("./options.js").Settings} settings
   * @param {import("./clock.js").ReportClock} clock
   * @param {(reason: string, message: string, count: number) => void} onLoss
   */
  constructor(settings, clock, onLoss) {
    this.#settings = settings;
    this.#clock = clock;
    this.#prefix = `{"appId":"${settings.appId}","source":"${settings.source}","timestamp":`;
    this.#reportBytes = textOf(this.#prefix, TIMESTAMP_MAX, "").length + 1;
    this.#onLoss = onLoss;
  }

  get bufferedBytes() {
    return this.#frameBytes + this.#batchBytes;
  }

  get lost() {
    return Object.fromEntries(this.#lost);
  }

  /**
   * Counts reports as lost that never were in the buffer, or no longer are.
   * @param {string} reason
   * @param {number} count
   * @param {string} message
   */
  lose(reason, count, message) {
    const isNew = !this.#lost.has(reason);
    const name = isNew && (this.#lost.size >= REASONS_MAX || !/^[a-z_]{1,40}$/.test(reason)) ? "other" : reason;
    this.#lost.set(name, (this.#lost.get(name) ?? 0) + count);
    this.#onLoss(name, message, count);
  }

  /**
   * Buffers a report; false if it is lost because everything else waits for an answer.
   * @param {string} document
   * @param {number | null} timestamp Its own timestamp, if it has one.
   * @param {number} now
   */
  add(document, timestamp, now) {
    const instant = timestamp === null ? this.#clock.next() : { at: timestamp, offset: NaN };
    const bytes = Buffer.byteLength(document) + this.#reportBytes;
    if (!this.#makeRoom(bytes + ENVELOPE_BYTES)) {
      this.lose("overflow", 1, FULL);
      return false;
    }
    const { maxBatchReports, maxBatchBytes } = this.#settings;
    const [first] = this.#batch;
    // Late reports have a rate of their own, for which no other report waits.
    const isApart = first !== undefined && this.#isLate(first) !== this.#isLate(instant);
    if (isApart || this.#batchBytes + bytes > maxBatchBytes) this.seal();
    if (this.#batch.length === 0) {
      this.#batchSince = now;
      this.#batchBytes = ENVELOPE_BYTES;
    }
    const { at, offset } = instant;
    this.#batch.push({ at, offset, document, bytes });
    this.#batchBytes += bytes;
    this.buffered += 1;
    if (this.#batch.length >= maxBatchReports) this.seal();
    return true;
  }

  /** @param {number} bytes */
  #makeRoom(bytes) {
    const { maxBufferedReports, maxBufferedBytes } = this.#settings;
    while (this.buffered >= maxBufferedReports || this.bufferedBytes + bytes > maxBufferedBytes) {
      if (!this.#dropOldest()) return false;
    }
    return true;
  }

  #dropOldest() {
    for (const frame of this.#waiting.values()) {
      this.#loseFrame(frame, "overflow", FULL);
      return true;
    }
    const oldest = this.#batch.shift();
    if (oldest === undefined) return false;
    this.#batchBytes = this.#batch.length === 0 ? 0 : this.#batchBytes - oldest.bytes;
    this.buffered -= 1;
    this.lose("overflow", 1, FULL);
    return true;
  }

  /** Ends the batch: it becomes a frame. */
  seal() {
    // A copy, because an array that grows has room for more.
    const reports = this.#batch.slice();
    if (reports.length === 0) return;
    const id = this.nextId;
    this.nextId += 1;
    const [{ at, offset }] = reports;
    const { length: count } = reports;
    const bytes = this.#batchBytes;
    // Literals and not `...`, which takes three times the memory.
    this.#waiting.set(id, { id, reports, text: "", count, bytes, at, offset, stored: [], sentAt: null, attempts: 0, isUncertain: false, strikes: 0 });
    this.#frameBytes += this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
  }

  /** @param {Frame} frame */
  #write(frame) {
    const texts = frame.reports.map((report) => textOf(this.#prefix, this.#clock.decide(report), report.document));
    frame.text = `{"type":"metrics","id":${frame.id},"data":[${texts.join(",")}]}`;
    frame.reports = [];
  }

  /** The frames before an id are through once this is not below it. */
  get oldestId() {
    const [first = Infinity] = this.#waiting.keys();
    return Math.min(first, ...this.#inFlight.keys());
  }

  /**
   * The frame to send now, if there is one.
   * @param {number} now
   */
  next(now) {
    if (now < this.dueAt()) return null;
    const frame = this.#firstReady(now);
    if (frame !== null) return frame;
    // Nothing else is ready, so the batch is due.
    this.seal();
    return this.#firstReady(now);
  }

  /** @param {number} now */
  #firstReady(now) {
    for (const frame of this.#waiting.values()) if (now >= this.#pauseOf(frame)) return frame;
    return null;
  }

  /** When the next frame may be sent. */
  dueAt() {
    if (this.#inFlight.size >= (this.#suspects > 0 ? 1 : this.#window)) return Infinity;
    let due = Infinity;
    for (const frame of this.#waiting.values()) {
      due = Math.min(due, this.#pauseOf(frame));
      if (due === 0) break;
    }
    if (this.#batch.length > 0) due = Math.min(due, this.#batchSince + this.#settings.batchMs);
    return Math.max(due, this.#pausedUntil);
  }

  /** @param {Frame} frame */
  #pauseOf(frame) {
    return this.#latePausedUntil > 0 && this.#isLate(frame) ? this.#latePausedUntil : 0;
  }

  /** @param {import("./clock.js").Instant} instant */
  #isLate(instant) {
    const timestampMs = this.#clock.timestampOf(instant);
    return timestampMs - (timestampMs % MINUTE_MS) + MINUTE_MS + LATE_MS < this.#clock.now();
  }

  /**
   * @param {Frame} frame
   * @param {number} now
   */
  sent(frame, now) {
    if (frame.attempts === 0) this.#write(frame);
    frame.sentAt = now;
    frame.attempts += 1;
    this.#waiting.delete(frame.id);
    this.#inFlight.set(frame.id, frame);
  }

  /** When the frame was sent that waits longest for its answer; Infinity if none does. */
  waitingSince() {
    return Math.min(...[...this.#inFlight.values()].map((frame) => frame.sentAt ?? Infinity));
  }

  /**
   * The frame of this id that was sent and has no final answer. One that is to be sent again may still be answered.
   * @param {unknown} id
   */
  awaiting(id) {
    const key = /** @type {number} */ (id);
    const frame = this.#inFlight.get(key) ?? this.#waiting.get(key);
    return frame?.attempts ? frame : null;
  }

  /**
   * The answer to each report: those that `rejections` lacks are stored, the others lost, unless one of the frame is to
   * be sent again, and all with it. Returns whether the frame is through.
   * @param {Frame} frame
   * @param {Map<number, Rejection>} rejections
   */
  answered(frame, rejections) {
    for (let index = 0; index < frame.count; index += 1) {
      if (rejections.has(index) || frame.stored.includes(index)) continue;
      frame.stored.push(index);
      this.buffered -= 1;
      this.stored += 1;
    }
    const lost = [...rejections].filter(([index]) => !frame.stored.includes(index)).map(([, rejection]) => rejection);
    if (lost.some((rejection) => rejection.retryable)) {
      this.postpone([frame]);
      return false;
    }
    this.#window = Math.min(WINDOW_MAX, this.#window + 1);
    this.#remove(frame);
    this.buffered -= lost.length;
    for (const { code, message } of lost) this.lose(this.#reason(frame, code), 1, message);
    return true;
  }

  /**
   * The whole frame is rejected for good.
   * @param {Frame} frame
   * @param {Rejection} rejection
   */
  rejected(frame, rejection) {
    this.#loseFrame(frame, rejection.code, rejection.message);
  }

  /**
   * These frames, or parts of them, are sent again later.
   * @param {Frame[]} frames
   */
  postpone(frames) {
    for (const frame of frames) {
      frame.sentAt = null;
      this.#inFlight.delete(frame.id);
      this.#waiting.set(frame.id, frame);
    }
    this.#waiting = new Map([...this.#waiting].sort(([one], [other]) => one - other));
  }

  /** Sends again all that waits for an answer. */
  unanswered() {
    const frames = [...this.#inFlight.values()];
    for (const frame of frames) frame.isUncertain = true;
    this.postpone(frames);
    return frames;
  }

  /**
   * Sends nothing for a while: if the rate of late reports is exceeded, no late reports.
   * @param {Frame} frame
   * @param {string} code
   * @param {number} waitMs
   * @param {number} now
   */
  pause(frame, code, waitMs, now) {
    const until = now + Math.min(waitMs, PAUSE_MAX_MS);
    this.#window = 1;
    if (code === "rate_limited" && this.#isLate(frame)) this.#latePausedUntil = until;
    else this.#pausedUntil = until;
  }

  /**
   * The connection is lost: what waits for an answer is sent again.
   * @param {number | null} closeCode
   */
  disconnected(closeCode) {
    for (const frame of this.unanswered()) {
      if (!REFUSING_CODES.includes(closeCode)) continue;
      if (frame.strikes === 0) this.#suspects += 1;
      frame.strikes += 1;
      if (frame.strikes >= STRIKES_MAX) this.#loseFrame(frame, "transport", `a frame closed the connection with ${closeCode}`);
    }
  }

  /**
   * Gives up all that is buffered.
   * @param {"closed" | "exit"} reason
   */
  discard(reason) {
    this.seal();
    this.unanswered();
    for (const frame of this.#waiting.values()) this.#loseFrame(frame, reason, "reports were still buffered");
  }

  /** @param {Frame} frame */
  #remove(frame) {
    this.#inFlight.delete(frame.id);
    this.#waiting.delete(frame.id);
    if (frame.strikes > 0) this.#suspects -= 1;
    this.#frameBytes -= frame.bytes;
  }

  /**
   * @param {Frame} frame
   * @param {string} reason
   * @param {string} message
   */
  #loseFrame(frame, reason, message) {
    this.#remove(frame);
    const count = frame.count - frame.stored.length;
    this.buffered -= count;
    this.lose(this.#reason(frame, reason), count, message);
  }

  /**
   * @param {Frame} frame
   * @param {string} reason
   */
  #reason(frame, reason) {
    return frame.isUncertain && INCONCLUSIVE.includes(reason) ? "unconfirmed" : reason;
  }
}

/**
 * @param {string} prefix
 * @param {number} timestamp
 * @param {string} document
 */
function textOf(prefix, timestamp, document) {
  return `${prefix}${timestamp},"metrics":${document}}`;
}

module.exports = { Outbox };
