// The page of one application: loads history, then connects the live feed, and shows the charts or what failed.

import { AppModel } from "./app_model.js";
import { ChartGrid } from "./chart_grid.js";
import { Controls } from "./controls.js";
import { Feed } from "./feed.js";
import { HistoryLoader } from "./history_loader.js";
import { t, tCount } from "./language.js";
import { make, put, setText } from "./elements.js";
import { failureNotice, inactiveNotice, notice, skeleton } from "./notice.js";
import { fragmentOf } from "./route.js";
import { selectionBetween } from "./range.js";
import { ReportList } from "./report_list.js";
import { SeriesSearch } from "./series_search.js";
import { SummaryTable } from "./summary_table.js";
import { agoText, timeText } from "./times.js";
import { count } from "./units.js";

/** How often history and summary are loaded, and how soon after a late report. */
const REFRESH_MS = 60_000;
const REFRESH_STALE_MS = 15_000;
/** Delay before a failed call is retried. */
const RETRY_MS = 5_000;
const CONNECT_AFTER_MS = 1_000;
const LIST_EVERY_MS = 5_000;
const STATE_EVERY_MS = 500;
/** How often an inactive application is checked. */
const INACTIVE_MS = 20_000;

export class AppPage {
  element = make("main", { class: "page" });
  #tools;
  #route;
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
  /** Below the controls, which keep the focus when the charts replace the placeholders. */
  #content = make("div", {});
  #hint = make("p", { class: "muted small hint" });
  #timer = 0;
  #stateAt = 0;
  #loadedAt = 0;
  #listedAt = -Infinity;
  #closed = false;
  /** Whether a notice replaces the charts: answers to earlier requests must not remove it. */
  #stopped = false;

