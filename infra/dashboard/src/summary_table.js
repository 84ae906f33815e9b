// One row for each series: average, minimum, maximum, 95th percentile, and the change from the span before.

import { t } from "./language.js";
import { make, put, setText } from "./elements.js";
import { change, humanise, isCounter, unitOf } from "./units.js";

const P95 = 0.95;

export class SummaryTable {
  #body = make("tbody", {});
  #span = make("p", { class: "muted small" });
  #empty = make("p", { class: "muted", hidden: true }, t("spanEmpty"));
  #table = make("table", {}, make("thead", {}, make("tr", {},
    make("th", { scope: "col" }, t("series")),
    ...["avg", "min", "max"].map((key) => make("th", { scope: "col", class: "number" }, t(key))),
    make("th", { scope: "col", class: "number", title: t("p95") }, "p95"),
    make("th", { scope: "col", class: "number", title: t("changeHint") }, t("change")))), this.#body);
  element = make("section", { class: "block" }, make("header", { class: "block-head" }, make("h2", {}, t("summary")), this.#span),
    this.#empty, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("summary") }, this.#table));

  /** Shows the rows of the service; those of counters are computed from `ratesOf(name)`, the drawn rates. */
  show(rows, span, ratesOf) {
    setText(this.#span, span);
    this.#empty.hidden = rows.length > 0;
    this.#table.hidden = rows.length === 0;
    put(this.#body, rows.map((row) => tableRow(isCounter(row.name) ? rateRow(row.name, ratesOf(row.name)) : row)));
  }
}

function tableRow(row) {
  const figure = (value) => make("td", { class: "number" }, humanise(value, unitOf(row.name)));
  const changed = make("td", { class: "number" }, change(row.change));
  return make("tr", {}, make("th", { scope: "row", title: row.name }, row.name), figure(row.avg), figure(row.min), figure(row.max), figure(row.p95), changed);
}

/** A row from rates; the percentile is by nearest rank, as in the service. */
function rateRow(name, rates) {
  const known = rates.filter((rate) => rate !== null && rate !== undefined).sort((one, other) => one - other);
  if (known.length === 0) return { name };
  const avg = known.reduce((sum, rate) => sum + rate, 0) / known.length;
  return { name, avg, min: known[0], max: known.at(-1), p95: known[Math.ceil(P95 * known.length) - 1] };
}
