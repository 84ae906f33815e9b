// The row above the charts: the span of time, what is drawn, the way back from a selection.

import { say } from "./language.js";
import { make, put } from "./make.js";
import { RANGES } from "./range.js";
import { timeText } from "./times.js";

export class Controls {
  element = make("div", { class: "controls" });
  #change;

  /** `change(part)` is told which parts of the place the viewer wants otherwise. */
  constructor(change) {
    this.#change = change;
  }

  show({ range, bySource, p95 }, search) {
    const isNamed = typeof range === "string";
    const radios = RANGES.map((name) => {
      const input = make("input", { type: "radio", name: "range", value: name, checked: name === range, onchange: () => this.#change({ range: name }) });
      return make("label", {}, input, make("span", {}, say(name)));
    });
    const toSources = this.#switch("bySource", bySource, range !== "live" && range !== "hour");
    const toP95 = this.#switch("p95", p95, range === "live" || (range === "hour" && bySource));
    put(this.element, make("fieldset", { class: "ranges" }, make("legend", { class: "unseen" }, say("range")), radios),
      isNamed ? null : this.#selected(range), make("div", { class: "switches", role: "group", "aria-label": say("view") }, toSources, toP95), search);
  }

  #switch(key, isOn, isDisabled) {
    const input = make("input", { type: "checkbox", checked: isOn && !isDisabled, disabled: isDisabled, onchange: () => this.#change({ [key]: input.checked }) });
    return make("label", { class: "switch" }, input, make("span", {}, say(key)));
  }

  #selected({ from, to }) {
    const span = say("selectedSpan", { from: timeText(from, "full"), to: timeText(to, "full") });
    return make("button", { type: "button", class: "selected", title: say("reset"), onclick: () => this.#change({ range: "live" }) }, span, make("span", { "aria-hidden": "true" }, "×"));
  }
}
