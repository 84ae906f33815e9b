// Loads the history that a page shows. The answer to an outdated request is dropped.

import { queryOf } from "./range.js";
import { selection, seriesParam, panelsOf } from "./panels.js";
import { History } from "./history_merge.js";

const AGGREGATES = "avg,min,max,count";

export class HistoryLoader {
  #service;
  #app;
  #model;
  #load = 0;
  /** The parameter `series`; names instead of patterns if those match too many. */
  #series = null;

  constructor(service, app, model) {
    this.#service = service;
    this.#app = app;
    this.#model = model;
  }

  /** Loads the history of a route into the model; returns whether this is still the latest request. */
  async load({ range, added, p95 }) {
    const load = (this.#load += 1);
    const isNamed = typeof range === "string";
    const isFine = range === "live" || range === "hour";
    const ask = (params) => this.#metrics({ ...params, agg: p95 ? `${AGGREGATES},p95` : AGGREGATES }, added);
    // Minutes complete the running point of a day or week: see history_merge.js.
    const take = this.#model.startLoad();
    const answers = [isNamed ? ask({ timeRange: "hour" }) : null, isFine ? null : ask(queryOf(range))];
    const [minutes, coarse] = await Promise.all(answers).catch((failure) => {
      this.#model.isStale = true;
      throw failure;
    });
    if (load !== this.#load) return false;
    take(...[minutes, coarse].map((answer) => answer && new History(answer)));
    return true;
  }

  /** The summary of a route. */
  async summary({ range, added }) {
    const answer = await this.#withSeries((series) => this.#service.summary(this.#app, { ...queryOf(range), series }), added);
    return answer.series;
  }

  /** Lists every series of the application. */
  async listSeries() {
    const { series } = await this.#service.series(this.#app);
    this.#model.addNames(series.map(({ name }) => name));
  }

  #metrics(params, added) {
    return this.#withSeries((series) => this.#service.metrics(this.#app, { ...params, series }), added);
  }

  async #withSeries(ask, added) {
    const params = () => [...new Set([...(this.#series ?? selection([])), ...added.map(seriesParam)])].join(",");
    try {
      return await ask(params());
    } catch (failure) {
      if (failure.kind !== "too_wide" || this.#series !== null) throw failure;
      await this.listSeries();
      this.#series = panelsOf(this.#model.names(), []).flatMap(({ lines }) => lines.map(({ name }) => seriesParam(name)));
      return await ask(params());
    }
  }
}
