// Parts of the page by themselves: the feed's refusals, clocks that jump, what is announced, what a hidden page asks.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { AppsPage } from "../../src/apps_page.js";
import { forget, remember, remembered } from "../../src/credential.js";
import { Feed } from "../../src/feed.js";
import { keep, recall } from "../../src/language.js";
import { Service } from "../../src/service.js";

globalThis.matchMedia = () => ({ matches: false });
const { TopBar } = await import("../../src/top_bar.js");

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
const HOUR_MS = 3_600_000;
const [KEY, OTHER] = ["a".repeat(20), "b".repeat(20)];

/** As much of an element as these parts touch. */
class Element {
  children = [];
  dataset = {};
  attributes = {};
  textContent = "";
  replaceChildren(...children) {
    this.children = children;
    this.textContent = children.map((child) => child.textContent ?? child).join("");
  }
  setAttribute(name, text) {
    this.attributes[name] = text;
  }
  addEventListener() {}
  get childElementCount() {
    return this.children.length;
  }
}

class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor() {
    Socket.last = this;
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  say(type, payload) {
    this.onmessage({ data: JSON.stringify({ type, payload }) });
  }
}

function storeOf(kept = new Map()) {
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text), removeItem: (key) => kept.delete(key) };
}

beforeEach(() => {
  globalThis.document = { createElement: () => new Element(), hidden: false };
  globalThis.WebSocket = Socket;
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: NOW });
});

afterEach(() => {
  mock.timers.reset();
  for (const name of ["document", "WebSocket", "localStorage", "sessionStorage"]) delete globalThis[name];
});

/** A feed that is live, and what it was refused. */
function liveFeed() {
  const refused = [];
  const nothing = () => {};
  const feed = new Feed({
    address: "ws://a", credential: KEY, app: "a", now: () => NOW, since: () => NOW, onState: nothing, onReports: nothing,
    onReplayed: nothing, onLost: nothing, onRefused: ({ code }) => (refused.push(code), feed.close()),
  });
  Socket.last.onopen();
  Socket.last.say("subscribed", { complete: true, continued: false, reports: [] });
  return { socket: Socket.last, refused };
}

test("a credential that ends while the feed is live is refused, and no other word of an error is", () => {
  const { socket, refused } = liveFeed();
  for (const code of ["rate_limited", "invalid_field", "unavailable", "forbidden", undefined]) socket.say("error", { code });
  assert.deepEqual([refused, socket.readyState], [[], 1]);
  socket.say("error", { code: "unauthorized", message: "the credentials to watch a have ended", retryable: false });
  assert.deepEqual([refused, socket.readyState], [["unauthorized"], 3]);
});

test("a link's credential is for its tab, and one that ended takes no other with it", () => {
  globalThis.localStorage = storeOf();
  globalThis.sessionStorage = storeOf();
  remember(KEY, true);
  remember(OTHER, false);
  assert.equal(remembered(), OTHER);
  forget(OTHER);
  assert.equal(remembered(), KEY);
  remember(OTHER, true);
  assert.equal(remembered(), OTHER);
  forget();
  assert.equal(remembered(), null);
});

test("a browser that keeps nothing forgets with the page", () => {
  for (const store of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(globalThis, store, { configurable: true, get: () => { throw new DOMException("denied", "SecurityError"); } });
  }
  remember(KEY, false);
  assert.equal(remembered(), KEY);
  forget();
  assert.equal(remembered(), null);
  keep("any", "thing");
  assert.equal(recall("any"), "thing");
});
