// The row above the charts: time range, options, and the button that leaves a selection.

import { t } from "./language.js";
import { make, put } from "./elements.js";
import { RANGES } from "./range.js";
import { timeText } from "./times.js";

export class Controls {
  #change;
  #radios;
  #selected = make("span", {});
  #reset = make("button", { type: "button", class: "selected", title: t("reset"), onclick: () => this.#leave() }, this.#selected, make("span", { "aria-hidden": "true" }, "×"));
  #bySource = this.#switch("bySource");
  #p95 = this.#switch("p95");

  /** `change(part)` receives the changed parts of the route; `search` is at the end of the row. */
  constructor(change, search) {
    this.#change = change;
    this.#radios = RANGES.map((name) => make("input", { type: "radio", name: "range", value: name, onchange: () => this.#change({ range: name }) }));
    const labels = this.#radios.map((radio) => make("label", {}, radio, make("span", {}, t(radio.value))));
    const switches = [this.#bySource, this.#p95].map((input) => make("label", { class: "switch" }, input, make("span", {}, t(input.name))));
    this.element = make("div", { class: "controls" }, make("fieldset", { class: "ranges" }, make("legend", { class: "unseen" }, t("range")), labels),
      this.#reset, make("div", { class: "switches", role: "group", "aria-label": t("view") }, switches), search);
  }

  /** Shows a route. It keeps its elements, so that the focus stays. */
  show({ range, bySource, p95 }) {
    for (const radio of this.#radios) radio.checked = radio.value === range;
    this.#reset.hidden = typeof range === "string";
    if (!this.#reset.hidden) put(this.#selected, t("selectedSpan", { from: timeText(range.from, "full"), to: timeText(range.to, "full") }));
    set(this.#bySource, bySource, range !== "live" && range !== "hour");
    set(this.#p95, p95, range === "live" || (range === "hour" && bySource));
  }

  #switch(key) {
    return make("input", { type: "checkbox", name: key, onchange: ({ target }) => this.#change({ [key]: target.checked }) });
  }

  /** Moves the focus to the live range, because the button disappears. */
  #leave() {
    this.#radios[0].focus();
    this.#change({ range: "live" });
  }
}

function set(input, isOn, isDisabled) {
  input.checked = isOn && !isDisabled;
  input.disabled = isDisabled;
}
