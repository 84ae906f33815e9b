// The page of one application: history first, then live. Owns the flow between the service, the feed, the model and what
// is drawn, and shows what keeps any of them from working.

import { AppModel } from "./app_model.js";
import { ChartGrid } from "./chart_grid.js";
import { Controls } from "./controls.js";
import { Feed } from "./feed.js";
import { HistoryLoader } from "./history_loader.js";
import { say, sayCount } from "./language.js";
import { make, put, setText } from "./make.js";
import { failureNotice, inactiveNotice, notice, skeleton } from "./notice.js";
import { fragmentOf } from "./place.js";
import { selectionBetween } from "./range.js";
import { ReportList } from "./report_list.js";
import { SeriesSearch } from "./series_search.js";
import { SummaryTable } from "./summary_table.js";
import { agoText, timeText } from "./times.js";
import { count } from "./units.js";

/** How often history and summary are asked for anew, and how soon where a report came late. */
const REFRESH_MS = 60_000;
const REFRESH_STALE_MS = 15_000;
/** Between two tries of a call that failed. */
const RETRY_MS = 5_000;
const LISTEN_AFTER_MS = 1_000;
const LIST_EVERY_MS = 5_000;
const WORDS_EVERY_MS = 500;
/** An application that is switched off is looked at this often. */
const INACTIVE_MS = 20_000;

export class AppPage {
  element = make("main", { class: "page" });
  #tools;
  #place;
  #model = new AppModel();
  #loader;
  #feed = null;
  #grid;
  #controls;
  #search;
  #reports = new ReportList();
  #summary = new SummaryTable();
  #name = make("h1", {});
  #state = make("p", { class: "muted" });
  #notices = make("div", { class: "notices" });
  #body = make("div", {});
  /** Beneath the controls: these stay when the charts take the place of grey shapes, and the focus with them. */
  #content = make("div", {});
  #hint = make("p", { class: "muted small hint" });
  #timer = 0;
  #wordsAt = 0;
  #askedAt = 0;
  #listedAt = -Infinity;
  #closed = false;
  /** Whether a notice stands in the place of the charts: what was asked for before must not take it away. */
  #stopped = false;

