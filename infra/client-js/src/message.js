// Writes the JSON of a report, and reads what the service sends, whatever they are.

"use strict";

/** @typedef {{code: string, message: string, retryable: boolean, retryAfterMs: number}} Rejection */

// Taken when this is loaded, as all that the tests of a host may replace.
const { parse, stringify } = JSON;

/**
 * A text cut within a surrogate pair would cost its report: JSON.stringify escapes half a pair, and the service rejects it.
 * @param {unknown} metrics
 * @returns {string | undefined}
 */
function documentOf(metrics) {
  return stringify(metrics)?.replace(/\\(ud[89a-f]..|.)/g, (escape, { length }) => (length > 1 ? "\ufffd" : escape));
}

/** @param {string} text */
function readMessage(text) {
  /** @type {unknown} */
  let message;
  try {
    message = parse(text);
  } catch {
    // No message: it has no type.
  }
  const { type, payload, connectionId, message: fault } = Object(message);
  // API Gateway answers {message, connectionId, requestId} if it cannot deliver a frame to a function.
  const isFault = type === undefined && typeof connectionId === "string";
  return { type, payload: /** @type {Record<string, unknown>} */ (Object(payload)), fault: isFault ? `API Gateway: ${String(fault)}` : null };
}

/**
 * @param {unknown} value
 * @returns {Rejection}
 */
function readRejection(value) {
  const { code, message, retryable, retryAfterMs } = Object(value);
  const waitMs = retryAfterMs > 0 ? Number(retryAfterMs) : 0;
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

module.exports = { documentOf, messageOf, readMessage, readRejection };
