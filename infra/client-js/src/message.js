// Reads what the service sends, whatever it is.

"use strict";

/** @typedef {{code: string, message: string, retryable: boolean, retryAfterMs: number | null}} Rejection */

/** @param {string} text */
function readMessage(text) {
  /** @type {{type?: unknown, payload?: unknown} | null} */
  let message = null;
  try {
    message = JSON.parse(text);
  } catch {
    // No message: it has no type.
  }
  return { type: message?.type, payload: /** @type {Record<string, unknown>} */ (Object(message?.payload)) };
}

/**
 * @param {unknown} value
 * @returns {Rejection}
 */
function readRejection(value) {
  const { code, message, retryable, retryAfterMs } = Object(value);
  const waitMs = Number.isFinite(retryAfterMs) && retryAfterMs > 0 ? retryAfterMs : null;
  return { code: String(code), message: String(message), retryable: retryable === true, retryAfterMs: waitMs };
}

/**
 * The message of what was thrown, which may be anything.
 * @param {unknown} error
 */
function messageOf(error) {
  try {
    return String(Object(error).message ?? error);
  } catch {
    return "an error without a message";
  }
}

module.exports = { messageOf, readMessage, readRejection };
