// Reads the options of a publisher. What is wrong with them is described and never thrown.

"use strict";

const os = require("node:os");
const { threadId } = require("node:worker_threads");

/** Default, least and most of each option that is a number. The limits of a batch are the service's. */
const NUMBERS = {
  batchMs: [1_000, 0, 60_000],
  maxBatchReports: [100, 1, 100],
  maxBatchBytes: [30_720, 1_024, 30_720],
  maxBufferedReports: [10_000, 1, 1_000_000],
  maxBufferedBytes: [8_388_608, 32_768, 1_073_741_824],
  connectTimeoutMs: [10_000, 100, 120_000],
  ackTimeoutMs: [30_000, 100, 600_000],
  reconnectMinMs: [1_000, 10, 60_000],
  reconnectMaxMs: [60_000, 10, 3_600_000],
  pingMs: [300_000, 1_000, 540_000],
  exitFlushMs: [2_000, 0, 60_000],
};
const NAMES = ["url", "appId", "apiKey", "source", "onProblem", ...Object.keys(NUMBERS)];
/** Ids of the service: apps and sources. */
const ID = /^[A-Za-z0-9_.:@-]{1,128}$/;
/** An API key or a token: it travels in a header. */
const CREDENTIAL = /^[\x21-\x7e]{1,8192}$/;
/** Counts the publishers of this process, also those of other copies of this package. */
const PUBLISHERS = Symbol.for("nsl-client.publishers");

/**
 * @typedef {Record<keyof typeof NUMBERS, number> & {
 *   url: URL | null, appId: string, apiKey: string, source: string, onProblem: unknown,
 * }} Settings
 */

/**
 * The settings, whose `url` is null if nothing can be sent with these options, and a sentence for each fault.
 * @param {unknown} options
 * @returns {{settings: Settings, faults: string[]}}
 */
function readOptions(options) {
  /** @type {string[]} */
  const faults = [];
  const given = /** @type {Record<string, unknown>} */ (Object.create(null));
  try {
    Object.assign(given, options);
  } catch {
    faults.push("options cannot be read");
  }
  const url = readUrl(given.url);
  const appId = typeof given.appId === "string" && ID.test(given.appId) ? given.appId : "";
  const apiKey = readCredential(given.apiKey);
  if (url === null) faults.push("url must be a WebSocket address such as wss://host/path");
  if (appId === "") faults.push("appId must be the id of an app");
  if (apiKey === "") faults.push("apiKey must be an API key or a token");
  const isUsable = appId !== "" && apiKey !== "";
  for (const name of Object.keys(given)) if (!NAMES.includes(name)) faults.push(`there is no option ${name}`);
  const numbers = readNumbers(given, faults);
  const source = readSource(given.source, faults);
  return { settings: { url: isUsable ? url : null, appId, apiKey, source, onProblem: given.onProblem, ...numbers }, faults };
}

/** @param {unknown} value */
function readUrl(value) {
  try {
    const url = new URL(String(value));
    const isSocket = url.protocol === "ws:" || url.protocol === "wss:";
    return isSocket && url.username === "" && url.password === "" ? url : null;
  } catch {
    return null;
  }
}

/**
 * An API key or a token, or nothing.
 * @param {unknown} value
 */
function readCredential(value) {
  return typeof value === "string" && CREDENTIAL.test(value.trim()) ? value.trim() : "";
}

/**
 * @param {unknown} value
 * @param {string[]} faults
 */
function readSource(value, faults) {
  if (typeof value === "string" && ID.test(value)) return value;
  if (value !== undefined) faults.push("source must be an id such as web-1; a default is used");
  const shared = /** @type {Record<symbol, number | undefined>} */ (/** @type {unknown} */ (globalThis));
  const number = (shared[PUBLISHERS] ?? 0) + 1;
  shared[PUBLISHERS] = number;
  const host = readHostname().replace(/[^A-Za-z0-9_.:@-]/g, "-").slice(0, 80);
  const thread = threadId > 0 ? `.${threadId}` : "";
  return `${host}-${process.pid}${thread}${number > 1 ? `-${number}` : ""}`;
}

function readHostname() {
  try {
    return String(os.hostname());
  } catch {
    return "host";
  }
}

/**
 * @param {Record<string, unknown>} given
 * @param {string[]} faults
 */
function readNumbers(given, faults) {
  const numbers = /** @type {Record<keyof typeof NUMBERS, number>} */ ({});
  for (const name of /** @type {(keyof typeof NUMBERS)[]} */ (Object.keys(NUMBERS))) {
    const [normal, least, most] = NUMBERS[name];
    const value = given[name];
    const isValid = typeof value === "number" && value >= least && value <= most && Number.isInteger(value);
    numbers[name] = isValid ? value : normal;
    if (value !== undefined && !isValid) faults.push(`${name} must be a whole number from ${least} to ${most}; ${normal} is used`);
  }
  return numbers;
}

module.exports = { readCredential, readOptions, readUrl };
