// Where the library's reports go: from the environment, or from the configuration file that the library itself reads.

"use strict";

const fs = require("node:fs");

const { readCredential, readUrl } = require("./options.js");
const { LIBRARY_ADDRESS } = require("./upgrade_library.js");

const FILE_LENGTH_MAX = 262_144;
/** A process has one app; tests may have some. */
const APPS_MAX = 16;

/** @typedef {{url: URL | null, apiKey: string, faults: {code: string, message: string}[]}} Settings */

/** @type {Map<string, {apiKey: unknown, wsUrl: unknown}>} What configuration files have, by app id. */
const apps = new Map();

/** Looks at each file that the process reads whole and as text; nothing is read that is not read anyway. */
function watchConfiguration() {
  fs.readFileSync = new Proxy(fs.readFileSync, {
    apply(target, self, args) {
      const content = Reflect.apply(target, self, args);
      if (typeof content === "string") learn(content);
      return content;
    },
  });
}

/** @param {string} content */
function learn(content) {
  if (content.length > FILE_LENGTH_MAX || !content.includes('"appId"')) return;
  try {
    const { user, app } = JSON.parse(content);
    if (typeof user?.userId !== "string" || typeof app?.appId !== "string") return;
    apps.delete(app.appId);
    apps.set(app.appId, { apiKey: app.apiKey, wsUrl: app.wsUrl });
    if (apps.size > APPS_MAX) apps.delete([...apps.keys()][0]);
  } catch {
    // Not a configuration of the library.
  }
}

/** Whether this process read one, as only the library does. */
function hasConfiguration() {
  return apps.size > 0;
}

/**
 * Read at each attempt, because a host may set its environment after its first line.
 * @param {unknown} appId
 * @returns {Settings}
 */
function settingsFor(appId) {
  const app = apps.get(String(appId));
  const { NSL_URL, NSL_API_KEY, NSL_KEY } = process.env;
  const faults = [];
  const given = NSL_URL || app?.wsUrl;
  const url = readUrl(given || LIBRARY_ADDRESS);
  if (url === null) faults.push({ code: "bad_address", message: `${NSL_URL ? "NSL_URL" : "app.wsUrl of the configuration file"} must be a WebSocket address such as wss://host/path: nothing is sent` });
  if (!given) faults.push({ code: "no_address", message: `neither NSL_URL nor app.wsUrl of the configuration file is set: reports go to ${LIBRARY_ADDRESS}, as without this package` });
  const apiKey = readCredential(NSL_API_KEY || NSL_KEY || app?.apiKey);
  if (apiKey === "") faults.push({ code: "no_key", message: `${absence(app)}, and NSL_API_KEY is not set: only apps with the legacy flag accept reports without a key` });
  return { url, apiKey, faults };
}

/** @param {object | undefined} app */
function absence(app) {
  if (app !== undefined) return "the configuration file has no usable app.apiKey";
  return "no configuration file with this app was read since nsl-client/upgrade was loaded, which must come first";
}

module.exports = { hasConfiguration, settingsFor, watchConfiguration };
