// The entry that upgrades an unmodified NehonixSmartLogger: its connection is recognised where every copy and bundle of
// `ws` opens one, in `http.request`, and led to the service. Every other call is passed on as it is.

"use strict";

const http = require("node:http");
const { syncBuiltinESMExports } = require("node:module");
const { clearTimeout, setInterval, setTimeout } = require("node:timers");

const { watchExit } = require("./exit.js");
const { PROCESS } = require("./host.js");
const { messageOf } = require("./message.js");
const { Socket } = require("./socket.js");
const { Figures } = require("./upgrade_figures.js");
const { LIBRARY_ADDRESS, isLibraryHandshake } = require("./upgrade_library.js");
const { Link } = require("./upgrade_link.js");
const { Relay } = require("./upgrade_relay.js");
const { hasConfiguration, settingsFor, watchConfiguration } = require("./upgrade_settings.js");

/** Where the first of several copies of this package leaves its `stats`: what is replaced is there once in a process. */
const ACTIVE = Symbol.for("nsl-client.upgrade");
/** After this time a library that never connected is reported. */
const ABSENT_MS = 60_000;

const figures = new Figures();
/** @type {Set<Relay>} The newest last. */
const relays = new Set();
/** Whether the connection that is being opened is one to the service. */
let isOwn = false;

/** @type {import("./upgrade_relay.js").World} */
const WORLD = {
  now: PROCESS.now,
  random: PROCESS.random,
  startTimer: (run, ms) => setTimeout(guard(run), ms).unref(),
  hold: () => setInterval(() => {}, 2 ** 30),
  stopTimer: (timer) => clearTimeout(timer),
  openSocket(url, { opened, received, ended }) {
    isOwn = true;
    try {
      return new Socket(url, null, { opened: guard(opened), received: guard(received), ended: guard(ended) });
    } finally {
      isOwn = false;
    }
  },
  settingsFor,
  retireOlder(newest) {
    const older = [...relays].filter((relay) => relay !== newest && relay.appId === newest.appId);
    return older.flatMap((relay) => relay.retire());
  },
};

function install() {
  watchConfiguration();
  for (const name of /** @type {const} */ (["request", "get"])) {
    http[name] = new Proxy(http[name], {
      apply: (target, self, args) => Reflect.apply(target, self, isOwn ? args : redirected(args)),
    });
  }
  syncBuiltinESMExports();
  watchExit({ beforeExit: () => {}, exit: guard(() => relays.forEach((relay) => relay.end("exit"))) });
  // By NODE_OPTIONS this is also in processes without the library, such as npm and the primary of a cluster.
  const report = () => figures.sockets === 0 && hasConfiguration() && figures.problem("no_library", `a configuration of NehonixSmartLogger was read, but no connection to ${LIBRARY_ADDRESS} was seen in ${ABSENT_MS / 1_000} s: does the program call enableRemoteMode()?`);
  setTimeout(report, ABSENT_MS).unref();
}

/**
 * The arguments of a request, with a connection of ours if it is the library's.
 * @param {unknown[]} args
 */
function redirected(args) {
  try {
    const [options, ...others] = args;
    if (!isLibraryHandshake(options)) return args;
    return [{ ...Object(options), agent: undefined, createConnection: (/** @type {any} */ { headers }) => openLink(headers) }, ...others];
  } catch {
    // Nothing that the library passes.
    return args;
  }
}

/** @param {Record<string, string>} headers */
function openLink(headers) {
  const [, key = ""] = Object.entries(headers).find(([name]) => name.toLowerCase() === "sec-websocket-key") ?? [];
  /** @type {Relay} */
  const relay = new Relay(WORLD, figures, guard((/** @type {string} */ text) => link.send(text)));
  const closed = () => {
    relay.end("closed");
    relays.delete(relay);
  };
  /** @type {Link} */
  const link = new Link(key, {
    received: guard((/** @type {string} */ text) => relay.send(text)),
    refused: guard(() => relay.refuse()),
    closed: guard(closed),
  });
  figures.sockets += 1;
  relays.add(relay);
  return link;
}

/**
 * A function that throws nothing: a fault of this package is counted, and does not reach the host.
 * @template {unknown[]} Args
 * @param {(...args: Args) => unknown} run
 */
function guard(run) {
  return (/** @type {Args} */ ...args) => {
    try {
      run(...args);
    } catch (error) {
      figures.problem("internal", messageOf(error));
    }
  };
}

function stats() {
  const states = [...relays].map(({ state }) => state);
  const state = /** @type {const} */ (["open", "connecting", "waiting"]).find((one) => states.includes(one)) ?? "idle";
  return { state, ...figures.counts };
}

/** Installs it, unless another copy of this package did; then that one's figures are returned. */
function upgrade() {
  const shared = /** @type {Record<symbol, {stats: typeof stats} | undefined>} */ (/** @type {unknown} */ (http));
  const active = shared[ACTIVE];
  if (active !== undefined) return active;
  const own = Object.freeze({ stats });
  guard(() => {
    Object.defineProperty(http, ACTIVE, { value: own });
    install();
  })();
  return own;
}

module.exports = upgrade();
