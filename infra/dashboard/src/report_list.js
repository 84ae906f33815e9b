// The last reports: time, source and document.

import { t, tCount } from "./language.js";
import { make, put, setText } from "./elements.js";
import { timeText } from "./times.js";
import { count, humanise } from "./units.js";

const REPORTS_LISTED_MAX = 20;
/** Documents longer than this are cut where they are shown. */
const SHOWN_CHARACTERS = 20_000;

export class ReportList {
  #reports = [];
  #taken = make("p", { class: "muted small taken" });
  #list = make("ul", { class: "reports" });
  #empty = make("p", { class: "muted" }, t("reportsEmpty"));
  #dirty = true;
  element = make("section", { class: "block" }, make("header", { class: "block-head" }, make("h2", {}, t("reports")), this.#taken), this.#empty, this.#list);

  /** Adds a new report. */
  add(payload) {
    const at = Date.parse(payload.timestamp);
    let index = 0;
    while (index < this.#reports.length && Date.parse(this.#reports[index].timestamp) > at) index += 1;
    if (index >= REPORTS_LISTED_MAX) return;
    this.#reports.splice(index, 0, payload);
    this.#reports.length = Math.min(this.#reports.length, REPORTS_LISTED_MAX);
    this.#dirty = true;
  }

  /** Updates the list, unless a report in it is open. */
  refresh(taken) {
    setText(this.#taken, taken === 0 ? "" : tCount("taken", taken, count(taken)));
    this.#taken.dataset.taken = String(taken);
    const isRead = this.#list.querySelector("details[open]") !== null || this.#list.contains(document.activeElement);
    if (isRead) setText(this.#taken, t("paused"));
    if (!this.#dirty || isRead) return;
    this.#dirty = false;
    this.#empty.hidden = this.#reports.length > 0;
    put(this.#list, this.#reports.map(reportItem));
  }
}

function reportItem(payload) {
  const { metrics } = payload;
  const text = make("pre", { tabindex: "0" });
  const figure = (label, value, unit) => (typeof value === "number" ? make("span", { class: "figure" }, `${t(label)} ${humanise(value, unit)}`) : null);
  const line = make("summary", {},
    make("time", { datetime: payload.timestamp }, timeText(Date.parse(payload.timestamp), "second")),
    make("span", { class: "source", title: payload.source }, payload.source),
    figure("cpu", metrics?.cpu?.usage, "percent"),
    figure("memory", metrics?.memory?.used, "bytes"));
  const ontoggle = () => setText(text, JSON.stringify(metrics, null, 2).slice(0, SHOWN_CHARACTERS));
  return make("li", {}, make("details", { ontoggle }, line, text));
}
