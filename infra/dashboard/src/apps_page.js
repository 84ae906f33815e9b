// The list of applications: state, active sources, CPU and memory, and the last hour of the CPU.

import { t, tCount } from "./language.js";
import { make, put, setText } from "./elements.js";
import { failureNotice, notice, skeleton } from "./notice.js";
import { fragmentOf } from "./route.js";
import { sparkLine } from "./spark_line.js";
import { agoText } from "./times.js";
import { count, humanise } from "./units.js";

const LIST_REFRESH_MS = 10_000;
/** The last hour changes slowly. */
const SPARK_REFRESH_MS = 60_000;
/** Histories that are loaded at the same time. */
const CONCURRENT_MAX = 4;
const PERCENT_TOP = 100;

export class AppsPage {
  element = make("main", { class: "page" });
  #service;
  #onFailure;
  #cards = new Map();
  #list = make("ul", { class: "apps" });
  #sparksAt = 0;
  #timer = 0;
  #closed = false;

  constructor(service, onFailure) {
    this.#service = service;
    this.#onFailure = onFailure;
    document.title = t("product");
    this.#show(skeleton(3, "card"));
    this.refresh();
  }

  /** The page is visible again. */
  wake() {
    this.refresh();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async refresh() {
    clearTimeout(this.#timer);
    try {
      const answer = await this.#service.apps();
      if (this.#closed) return;
      this.#showApps(answer);
      await this.#refreshSparks(answer.apps);
    } catch (failure) {
      if (this.#closed || this.#onFailure(failure)) return;
      if (this.#cards.size === 0) this.#show(failureNotice(failure, "", () => this.refresh()));
    }
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => document.hidden || this.refresh(), LIST_REFRESH_MS);
  }

  #show(...content) {
    put(this.element, make("header", { class: "title" }, make("h1", {}, t("apps")), make("p", { class: "muted" }, t("appsNow"))), content);
  }

  #showApps({ apps, complete }) {
    if (apps.length === 0) {
      const code = "nsl app create --name Shop --owner me";
      this.#show(notice({ kind: "quiet", title: t("noAppsTitle"), text: t("noAppsText"), code }));
      return;
    }
    for (const app of apps) {
      if (!this.#cards.has(app.appId)) this.#cards.set(app.appId, new AppCard(app.appId));
      this.#cards.get(app.appId).show(app, this.#service.now());
    }
    const elements = apps.map((app) => this.#cards.get(app.appId).element);
    const isSame = elements.length === this.#list.children.length && elements.every((one, index) => one === this.#list.children[index]);
    if (!isSame) put(this.#list, elements);
    if (this.#list.isConnected) return;
    this.#show(this.#list, complete ? null : make("p", { class: "muted" }, t("manyApps")));
  }

  async #refreshSparks(apps) {
    if (performance.now() < this.#sparksAt) return;
    this.#sparksAt = performance.now() + SPARK_REFRESH_MS;
    const left = apps.filter((app) => app.status === "active" && app.lastReport !== null);
    const work = async () => {
      for (let app = left.shift(); app !== undefined && !this.#closed; app = left.shift()) {
        const params = { timeRange: "hour", series: "cpu.usage", agg: "avg" };
        const answer = await this.#service.metrics(app.appId, params).catch(() => null);
        this.#cards.get(app.appId).draw(answer?.series["cpu.usage"]?.avg ?? []);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_MAX }, work));
  }
}

class AppCard {
  #name = make("h2", {});
  #state = make("p", { class: "state" });
  #figures = make("dl", {});
  #spark = make("div", { class: "spark-box" });

  constructor(id) {
    this.link = make("a", { href: fragmentOf({ app: id }) }, this.#name, make("p", { class: "muted small id" }, id), this.#state, this.#figures, this.#spark);
    this.element = make("li", {}, this.link);
  }

  show(app, now) {
    const isActive = app.status === "active";
    setText(this.#name, app.name || app.appId);
    this.link.dataset.state = !isActive ? "inactive" : app.sources > 0 ? "reporting" : "silent";
    const sources = app.sources > 0 ? tCount("sources", app.sources, count(app.sources)) : t("noSources");
    const ago = app.lastReport === null ? t("never") : t("lastReport", { ago: agoText(now - Date.parse(app.lastReport)) });
    setText(this.#state, isActive ? `${sources}, ${ago}` : t("inactive"));
    const figure = (label, value) => make("div", {}, make("dt", {}, t(label)), make("dd", {}, humanise(value, "percent")));
    put(this.#figures, isActive ? [figure("cpu", app.cpu), figure("memory", app.memory)] : []);
  }

  draw(values) {
    put(this.#spark, values.some((value) => value !== null) ? sparkLine(values, t("lastHour"), PERCENT_TOP) : null);
  }
}