  /** `tools`: service, address, credential, onState(state), onFailure(failure) -> handled, go(route). */
  constructor(tools, route) {
    this.#tools = tools;
    this.#route = route;
    this.#loader = new HistoryLoader(tools.service, route.app, this.#model);
    this.#grid = new ChartGrid(this.#model, {
      onSelect: (from, to) => this.#go({ range: selectionBetween(from, to, this.#now()) }),
      onReset: () => this.#go({ range: "live" }),
      onRemove: (name) => this.#go({ added: this.#route.added.filter((one) => one !== name) }),
    });
    this.#search = new SeriesSearch(() => this.#names(), (name) => this.#go({ added: [...new Set([...this.#route.added, name])] }));
    this.#controls = new Controls((part) => this.#go(part), this.#search.element);
    this.#layOut();
    this.#start();
  }

  /** Shows another route of the same application. */
  moveTo(route) {
    this.#route = route;
    this.#controls.show(route);
    this.#grid.redraw();
    this.#load();
  }

  /** Draws one frame. */
  frame(clock) {
    const now = this.#now();
    this.#grid.frame(this.#route, now, clock);
    if (clock - this.#stateAt < STATE_EVERY_MS) return;
    this.#stateAt = clock;
    this.#showState(now);
    const since = clock - this.#loadedAt;
    if (this.#stopped) return;
    if (since > REFRESH_MS || (this.#model.isStale && since > REFRESH_STALE_MS)) this.#load();
  }

  /** The page is visible again, or the network is back. */
  wake() {
    this.#feed?.checkConnection();
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

  /** The names of all series, which are listed again during a search. */
  #names() {
    if (performance.now() - this.#listedAt > LIST_EVERY_MS) {
      this.#listedAt = performance.now();
      this.#loader.listSeries().catch(() => null);
    }
    return this.#model.names();
  }

  /** Applies a change at once; the address follows a moment later. */
  #go(part) {
    this.#route = { ...this.#route, ...part };
    this.#controls.show(this.#route);
    this.#tools.go(this.#route);
  }

  #layOut() {
    setText(this.#name, this.#route.app);
    const back = make("a", { href: fragmentOf({}), class: "back" }, t("apps"));
    put(this.element, make("header", { class: "title" }, make("nav", {}, back, make("span", { "aria-hidden": "true" }, "›")), this.#name, this.#state), this.#notices, this.#body);
    this.#controls.show(this.#route);
    put(this.#content, skeleton(4, "panel"));
    put(this.#body, this.#controls.element, this.#content);
  }

  async #start() {
    this.#tools.onState({ kind: "connecting" });
    // The feed connects after the first charts are drawn, but at the latest after a second.
    await Promise.race([this.#load(), new Promise((resolve) => setTimeout(resolve, CONNECT_AFTER_MS))]);
    if (this.#closed || this.#stopped) return;
    this.#connect();
    this.#showName();
    this.#loader.listSeries().catch(() => null);
  }

  async #showName() {
    const app = await this.#findApp().catch(() => undefined);
    if (app === undefined) return;
    setText(this.#name, app.name || app.appId);
    document.title = `${app.name || app.appId} · ${t("product")}`;
    if (app.status !== "active") this.#stop(inactiveNotice(this.#route.app));
  }

  /** The application in the overview, or undefined. */
  async #findApp() {
    const { apps } = await this.#tools.service.apps();
    return apps.find(({ appId }) => appId === this.#route.app);
  }

  async #load() {
    this.#loadedAt = performance.now();
    clearTimeout(this.#timer);
    try {
      if (!(await this.#loader.load(this.#route)) || this.#closed || this.#stopped) return;
      this.#showCharts();
    } catch (failure) {
      if (!this.#closed) this.#fail(failure);
      return;
    }
    this.#summarise().catch((failure) => this.#closed || this.#fail(failure));
  }

  async #summarise() {
    const { range } = this.#route;
    const rows = await this.#loader.summary(this.#route);
    if (this.#closed || range !== this.#route.range) return;
    const span = typeof range !== "string" ? t("selected") : t(range === "live" ? "hour" : range);
    this.#summary.show(rows, span, (name) => this.#grid.rates(name, this.#route, this.#now()));
  }

  #fail(failure) {
    if (this.#tools.onFailure(failure)) return;
    const isPassing = failure.kind === "unreachable" || failure.kind === "unavailable";
    const isOver = failure.kind === "inactive" || failure.kind === "forbidden";
    const why = failureNotice(failure, this.#route.app, () => this.#load());
    if (isOver) return this.#stop(why);
    // With charts on the page, the state of the connection is enough.
    if (!this.#grid.element.isConnected || !isPassing) put(this.#notices, why);
    if (isPassing) this.#timer = setTimeout(() => this.#load(), RETRY_MS);
  }

  /** Replaces the charts by a notice and checks again later. */
  #stop(why) {
    this.#stopped = true;
    this.#feed?.close();
    this.#feed = null;
    this.#tools.onState({ kind: "off" });
    put(this.#notices, why);
    put(this.#body);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retryInactive(), INACTIVE_MS);
  }

  async #retryInactive() {
    try {
      await this.#loader.load(this.#route);
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
    return this.#showState(this.#now());
  }

  #emptyNotice() {
    const frame = { type: "metrics", data: { appId: this.#route.app, metrics: { cpu: { usage: 12.5 } } } };
    return notice({ kind: "quiet", title: t("noReportsTitle"), text: t("noReportsText"), code: `${this.#tools.address}\n${JSON.stringify(frame)}` });
  }

  #connect() {
    this.#feed = new Feed({
      address: this.#tools.address,
      credential: this.#tools.credential,
      app: this.#route.app,
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
    for (const payload of payloads) if (this.#model.add(payload, now)) this.#reports.add(payload);
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
    if (code === "app_inactive") this.#stop(inactiveNotice(this.#route.app));
    else if (code === "forbidden") this.#fail({ kind: "forbidden" });
    else if (code === "unauthorized") this.#tools.onFailure({ kind: "unauthorised" });
  }

  #onState(state) {
    this.#tools.onState({ ...state, retry: () => this.#feed?.checkConnection() });
  }

  /** A failed handshake has no reason; the HTTP API returns one. */
  async #probe() {
    try {
      const app = await this.#findApp();
      if (!this.#closed && app !== undefined && app.status !== "active") this.#stop(inactiveNotice(this.#route.app));
    } catch (failure) {
      if (!this.#closed) this.#tools.onFailure(failure);
    }
  }

  #showState(now) {
    const sources = this.#model.sourcesNow(now);
    const last = this.#model.lastReport();
    const sourcesText = sources > 0 ? tCount("sources", sources, count(sources)) : t("noSources");
    setText(this.#state, last === null ? sourcesText : `${sourcesText}, ${t("lastReport", { ago: agoText(now - last) })}`);
    setText(this.#hint, this.#sourceText(now));
    this.#reports.refresh(this.#model.log.taken);
  }

  /** What the lines by source do not show. */
  #sourceText(now) {
    const { range, bySource } = this.#route;
    if (!bySource || (range !== "live" && range !== "hour")) return "";
    const { drawn, all, since } = this.#model.sourceCoverage(range, now);
    const [n, of] = [drawn, all].map((one) => count(one));
    const left = drawn < all ? t("drawn", { n, of }) : "";
    return since === null ? left : `${left} ${t("apartSince", { t: timeText(since, "minute") })}`;
  }
}
