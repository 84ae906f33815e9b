// One socket of the library, and the connection to the service behind it. The library's socket stays open until the
// library closes it; the connection comes and goes, and begins with the library's `auth`, to which the key is added.

"use strict";

const { backoffMs } = require("./backoff.js");
const { messageOf, readMessage, readRejection } = require("./message.js");
const { copiesOf, isHarmless } = require("./upgrade_library.js");
const { Waiting } = require("./upgrade_waiting.js");

/** API Gateway closes a connection for a frame above 32 KB; the service stores nothing that large. */
const FRAME_BYTES_MAX = 32_000;
/** A connection with this much unsent is stuck: frames wait instead. */
const UNSENT_BYTES_MAX = 262_144;
const RECONNECT = { minMs: 1_000, maxMs: 30_000 };
const CONNECT_MS = 10_000;
/** How long the service may take to answer `auth`. */
const ADMIT_MS = 20_000;
/** A connection that lasted this long after its `auth_success` was no failure. */
const STABLE_MS = 10_000;
/** After this time the library is answered here: it sends no report and keeps every log entry until it is. */
const ANSWER_MS = 500;
/** A report after this time carries an id, which the service answers: whether the library still has access. */
const PROBE_MS = 30_000;
/** API Gateway closes a connection that is idle for ten minutes. */
const PING_MS = 300_000;
const PONG_MS = 30_000;
/** The library retries for 20 times 3 s, and its process lives on meanwhile. */
const HOLD_MS = 60_000;
const ACCESS_CODES = ["unauthorized", "forbidden", "app_inactive"];
/** The service's words for a program that has no access: a command that no version of the library knows. */
const NOTICE = "NSL: ";

/**
 * What a relay takes from its process; tests replace it.
 * @typedef {object} World
 * @property {() => number} now
 * @property {() => number} random
 * @property {(run: () => void, ms: number) => unknown} startTimer A timer that does not keep the process alive.
 * @property {() => unknown} hold Keeps the process alive until it is released.
 * @property {(timer: any) => void} stopTimer Also releases.
 * @property {(url: URL, listener: import("./socket.js").Listener) => Pick<import("./socket.js").Socket, "send" | "close" | "destroy" | "unsentBytes">} openSocket
 * @property {(appId: unknown) => import("./upgrade_settings.js").Settings} settingsFor
 * @property {(relay: Relay) => import("./upgrade_waiting.js").Frame[]} retireOlder Retires the app's other relays; what waited in them.
 */

class Relay {
  #world;
  #figures;
  #answer;
  /** @type {Record<string, unknown> | null} The library's `auth`. */
  #auth = null;
  #isCopy;
  /** @type {ReturnType<World["openSocket"]> | null} */
  #socket = null;
  #isOpen = false;
  #isAdmitted = false;
  #admittedAt = 0;
  #probedAt = 0;
  /** False from the service's notice that it drops reports until it accepts one: one is under way, the others wait. */
  #isConfirmed = true;
  #probes = 0;
  /** @type {import("./upgrade_waiting.js").Frame | null} The report whose answer is due. */
  #probe = null;
  #failures = 0;
  /** Whether the library has an `auth_success`. */
  #isAnswered = false;
  /** @type {string | null} What it asked for then: its history. */
  #request = null;
  #isClosed = false;
  #waiting;
  /** @type {Map<string, unknown>} */
  #timers = new Map();

  /**
   * @param {World} world
   * @param {import("./upgrade_figures.js").Figures} figures
   * @param {(text: string) => void} answer Sends to the library.
   */
  constructor(world, figures, answer) {
    this.#world = world;
    this.#figures = figures;
    this.#answer = answer;
    this.#isCopy = copiesOf();
    this.#waiting = new Waiting(figures);
  }

