// The live reports of one application: a connection that reconnects by itself and requests what it missed. Listeners
// drop repeated reports by their id.

import { wait } from "./backoff.js";
import { subprotocols } from "./credential.js";

/** API Gateway closes a connection after ten minutes without traffic. */
const PING_EVERY_MS = 5 * 60_000;
/** Without an answer for this long, the connection is considered lost. */
const ANSWER_TIMEOUT_MS = 15_000;
/** A connection that lasted this long resets the backoff. */
const STABLE_MS = 10_000;
/** Delay before a rejected subscription is tried again, unless the rejection states one. */
const REFUSED_MS = 20_000;
/** The longest replay of the service. */
export const REPLAY_MAX_MS = 15 * 60_000;

export class Feed {
  #options;
  #socket = null;
  #timers = { connect: 0, ping: 0, answer: 0 };
  #failures = 0;
  #openedAt = 0;
  #wasLive = false;
  #ended = false;
  #replay = null;

  /** `options`: address, credential, app, since() and the listeners onState, onReports, onReplayed, onRefused, onLost. */
  constructor(options) {
    this.#options = options;
    this.#connect();
  }

  /** Connects at once instead of waiting, or pings an open connection. */
  checkConnection() {
    if (this.#ended) return;
    if (this.#socket === null) this.#connect();
    else if (this.#socket.readyState === WebSocket.OPEN) this.#ping();
  }

  close() {
    this.#ended = true;
    this.#disconnect();
  }

  #connect() {
    this.#disconnect();
    this.#openedAt = 0;
    this.#options.onState({ kind: this.#wasLive ? "reconnecting" : "connecting" });
    const { address, credential } = this.#options;
    const socket = new WebSocket(address, subprotocols(credential));
    this.#socket = socket;
    this.#expectAnswer();
    socket.onopen = () => this.#subscribe();
    socket.onmessage = ({ data }) => this.#onMessage(data);
    socket.onclose = () => this.#onLost(socket);
  }

  #subscribe() {
    this.#openedAt = performance.now();
    const since = Math.max(this.#options.since(), this.#options.now() - REPLAY_MAX_MS);
    this.#replay = { since, earliest: Infinity, complete: null, isLast: false };
    this.#send({ type: "subscribe", data: { appId: this.#options.app, since: Math.floor(since) } });
    this.#timers.ping = setInterval(() => this.#ping(), PING_EVERY_MS);
  }

  #ping() {
    this.#send({ type: "ping" });
    this.#expectAnswer();
  }

  #expectAnswer() {
    clearTimeout(this.#timers.answer);
    const socket = this.#socket;
    this.#timers.answer = setTimeout(() => this.#onLost(socket), ANSWER_TIMEOUT_MS);
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #onMessage(text) {
    const frame = parsed(text);
    if (frame === null) return;
    clearTimeout(this.#timers.answer);
    const { type, payload } = frame;
    if (type === "metrics") this.#options.onReports([payload]);
    else if (type === "subscribed" || type === "replay") this.#replayed(type, payload);
    else if (type === "error") this.#refused(payload);
  }

  // `replay` frames may arrive before `subscribed`, and live frames between them.
  #replayed(type, payload) {
    const replay = this.#replay;
    if (replay === null) return;
    const reports = payload.reports ?? [];
    for (const report of reports) replay.earliest = Math.min(replay.earliest, Date.parse(report.timestamp));
    if (type === "subscribed") {
      replay.complete = payload.complete;
      replay.isLast ||= !payload.continued;
    } else {
      replay.isLast ||= payload.last;
    }
    this.#options.onReports(reports);
    if (replay.complete === null || !replay.isLast) return;
    this.#replay = null;
    this.#wasLive = true;
    this.#options.onState({ kind: "live" });
    this.#options.onReplayed(replay);
  }

  // Between a subscription and its answer every rejection counts; later only that the credential is no longer valid.
  #refused(payload) {
    if (this.#replay === null && payload.code !== "unauthorized") return;
    this.#options.onRefused(payload);
    if (this.#ended) return;
    this.#failures += 1;
    this.#disconnect();
    this.#wait(payload.retryAfterMs ?? REFUSED_MS);
  }

  #onLost(socket) {
    if (this.#ended || socket !== this.#socket) return;
    const lived = this.#openedAt === 0 ? 0 : performance.now() - this.#openedAt;
    this.#failures = lived > STABLE_MS ? 0 : this.#failures + 1;
    this.#disconnect();
    this.#wait(wait(this.#failures, Math.random()));
    this.#options.onLost({ neverOpened: lived === 0 });
  }

  #wait(delay) {
    this.#options.onState({ kind: "waiting", until: performance.now() + delay });
    this.#timers.connect = setTimeout(() => this.#connect(), delay);
  }

  #disconnect() {
    clearTimeout(this.#timers.connect);
    clearTimeout(this.#timers.answer);
    clearInterval(this.#timers.ping);
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** A frame with a type; the error messages of API Gateway have none and are ignored. */
function parsed(text) {
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" && typeof (frame.payload ?? {}) === "object" ? { payload: {}, ...frame } : null;
  } catch {
    return null;
  }
}