  /** `tools`: service, address, credential, onState(state), onFailure(failure) -> handled, go(place). */
  constructor(tools, place) {
    this.#tools = tools;
    this.#place = place;
    this.#loader = new HistoryLoader(tools.service, place.app, this.#model);
    this.#grid = new ChartGrid(this.#model, {
      onSelect: (from, to) => this.#go({ range: selectionBetween(from, to, this.#now()) }),
      onReset: () => this.#go({ range: "live" }),
      onRemove: (name) => this.#go({ added: this.#place.added.filter((one) => one !== name) }),
    });
    this.#search = new SeriesSearch(() => this.#names(), (name) => this.#go({ added: [...new Set([...this.#place.added, name])] }));
    this.#controls = new Controls((part) => this.#go(part), this.#search.element);
    this.#layOut();
    this.#start();
  }

  /** Shows another part of the same application. */
  moveTo(place) {
    this.#place = place;
    this.#controls.show(place);
    this.#grid.redraw();
    this.#load();
  }

  /** One frame of the screen. */
  frame(clock) {
    const now = this.#now();
    this.#grid.frame(this.#place, now, clock);
    if (clock - this.#wordsAt < WORDS_EVERY_MS) return;
    this.#wordsAt = clock;
    this.#tell(now);
    const since = clock - this.#askedAt;
    if (this.#stopped) return;
    if (since > REFRESH_MS || (this.#model.isStale && since > REFRESH_STALE_MS)) this.#load();
  }

  /** The page is seen again, or the network is back. */
  wake() {
    this.#feed?.nudge();
    this.#grid.redraw();
  }

  focusSearch() {
    this.#search.focus();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#feed?.close();
    this.#grid.close();
  }

  #now() {
    return this.#tools.service.now();
  }

  /** Series that the service knows of are listed again while somebody searches. */
  #names() {
    if (performance.now() - this.#listedAt > LIST_EVERY_MS) {
      this.#listedAt = performance.now();
      this.#loader.listSeries().catch(() => null);
    }
    return this.#model.names();
  }

  /** The address tells the page a moment later; what changes until then goes on from here. */
  #go(part) {
    this.#place = { ...this.#place, ...part };
    this.#controls.show(this.#place);
    this.#tools.go(this.#place);
  }

  #layOut() {
    setText(this.#name, this.#place.app);
    const back = make("a", { href: fragmentOf({}), class: "back" }, say("apps"));
    put(this.element, make("header", { class: "title" }, make("nav", {}, back, make("span", { "aria-hidden": "true" }, "›")), this.#name, this.#state), this.#notices, this.#body);
    this.#controls.show(this.#place);
    put(this.#content, skeleton(4, "panel"));
    put(this.#body, this.#controls.element, this.#content);
  }

  async #start() {
    this.#tools.onState({ kind: "connecting" });
    // What the first charts do not need waits until they are drawn, but live reports never wait for long.
    await Promise.race([this.#load(), new Promise((resolve) => setTimeout(resolve, LISTEN_AFTER_MS))]);
    if (this.#closed || this.#stopped) return;
    this.#listen();
    this.#nameIt();
    this.#loader.listSeries().catch(() => null);
  }

  async #nameIt() {
    const app = await this.#ask().catch(() => undefined);
    if (app === undefined) return;
    setText(this.#name, app.name || app.appId);
    document.title = `${app.name || app.appId} · ${say("product")}`;
    if (app.status !== "active") this.#stop(inactiveNotice(this.#place.app));
  }

  /** What the service says of the application, or undefined. */
  async #ask() {
    const { apps } = await this.#tools.service.apps();
    return apps.find(({ appId }) => appId === this.#place.app);
  }

  async #load() {
    this.#askedAt = performance.now();
    clearTimeout(this.#timer);
    try {
      if (!(await this.#loader.load(this.#place)) || this.#closed || this.#stopped) return;
      this.#showCharts();
    } catch (failure) {
      if (!this.#closed) this.#fail(failure);
      return;
    }
    this.#summarise().catch((failure) => this.#closed || this.#fail(failure));
  }

  async #summarise() {
    const { range } = this.#place;
    const rows = await this.#loader.summary(this.#place);
    if (this.#closed || range !== this.#place.range) return;
    const span = typeof range !== "string" ? say("selected") : say(range === "live" ? "hour" : range);
    this.#summary.show(rows, span, (name) => this.#grid.rates(name, this.#place, this.#now()));
  }

  #fail(failure) {
    if (this.#tools.onFailure(failure)) return;
    const isPassing = failure.kind === "unreachable" || failure.kind === "unavailable";
    const isOver = failure.kind === "inactive" || failure.kind === "forbidden";
    const why = failureNotice(failure, this.#place.app, () => this.#load());
    if (isOver) return this.#stop(why);
    // With charts on the page, the state of the connection says enough.
    if (!this.#grid.element.isConnected || !isPassing) put(this.#notices, why);
    if (isPassing) this.#timer = setTimeout(() => this.#load(), RETRY_MS);
  }

  /** Nothing is to be seen of this application for now. */
  #stop(why) {
    this.#stopped = true;
    this.#feed?.close();
    this.#feed = null;
    this.#tools.onState({ kind: "off" });
    put(this.#notices, why);
    put(this.#body);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookAgain(), INACTIVE_MS);
  }

  async #lookAgain() {
    try {
      await this.#loader.load(this.#place);
      if (this.#closed) return;
      this.#stopped = false;
      this.#layOut();
      put(this.#notices);
      await this.#start();
    } catch (failure) {
      if (!this.#closed) this.#fail(failure);
    }
  }

  #showCharts() {
    const isEmpty = this.#model.names().length === 0 && this.#model.log.entries.length === 0;
    put(this.#notices, isEmpty ? this.#emptyNotice() : null);
    this.#grid.redraw();
    if (isEmpty) return put(this.#body);
    if (!this.#controls.element.isConnected) put(this.#body, this.#controls.element, this.#content);
    if (!this.#grid.element.isConnected) put(this.#content, this.#hint, this.#grid.element, this.#summary.element, this.#reports.element);
    return this.#tell(this.#now());
  }

  #emptyNotice() {
    const frame = { type: "metrics", data: { appId: this.#place.app, metrics: { cpu: { usage: 12.5 } } } };
    return notice({ kind: "quiet", title: say("noReportsTitle"), text: say("noReportsText"), code: `${this.#tools.address}\n${JSON.stringify(frame)}` });
  }

  #listen() {
    this.#feed = new Feed({
      address: this.#tools.address,
      credential: this.#tools.credential,
      app: this.#place.app,
      now: () => this.#now(),
      since: () => this.#model.resumeFrom(this.#now()),
      onState: (state) => this.#onState(state),
      onReports: (payloads) => this.#take(payloads),
      onReplayed: (replay) => this.#onReplayed(replay),
      onRefused: (rejection) => this.#onRefused(rejection),
      onLost: ({ neverOpened }) => neverOpened && this.#probe(),
    });
  }

  #take(payloads) {
    const now = this.#now();
    const isFirst = this.#model.log.entries.length === 0;
    for (const payload of payloads) if (this.#model.take(payload, now)) this.#reports.add(payload);
    this.#grid.touch();
    if (this.#stopped) return;
    if (isFirst && payloads.length > 0 && this.#model.minutes !== null) this.#showCharts();
  }

  #onReplayed(replay) {
    this.#model.replayed(replay);
    this.#grid.touch();
    if (this.#model.isStale) this.#load();
  }

  #onRefused({ code }) {
    if (code === "app_inactive") this.#stop(inactiveNotice(this.#place.app));
    else if (code === "forbidden") this.#fail({ kind: "forbidden" });
    else if (code === "unauthorized") this.#tools.onFailure({ kind: "unauthorised" });
  }

  #onState(state) {
    this.#tools.onState({ ...state, retry: () => this.#feed?.nudge() });
  }

  /** A handshake that fails does not say why; the HTTP API does. */
  async #probe() {
    try {
      const app = await this.#ask();
      if (!this.#closed && app !== undefined && app.status !== "active") this.#stop(inactiveNotice(this.#place.app));
    } catch (failure) {
      if (!this.#closed) this.#tools.onFailure(failure);
    }
  }

  #tell(now) {
    const sources = this.#model.sourcesNow(now);
    const last = this.#model.lastReport();
    const told = sources > 0 ? sayCount("sources", sources, count(sources)) : say("noSources");
    setText(this.#state, last === null ? told : `${told}, ${say("lastReport", { ago: agoText(now - last) })}`);
    setText(this.#hint, this.#apartText(now));
    this.#reports.refresh(this.#model.log.taken);
  }

  /** What the lines of single sources leave out. */
  #apartText(now) {
    const { range, bySource } = this.#place;
    if (!bySource || (range !== "live" && range !== "hour")) return "";
    const { drawn, all, since } = this.#model.apart(range, now);
    const [n, of] = [drawn, all].map((one) => count(one));
    const left = drawn < all ? say("drawn", { n, of }) : "";
    return since === null ? left : `${left} ${say("apartSince", { t: timeText(since, "minute") })}`;
  }
}