  get state() {
    if (this.#isAdmitted) return "open";
    if (this.#isOpen || this.#socket !== null) return "connecting";
    return this.#timers.has("connect") ? "waiting" : "idle";
  }

  get appId() {
    return this.#auth?.appId;
  }

  /**
   * A message of the library.
   * @param {string} text
   */
  send(text) {
    const { type, data } = readFrameOf(text);
    if (type === "auth") return this.#authenticate(data);
    const isReport = type === "send_metrics" || type === "metrics";
    if (!isReport && type !== "logs") return this.#ask(text);
    if (isReport && this.#isCopy(data)) return void (this.#figures.duplicates += 1);
    this.#figures.emitted += 1;
    const bytes = Buffer.byteLength(text);
    if (bytes > FRAME_BYTES_MAX) return this.#figures.lose("too_large");
    this.#waiting.add([{ text, bytes, isReport, at: this.#world.now() }]);
    this.#flush();
    if (this.#auth !== null && this.#socket === null && !this.#timers.has("connect")) this.#connect();
  }

  /** @param {string} text */
  #ask(text) {
    if (this.#isAdmitted) this.#socket?.send(text);
    else this.#request = text.length <= FRAME_BYTES_MAX ? text : null;
  }

  /** A frame that is no message. */
  refuse() {
    this.#figures.emitted += 1;
    this.#figures.lose("too_large");
  }

  /**
   * Disconnects until this socket is used again: the library has a newer one, and never closes the older.
   * Another copy of the library may have this one; it uses it again once it is answered.
   */
  retire() {
    this.#disconnect();
    this.#answerInstead();
    return this.#waiting.take();
  }

  /**
   * The library closed its socket, or the process ends.
   * @param {"closed" | "exit"} reason
   */
  end(reason) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#figures.lose(reason, this.#waiting.take().length);
    this.#disconnect();
  }

  #disconnect() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#isAdmitted = false;
    for (const timer of this.#timers.values()) this.#world.stopTimer(timer);
    this.#timers.clear();
    socket?.close();
  }

  /** @param {Record<string, unknown>} data */
  #authenticate(data) {
    const isKnown = this.#auth?.appId === data.appId && this.#auth?.userId === data.userId;
    // The library repeats it for each socket that it opens.
    if (isKnown && (this.#socket !== null || this.#timers.has("connect"))) return;
    this.#auth = data;
    this.#isAnswered = false;
    this.#disconnect();
    this.#waiting.add(this.#world.retireOlder(this));
    this.#holdFor(HOLD_MS);
    this.#connect();
    this.#start("answer", ANSWER_MS, () => this.#answerInstead());
  }

  #connect() {
    if (this.#isClosed) return;
    const { url, faults } = this.#world.settingsFor(this.#auth?.appId);
    for (const { code, message } of faults) this.#figures.problem(code, message);
    if (url === null) {
      this.#failures += 1;
      return this.#retry();
    }
    this.#start("connect", CONNECT_MS, () => this.#socket?.destroy(`the handshake with ${url.host} took over ${CONNECT_MS / 1_000} s`));
    /** @type {ReturnType<World["openSocket"]> | null} */
    let socket = null;
    let hasEnded = false;
    const isCurrent = () => !hasEnded && (socket === null || socket === this.#socket);
    try {
      socket = this.#world.openSocket(url, {
        opened: () => isCurrent() && this.#opened(),
        received: (text) => isCurrent() && this.#received(text),
        ended: (ended) => {
          const wasCurrent = isCurrent();
          hasEnded = true;
          if (wasCurrent) this.#ended(url, ended);
        },
      });
      if (!hasEnded) this.#socket = socket;
    } catch (error) {
      this.#ended(url, { reason: messageOf(error), status: null, closeCode: null, retryAfterMs: null });
    }
  }

  #opened() {
    this.#figures.connections += 1;
    this.#isOpen = true;
    this.#stop("connect");
    this.#stop("hold");
    this.#timers.set("hold", this.#world.hold());
    const { apiKey } = this.#world.settingsFor(this.#auth?.appId);
    const data = apiKey === "" ? this.#auth : { ...this.#auth, apiKey };
    this.#socket?.send(JSON.stringify({ type: "auth", data }));
    this.#start("admit", ADMIT_MS, () => {
      this.#figures.problem("no_access", `the service did not answer auth within ${ADMIT_MS / 1_000} s: the key or the ids are wrong, or the app is switched off`);
      this.#socket?.destroy("");
    });
  }

  /**
   * @param {URL} url
   * @param {import("./socket.js").Ended} ended
   */
  #ended(url, { reason }) {
    const now = this.#world.now();
    const wasUseful = this.#isAdmitted && now - this.#admittedAt >= STABLE_MS;
    if (!this.#isOpen) this.#figures.failedConnections += 1;
    this.#failures = wasUseful ? 0 : this.#failures + 1;
    if (!wasUseful && reason !== "") this.#figures.problem("connection", `${url.protocol}//${url.host}: ${reason}`);
    const wasOpen = this.#isOpen;
    this.#socket = null;
    this.#isOpen = false;
    this.#isAdmitted = false;
    this.#probe = null;
    for (const name of ["admit", "ping", "pong"]) this.#stop(name);
    if (wasOpen) this.#holdFor(HOLD_MS);
    this.#retry();
  }

