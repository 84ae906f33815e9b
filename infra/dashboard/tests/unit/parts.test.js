// Parts of the page in isolation: rejections of the feed, clock jumps, announcements, hidden pages, stored credentials.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { AppsPage } from "../../src/apps_page.js";
import { cleaned, forget, storeCredential, storedCredential, takeFromAddress } from "../../src/credential.js";
import { make, setText } from "../../src/elements.js";
import { Feed } from "../../src/feed.js";
import { readStored, writeStored } from "../../src/storage.js";
import { Service } from "../../src/service.js";

globalThis.matchMedia = () => ({ matches: false });
const { TopBar } = await import("../../src/top_bar.js");

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
const HOUR_MS = 3_600_000;
const [KEY, OTHER] = ["a".repeat(20), "b".repeat(20)];

/** The part of an element that these parts use. */
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
  receive(type, payload) {
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

/** A live feed, and the codes of its rejections. */
function liveFeed() {
  const refused = [];
  const nothing = () => {};
  const feed = new Feed({
    address: "ws://a", credential: KEY, app: "a", now: () => NOW, since: () => NOW, onState: nothing, onReports: nothing,
    onReplayed: nothing, onLost: nothing, onRefused: ({ code }) => (refused.push(code), feed.close()),
  });
  Socket.last.onopen();
  Socket.last.receive("subscribed", { complete: true, continued: false, reports: [] });
  return { socket: Socket.last, refused };
}

test("text on the page hides and reorders nothing", () => {
  const element = make("p", { title: "a\u202eb" }, ["\u001b[2J", "c\u200b\nd é 日本 ❤\ufe0f"]);
  assert.equal(element.attributes.title, "a\\u{202e}b");
  assert.equal(element.textContent, "\\u{1b}[2Jc\\u{200b}\nd é 日本 ❤\ufe0f");
  setText(element, "\u2067x\u{e0041}");
  assert.equal(element.textContent, "\\u{2067}x\\u{e0041}");
});

test("only an unauthorized error ends a live feed", () => {
  const { socket, refused } = liveFeed();
  for (const code of ["rate_limited", "invalid_field", "unavailable", "forbidden", undefined]) socket.receive("error", { code });
  assert.deepEqual([refused, socket.readyState], [[], 1]);
  socket.receive("error", { code: "unauthorized", message: "the credentials to watch a have ended", retryable: false });
  assert.deepEqual([refused, socket.readyState], [["unauthorized"], 3]);
});

test("now follows the clock of the service when that of the viewer jumps", async () => {
  let served = NOW;
  const answer = () => ({ ok: true, headers: new Headers({ date: new Date(served).toUTCString() }), json: async () => ({}) });
  const service = new Service("/", KEY, async () => answer());
  const clockError = async () => (await service.apps(), Math.abs(service.now() - served));
  assert.ok((await clockError()) < 1_000, "clocks that agree");
  for (const jump of [-HOUR_MS, 2 * HOUR_MS, 3 * 24 * HOUR_MS, -HOUR_MS]) {
    mock.timers.setTime(Date.now() + jump);
    served += 60_000;
    assert.ok((await clockError()) <= 1_500, `after a jump of ${jump} ms`);
  }
  mock.timers.setTime(served + 1_900);
  await service.apps();
  assert.equal(service.now(), Date.now(), "a difference below the resolution of the Date header is ignored");
});

test("an answer without a valid date does not change the clock", async () => {
  const dates = [new Date(NOW + HOUR_MS).toUTCString(), null, "soon"];
  const service = new Service("/", KEY, async () => ({ ok: true, headers: { get: () => dates.shift() }, json: async () => ({}) }));
  for (let call = 0; call < 3; call += 1) {
    await service.apps();
    assert.ok(Math.abs(service.now() - NOW - HOUR_MS) < 1_000);
  }
});

test("a wait is shown by a monotonic clock, and its seconds are not announced", () => {
  const clock = mock.method(performance, "now", () => 1_000);
  const bar = new TopBar({});
  bar.show(true);
  const [pill, announcement] = [bar.element.children[1], bar.element.children[2]];
  bar.showState({ kind: "waiting", until: 6_000 });
  assert.deepEqual([pill.textContent, announcement.textContent], ["Back in 5 s", "Reconnecting…"]);
  mock.timers.setTime(NOW - HOUR_MS);
  clock.mock.mockImplementation(() => 3_000);
  bar.tick();
  assert.deepEqual([pill.textContent, announcement.textContent], ["Back in 3 s", "Reconnecting…"]);
  assert.deepEqual([pill.attributes["aria-hidden"], pill.attributes.role, announcement.attributes.role], ["true", undefined, "status"]);
  bar.showState({ kind: "live" });
  assert.deepEqual([pill.textContent, announcement.textContent], ["Live", "Live"]);
  clock.mock.restore();
});

test("a hidden list requests nothing and refreshes when visible again", async () => {
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
  assert.equal(asked, 4, "and continues");
  page.close();
});

test("forgetting the credential of a tab keeps that of the browser", () => {
  globalThis.localStorage = storeOf();
  globalThis.sessionStorage = storeOf();
  storeCredential(KEY, true);
  storeCredential(OTHER, false);
  assert.equal(storedCredential(), OTHER);
  forget(OTHER);
  assert.equal(storedCredential(), KEY);
  storeCredential(OTHER, true);
  assert.equal(storedCredential(), OTHER);
  forget();
  assert.equal(storedCredential(), null);
});

test("without browser storage a credential is kept until the page is closed", () => {
  for (const store of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(globalThis, store, { configurable: true, get: () => { throw new DOMException("denied", "SecurityError"); } });
  }
  storeCredential(KEY, false);
  assert.equal(storedCredential(), KEY);
  forget();
  assert.equal(storedCredential(), null);
  writeStored("any", "thing");
  assert.equal(readStored("any"), "thing");
});

test("blanks around a pasted credential or that of a link are dropped, others are not", () => {
  for (const text of [KEY, ` ${KEY}`, `${KEY}\n`, `\t${KEY} \r\n`]) {
    assert.equal(cleaned(text), KEY);
    globalThis.location = { hash: `#app=shop&key=${encodeURIComponent(text)}`, pathname: "/", search: "" };
    let address = "";
    globalThis.history = { replaceState: (state, title, next) => { address = next; } };
    assert.equal(takeFromAddress(), KEY);
    assert.equal(address, "/#app=shop");
  }
  for (const text of ["", " ", `${KEY} ${KEY}`, `${KEY}\u00a0`]) assert.equal(cleaned(text), null);
});
