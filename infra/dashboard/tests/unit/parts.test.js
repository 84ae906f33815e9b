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

test("the present is the service's, whatever the viewer's clock says and however it jumps", async () => {
  let served = NOW;
  const answer = () => ({ ok: true, headers: new Headers({ date: new Date(served).toUTCString() }), json: async () => ({}) });
  const service = new Service("/", KEY, async () => answer());
  const told = async () => (await service.apps(), Math.abs(service.now() - served));
  assert.ok((await told()) < 1_000, "clocks that agree");
  for (const jump of [-HOUR_MS, 2 * HOUR_MS, 3 * 24 * HOUR_MS, -HOUR_MS]) {
    mock.timers.setTime(Date.now() + jump);
    served += 60_000;
    assert.ok((await told()) <= 1_500, `after a jump of ${jump} ms`);
  }
  mock.timers.setTime(served + 1_900);
  await service.apps();
  assert.equal(service.now(), Date.now(), "a difference that may be none of the clocks' is none");
});

test("an answer without a sound date leaves the clock as it was", async () => {
  const dates = [new Date(NOW + HOUR_MS).toUTCString(), null, "soon"];
  const service = new Service("/", KEY, async () => ({ ok: true, headers: { get: () => dates.shift() }, json: async () => ({}) }));
  for (let call = 0; call < 3; call += 1) {
    await service.apps();
    assert.ok(Math.abs(service.now() - NOW - HOUR_MS) < 1_000);
  }
});

test("a wait is told by a clock that never jumps, and its seconds are not announced", () => {
  const clock = mock.method(performance, "now", () => 1_000);
  const bar = new TopBar({});
  bar.show(true);
  const [pill, spoken] = [bar.element.children[1], bar.element.children[2]];
  bar.tell({ kind: "waiting", until: 6_000 });
  assert.deepEqual([pill.textContent, spoken.textContent], ["Back in 5 s", "Reconnecting…"]);
  mock.timers.setTime(NOW - HOUR_MS);
  clock.mock.mockImplementation(() => 3_000);
  bar.tick();
  assert.deepEqual([pill.textContent, spoken.textContent], ["Back in 3 s", "Reconnecting…"]);
  assert.deepEqual([pill.attributes["aria-hidden"], pill.attributes.role, spoken.attributes.role], ["true", undefined, "status"]);
  bar.tell({ kind: "live" });
  assert.deepEqual([pill.textContent, spoken.textContent], ["Live", "Live"]);
  clock.mock.restore();
});

test("a list that nobody sees asks for nothing, and asks at once when it is seen again", async () => {
  let asked = 0;
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const page = new AppsPage({ apps: async () => ((asked += 1), { apps: [], complete: true }), now: () => NOW }, () => false);
  const pass = async () => (await settle(), mock.timers.tick(10_000), settle());
  await pass();
  assert.equal(asked, 2);
  document.hidden = true;
  for (let turn = 0; turn < 3; turn += 1) await pass();
  assert.equal(asked, 2);
  document.hidden = false;
  page.wake();
  assert.equal(asked, 3);
  await pass();
  assert.equal(asked, 4, "and goes on");
  page.close();
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
