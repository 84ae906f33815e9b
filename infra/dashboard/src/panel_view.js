// A chart with its title, current value, legend and keyboard control.

import { language, t, tCount } from "./language.js";
import { make, put, setText } from "./elements.js";
import { Plot } from "./plot.js";
import { pointText, timeText } from "./times.js";
import { count, humanise, unitOf } from "./units.js";

const HEIGHT_PX = 190;
/** Number of line colours in the style sheet. */
const COLORS = 8;
/** The part of the window that a key zooms to, around the cursor. */
const ZOOM = 0.5;

export class PanelView {
  #panel;
  #actions;
  #plot = null;
  #plotKey = "";
  #shown = { times: [], step: 1, lines: [], columns: [], window: [0, 0], coverage: null };
  #cursor = null;
  #value = make("p", { class: "value" });
  #note = make("p", { class: "note" });
  #legend = make("ul", { class: "legend" });
  #holder = make("div", { class: "plot", tabindex: "0", role: "group", "aria-roledescription": "chart" });
  #status = make("p", { class: "unseen", "aria-live": "polite" });
  #empty = make("p", { class: "empty muted", hidden: true });

  /** `actions`: onSelect(from, to), onReset() and, for a panel that was added, onRemove(name). */
  constructor(panel, actions) {
    this.#panel = panel;
    this.#actions = actions;
    this.title = panel.isAdded ? panel.title : t(panel.title);
    this.#holder.addEventListener("keydown", (event) => this.#onKey(event));
    this.#holder.addEventListener("blur", () => this.#moveTo(null));
    const remove = make("button", { type: "button", class: "icon", "aria-label": t("remove", { name: panel.title }), onclick: () => actions.onRemove(panel.title) }, "×");
    const heading = make("h2", { title: this.title }, this.title);
    const head = make("header", {}, heading, this.#note, this.#value, panel.isAdded ? remove : null);
    this.element = make("section", { class: "panel", "aria-label": this.title }, head, this.#holder, this.#empty, this.#legend, this.#status);
    new ResizeObserver(() => this.#plot?.resize(this.#holder.clientWidth)).observe(this.#holder);
  }

  /** Whether it is in or near the visible part of the page; others are not drawn. */
  isNear() {
    const { top, bottom } = this.element.getBoundingClientRect();
    return bottom > -HEIGHT_PX && top < innerHeight + HEIGHT_PX;
  }

  /**
   * Shows `{times, step, lines, columns, window, coverage}`; each line has a label, a colour's number and perhaps a band.
   * If lines are sources, `coverage` is the label of what is shown of each.
   */
  show(shown) {
    this.#shown = shown;
    const isEmpty = shown.columns.every(({ avg }) => avg.every((value) => value === null || value === undefined));
    this.#empty.hidden = !isEmpty;
    setText(this.#empty, t("spanEmpty"));
    const key = JSON.stringify([shown.lines, language(), document.documentElement.dataset.theme]);
    if (key !== this.#plotKey) this.#build(key);
    this.#plot.show(shown.times, shown.columns, shown.window);
    this.#showValues();
  }

  scroll(from, to) {
    this.#shown.window = [from, to];
    this.#plot?.scroll(from, to);
  }

  get width() {
    return this.#plot?.width ?? 1;
  }

  close() {
    this.#plot?.destroy();
  }

  #build(key) {
    this.#plotKey = key;
    this.#plot?.destroy();
    const { lines, step } = this.#shown;
    const theme = readTheme();
    const colored = lines.map((line) => ({ ...line, color: theme.lines[line.color % COLORS] }));
    this.#plot = new Plot(this.#holder, {
      unit: this.#unit(), lines: colored, isZeroBased: !this.#panel.isAdded, theme, height: HEIGHT_PX, step,
      onCursor: (index) => this.#hover(index),
      onSelect: (from, to) => this.#actions.onSelect(from, to),
    });
    this.#list(lines);
  }

  #list(lines) {
    const entries = lines.map((line, index) => {
      const value = make("span", { class: "figure" });
      const swatch = make("i", { class: line.isDashed ? "swatch dashed" : "swatch" });
      swatch.style.setProperty("--swatch", `var(--line-${line.color % COLORS})`);
      const press = make("button", { type: "button", "aria-pressed": "true", title: t("hide", { name: line.label }), onclick: () => this.#toggle(index, press) },
        swatch, make("span", { class: "name" }, line.label), value);
      return make("li", {}, press);
    });
    put(this.#legend, entries);
    this.#legend.hidden = this.#panel.isAdded && lines.length < 2;
  }

  #toggle(index, press) {
    const isShown = press.getAttribute("aria-pressed") === "false";
    press.setAttribute("aria-pressed", String(isShown));
    this.#plot.toggle(index, isShown);
  }

  #hover(index) {
    if ((index ?? null) === this.#cursor) return;
    this.#cursor = index ?? null;
    this.#showValues();
  }

  /** Shows the values at the cursor, or the latest. */
  #showValues() {
    const { times, step, columns, lines, coverage } = this.#shown;
    const values = columns.map(({ avg }) => (this.#cursor === null ? latest(avg) : valueNear(avg, this.#cursor)));
    const texts = values.map((value) => humanise(value, this.#unit()));
    const numbers = values.filter((value) => typeof value === "number");
    const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
    const what = coverage === null ? "" : `${coverage}, ${t("meanOf", { n: tCount("sources", numbers.length, count(numbers.length)) })}`;
    setText(this.#value, coverage === null ? texts[0] ?? "" : humanise(mean, this.#unit()));
    setText(this.#note, times[this.#cursor] === undefined ? what : pointText(times[this.#cursor], step));
    for (const [index, item] of [...this.#legend.children].entries()) setText(item.querySelector(".figure"), texts[index] ?? "");
    const readout = lines.map(({ label }, index) => `${label} ${texts[index]}`).join(", ");
    if (this.#cursor === null) this.#name(what === "" ? this.title : `${this.title}, ${what}`, readout);
    return readout;
  }

  #name(title, readout) {
    const [from, to] = this.#shown.window.map((at) => timeText(at, "minute"));
    const label = t("chart", { title, span: t("selectedSpan", { from, to }), values: readout || t("nothing") });
    if (this.#holder.getAttribute("aria-label") !== label) this.#holder.setAttribute("aria-label", label);
  }

  #onKey(event) {
    const { times } = this.#shown;
    const last = lastVisible(times, this.#shown.window);
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (move !== undefined) this.#moveTo(Math.min(last, Math.max(0, (this.#cursor ?? last) + move)));
    else if (event.key === "Home") this.#moveTo(0);
    else if (event.key === "End") this.#moveTo(last);
    else if (event.key === "Escape") this.#actions.onReset();
    else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "+" ? ZOOM : 1 / ZOOM);
    else return;
    event.preventDefault();
  }

  #moveTo(index) {
    if (this.#plot === null || this.#shown.times.length === 0) return;
    this.#plot.point(index);
    this.#cursor = index;
    const readout = this.#showValues();
    setText(this.#status, index === null ? "" : `${pointText(this.#shown.times[index], this.#shown.step)}: ${readout}`);
  }

  #zoom(part) {
    const [from, to] = this.#shown.window;
    const middle = this.#cursor === null ? (from + to) / 2 : this.#shown.times[this.#cursor];
    const half = ((to - from) * part) / 2;
    this.#actions.onSelect(middle - half, middle + half);
  }

  #unit() {
    return unitOf(this.#panel.lines[0].name);
  }
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const lines = Array.from({ length: COLORS }, (_, index) => read(`--line-${index}`));
  return { muted: read("--muted"), grid: read("--grid"), font: `11px ${getComputedStyle(document.body).fontFamily}`, lines };
}

/** The last value; a running point may have none. */
function latest(values) {
  let nulls = 0;
  for (let index = values.length - 1; index >= 0 && nulls < 2; index -= 1) {
    if (values[index] === null) nulls += 1;
    else if (values[index] !== undefined) return values[index];
  }
  return null;
}

/** The value of a point, or of the last one before it that has one. */
function valueNear(values, index) {
  let at = index;
  while (at > 0 && values[at] === undefined) at -= 1;
  return values[at] ?? null;
}

function lastVisible(times, [, to]) {
  let last = times.length - 1;
  while (last > 0 && times[last] > to) last -= 1;
  return last;
}