  #retry() {
    this.#start("connect", backoffMs(this.#failures, RECONNECT, this.#world.random()), () => {
      this.#stop("connect");
      this.#connect();
    });
  }

  /**
   * A message of the service.
   * @param {string} text
   */
  #received(text) {
    const { type, payload, fault } = readMessage(text);
    this.#stop("pong");
    this.#schedulePing();
    if (fault !== null) return this.#figures.problem("transport", fault);
    // It answers neither this nor an earlier id.
    if (type === "pong") return this.#confirmed();
    if (type === "ack") return this.#acknowledged(payload);
    if (type === "auth_success") return this.#admitted(text);
    if (type === "error") return this.#refused(readRejection(payload), payload.id);
    const notice = readFrameOf(text).data.type;
    if (type === "command" && typeof notice === "string" && notice.startsWith(NOTICE)) return this.#noticed(notice.slice(NOTICE.length));
    if (isHarmless(text)) this.#answer(text);
    else this.#figures.problem("answer", `the service sent a message of type ${String(type)}, which would end the library's process or make it answer endlessly: it was not passed on`);
  }

  /** @param {string} reason Why reports are dropped. */
  #noticed(reason) {
    this.#isConfirmed = false;
    this.#figures.problem("notice", reason);
  }

  /** @param {string} text */
  #admitted(text) {
    this.#figures.admissions += 1;
    this.#isAdmitted = true;
    this.#admittedAt = this.#world.now();
    this.#stop("admit");
    this.#probedAt = this.#admittedAt;
    this.#answerOnce(text);
    if (this.#request !== null) this.#socket?.send(this.#request);
    this.#request = null;
    this.#flush();
  }

  /** @param {Record<string, unknown>} payload */
  #acknowledged({ id, rejected }) {
    if (Array.isArray(rejected) && rejected.length > 0) this.#refused(readRejection(rejected[0]), id);
    else if (id === this.#probeId) this.#confirmed();
  }

  #confirmed() {
    this.#probe = null;
    this.#isConfirmed = true;
    this.#flush();
  }

  /**
   * @param {import("./message.js").Rejection} rejection
   * @param {unknown} id Of the frame, if it has one.
   */
  #refused({ code, message, retryable }, id) {
    this.#figures.problem(code, message);
    const hasAccess = !ACCESS_CODES.includes(code);
    if (this.#probe !== null && id === this.#probeId) {
      this.#figures.sent -= 1;
      if (retryable || !hasAccess) this.#waiting.add([this.#probe]);
      else this.#figures.lose("rejected");
      this.#probe = null;
    }
    if (hasAccess) return;
    this.#isConfirmed = false;
    this.#socket?.destroy("");
  }

  get #probeId() {
    return `upgrade-${this.#probes}`;
  }

  #answerInstead() {
    const { appId, userId } = this.#auth ?? {};
    this.#answerOnce(JSON.stringify({ type: "auth_success", payload: { appId, userId } }));
  }

  /** @param {string} text */
  #answerOnce(text) {
    this.#stop("answer");
    if (this.#isAnswered || !isHarmless(text)) return;
    this.#isAnswered = true;
    this.#answer(text);
  }

  #schedulePing() {
    this.#start("ping", PING_MS, () => this.#ping());
  }

  #ping() {
    this.#socket?.send('{"type":"ping"}');
    this.#start("pong", PONG_MS, () => this.#socket?.destroy("the service does not answer"));
  }

  #flush() {
    this.#waiting.expire(this.#world.now());
    while (this.#isAdmitted && this.#socket !== null && this.#socket.unsentBytes < UNSENT_BYTES_MAX) {
      const frame = this.#isConfirmed || this.#probe === null ? this.#waiting.next() : undefined;
      if (frame === undefined) return;
      this.#figures.sent += 1;
      this.#socket.send(frame.isReport ? this.#probed(frame) : frame.text);
    }
  }

  /**
   * The report's text, with an id if it is time for an answer.
   * @param {import("./upgrade_waiting.js").Frame} frame
   */
  #probed(frame) {
    const now = this.#world.now();
    const isDue = !this.#isConfirmed || now - this.#probedAt >= PROBE_MS;
    if (!isDue || this.#timers.has("pong") || !frame.text.startsWith("{")) return frame.text;
    this.#probedAt = now;
    this.#probes += 1;
    this.#probe = frame;
    // A service that does not acknowledge the library's reports answers a ping.
    this.#start("pong", PONG_MS, () => this.#ping());
    return `{"id":"${this.#probeId}",${frame.text.slice(1)}`;
  }

  /** @param {number} ms */
  #holdFor(ms) {
    this.#stop("hold");
    this.#timers.set("hold", this.#world.hold());
    this.#start("release", ms, () => {
      this.#stop("release");
      if (!this.#isOpen) this.#stop("hold");
    });
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} run
   */
  #start(name, ms, run) {
    this.#stop(name);
    this.#timers.set(name, this.#world.startTimer(run, ms));
  }

  /** @param {string} name */
  #stop(name) {
    if (this.#timers.has(name)) this.#world.stopTimer(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** @param {string} text */
function readFrameOf(text) {
  try {
    const { type, data } = Object(JSON.parse(text));
    return { type, data: /** @type {Record<string, unknown>} */ (Object(data)) };
  } catch {
    return { type: undefined, data: {} };
  }
}

module.exports = { Relay };
