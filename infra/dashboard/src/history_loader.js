// Asks for the history that a page shows, and again as time goes on. An answer that a later question overtook is dropped.

import { queryOf } from "./range.js";
import { selection, wordOf, panelsOf } from "./panels.js";
import { History } from "./seam.js";

const ASKED_FIGURES = "avg,min,max,count";

export class HistoryLoader {
  #service;
  #app;
  #model;
  #turn = 0;
  /** Words of `series=`; names in place of patterns where those match too many. */
  #words = null;

  constructor(service, app, model) {
    this.#service = service;
    this.#app = app;
    this.#model = model;
  }

  /** Brings the model's history up to date for a place; answers whether this is still what is wanted. */
  async load({ range, added, p95 }) {
    const turn = (this.#turn += 1);
    const isNamed = typeof range === "string";
    const isFine = range === "live" || range === "hour";
    const ask = (words) => this.#metrics({ ...words, agg: p95 ? `${ASKED_FIGURES},p95` : ASKED_FIGURES }, added);
    // Minutes complete the running point of a day or week: see seam.js.
    const take = this.#model.ask();
    const answers = [isNamed ? ask({ timeRange: "hour" }) : null, isFine ? null : ask(queryOf(range))];
    const [minutes, coarse] = await Promise.all(answers).catch((failure) => {
      this.#model.isStale = true;
      throw failure;
    });
    if (turn !== this.#turn) return false;
    take(...[minutes, coarse].map((answer) => answer && new History(answer)));
    return true;
  }

  /** The service's summary of a place. */
  async summary({ range, added }) {
    const answer = await this.#asked((series) => this.#service.summary(this.#app, { ...queryOf(range), series }), added);
    return answer.series;
  }

  /** Lists every series that the service knows. */
  async listSeries() {
    const { series } = await this.#service.series(this.#app);
    this.#model.list(series.map(({ name }) => name));
  }

  #metrics(words, added) {
    return this.#asked((series) => this.#service.metrics(this.#app, { ...words, series }), added);
  }

  async #asked(ask, added) {
    const words = () => [...new Set([...(this.#words ?? selection([])), ...added.map(wordOf)])].join(",");
    try {
      return await ask(words());
    } catch (failure) {
      if (failure.kind !== "too_wide" || this.#words !== null) throw failure;
      await this.listSeries();
      this.#words = panelsOf(this.#model.names(), []).flatMap(({ lines }) => lines.map(({ name }) => wordOf(name)));
      return await ask(words());
    }
  }
}
