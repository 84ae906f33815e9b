// The row above the charts: the span of time, what is drawn, the way back from a selection.

import { say } from "./language.js";
import { make, put } from "./make.js";
import { RANGES } from "./range.js";
import { timeText } from "./times.js";

export class Controls {
  #change;
  #radios;
  #selected = make("span", {});
  #reset = make("button", { type: "button", class: "selected", title: say("reset"), onclick: () => this.#leave() }, this.#selected, make("span", { "aria-hidden": "true" }, "×"));
  #bySource = this.#switch("bySource");
  #p95 = this.#switch("p95");

  /** `change(part)` is told which parts of the place the viewer wants otherwise; `search` stands at the row's end. */
  constructor(change, search) {
    this.#change = change;
    this.#radios = RANGES.map((name) => make("input", { type: "radio", name: "range", value: name, onchange: () => this.#change({ range: name }) }));
    const labels = this.#radios.map((radio) => make("label", {}, radio, make("span", {}, say(radio.value))));
    const switches = [this.#bySource, this.#p95].map((input) => make("label", { class: "switch" }, input, make("span", {}, say(input.name))));
    this.element = make("div", { class: "controls" }, make("fieldset", { class: "ranges" }, make("legend", { class: "unseen" }, say("range")), labels),
      this.#reset, make("div", { class: "switches", role: "group", "aria-label": say("view") }, switches), search);
  }

  /** Shows a place. What has the focus keeps it, so nothing is made anew. */
  show({ range, bySource, p95 }) {
    for (const radio of this.#radios) radio.checked = radio.value === range;
    this.#reset.hidden = typeof range === "string";
    if (!this.#reset.hidden) put(this.#selected, say("selectedSpan", { from: timeText(range.from, "full"), to: timeText(range.to, "full") }));
    set(this.#bySource, bySource, range !== "live" && range !== "hour");
    set(this.#p95, p95, range === "live" || (range === "hour" && bySource));
  }

  #switch(key) {
    return make("input", { type: "checkbox", name: key, onchange: ({ target }) => this.#change({ [key]: target.checked }) });
  }

  /** The button that has the focus goes away: the range that it leads to takes over. */
  #leave() {
    this.#radios[0].focus();
    this.#change({ range: "live" });
  }
}

function set(input, isOn, isDisabled) {
  input.checked = isOn && !isDisabled;
  input.disabled = isDisabled;
}
