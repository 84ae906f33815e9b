// What is known of the published library, and no version of it needs to be touched for: docs/LEGACY_CLIENTS.md.

"use strict";

const { setImmediate } = require("node:timers");

/** Compiled into it. */
const LIBRARY_ADDRESS = "ws://localhost:8087/";
/** Its second listener sends the same document again within less than this; the service allows for as much. */
const COPY_MS = 10;
/** The service stores a document of a library's connection once in half a second: docs/DATA_MODEL.md. */
const SAME_TURN_MS = 500;
/** Messages that end its process, that it answers without end, or that change its credentials. */
const HARMFUL = ["auth_error", "clear", "connect"];
const SWITCHES = ["console_toggle", "encryption_toggle"];

/**
 * Whether these are the options with which `ws` opens the library's connection: a handshake at its address, with none
 * of the headers that the library never sends.
 * @param {unknown} options
 */
function isLibraryHandshake(options) {
  const { host, port, path, headers } = Object(options);
  if (host !== "localhost" || Number(port) !== 8087 || path !== "/" || typeof headers !== "object") return false;
  const { upgrade, "sec-websocket-key": key, ...others } = lowerCased(headers);
  const isOther = ["origin", "authorization", "cookie", "sec-websocket-protocol"].some((name) => name in others);
  return upgrade === "websocket" && typeof key === "string" && !isOther;
}

/**
 * @param {object} headers
 * @returns {Record<string, unknown>}
 */
function lowerCased(headers) {
  return Object.fromEntries(Object.entries(Object(headers)).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * A function that is true for the copies of a second or third listener: the document of the last report, with a timestamp
 * a few milliseconds later, or up to half a second in the same turn of the event loop, where a listener of the host may
 * run in between. Two reports of a process never have equal documents, because they have its uptime.
 */
function copiesOf() {
  let lastDocument = "";
  let lastStampMs = NaN;
  let isSameTurn = false;
  return (/** @type {Record<string, unknown>} */ { timestamp, ...rest }) => {
    const document = JSON.stringify(rest);
    const stampMs = Date.parse(String(timestamp));
    const apartMs = stampMs - lastStampMs;
    if (document === lastDocument && apartMs >= 0 && apartMs <= (isSameTurn ? SAME_TURN_MS : COPY_MS)) return true;
    [lastDocument, lastStampMs, isSameTurn] = [document, stampMs, true];
    setImmediate(() => (isSameTurn = false)).unref();
    return false;
  };
}

/**
 * Whether the library survives the message: some end its process, and it answers `clear` with `clear`.
 * @param {string} text
 */
function isHarmless(text) {
  /** @type {{type?: unknown, payload?: any, data?: unknown}} */
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return false;
  }
  if (typeof message !== "object" || message === null) return false;
  const { type, payload, data } = message;
  if (HARMFUL.includes(String(type))) return false;
  if (type === "auth_success") return typeof payload?.userId === "string";
  if (type === "metrics") return isObject(payload);
  if (type === "logs") return isObject(payload) && (!payload.logs || Array.isArray(payload.logs));
  if (type === "request_history") return !payload?.logs || Array.isArray(payload.logs);
  if (type === "command") return isCommand(data);
  if (type === "get_last_actions") return Array.isArray(payload) && payload.every((action) => isCommand(action?.data));
  return true;
}

/** @param {any} command */
function isCommand(command) {
  return isObject(command) && (!SWITCHES.includes(command.type) || isObject(command.data));
}

/** @param {any} value */
function isObject(value) {
  return Object(value) === value;
}

module.exports = { LIBRARY_ADDRESS, copiesOf, isHarmless, isLibraryHandshake };
