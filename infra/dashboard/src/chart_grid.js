// The charts of a page: which there are, their columns, and when they are drawn. Charts outside the visible part are
// skipped.

import { make, put } from "./elements.js";
import { PanelView } from "./panel_view.js";
import { panelsOf } from "./panels.js";
import { LIVE_MS } from "./range.js";
import { t } from "./language.js";
import { isCounter } from "./units.js";

/** Charts are redrawn from the reports at most this often; in between they only scroll. */
const REDRAW_LIVE_MS = 250;
const REDRAW_HISTORY_MS = 1_000;
/** With reduced motion, live charts scroll once a second. */
const CALM_MS = 1_000;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
/** The live window ends this long ago, because reports take that long to arrive. */
const LIVE_DELAY_MS = 1_000;

export class ChartGrid {
  element = make("div", { class: "charts" });
  #model;
  #actions;
  #views = new Map();
  #isDirty = true;
  #drawnAt = -Infinity;
  #movedTo = 0;
  #arranged = "";
  /** Charts that were not visible when the others were drawn. */
  #skipped = [];

  constructor(model, actions) {
    this.#model = model;
    this.#actions = actions;
  }

  /** New data arrived: the charts are redrawn when due. */
  touch() {
    this.#isDirty = true;
  }

  /** The charts are redrawn at once. */
  redraw() {
    this.#drawnAt = -Infinity;
    this.#isDirty = true;
  }

  /** Draws one frame at `now`; `clock` is monotonic. */
  frame(route, now, clock) {
    const every = route.range === "live" ? REDRAW_LIVE_MS : REDRAW_HISTORY_MS;
    if (this.#skipped.some((view) => view.isNear())) this.redraw();
    const isDue = clock - this.#drawnAt >= every && (this.#isDirty || clock - this.#drawnAt >= 10 * every);
    if (isDue) {
      this.#drawnAt = clock;
      this.#isDirty = false;
      this.#draw(route, now);
    } else if (route.range === "live") {
      this.#move(now);
    }
  }

  /** The points of a series in the shown range. */
  rates(name, route, now) {
    return this.#model.columns([name], { ...route, range: route.range === "live" ? "hour" : route.range, bySource: false }, now).lines[0]?.avg ?? [];
  }

  close() {
    for (const view of this.#views.values()) view.close();
  }

  #draw(route, now) {
    const panels = panelsOf(this.#model.names(), route.added);
    this.#arrange(panels);
    const window = windowOf(route.range, now);
    this.#skipped = [];
    for (const panel of panels) {
      const view = this.#views.get(panel.id);
      if (!view.isNear()) {
        this.#skipped.push(view);
        continue;
      }
      const { times, step, lines } = this.#model.columns(panel.lines.map(({ name }) => name), route, now);
      const drawn = lines.flatMap((column, index) => drawnOf(panel, column, index, route));
      const coverage = lines.some(({ source }) => source !== undefined) ? labelOf(panel.lines[0]) : null;
      view.show({ times, step, coverage, window: window ?? spanOf(times, step), lines: drawn.map(({ line }) => line), columns: drawn.map(({ column }) => column) });
    }
    this.#movedTo = now;
  }

  #arrange(panels) {
    const key = (one) => one.map(({ id, lines }) => `${id}:${lines.length}`).join("\n");
    if (this.#arranged === key(panels)) return;
    this.#arranged = key(panels);
    const shownIds = new Set(panels.map(({ id }) => id));
    for (const [id, view] of this.#views) {
      if (shownIds.has(id)) continue;
      view.close();
      this.#views.delete(id);
    }
    for (const panel of panels) if (!this.#views.has(panel.id)) this.#views.set(panel.id, new PanelView(panel, this.#actions));
    put(this.element, panels.map(({ id }) => this.#views.get(id).element));
  }

  #move(now) {
    const [view] = this.#views.values();
    const least = CALM.matches ? CALM_MS : LIVE_MS / (view?.width ?? 1) / devicePixelRatio;
    if (Math.abs(now - this.#movedTo) < least) return;
    this.#movedTo = now;
    const [from, to] = windowOf("live", now);
    for (const one of this.#views.values()) if (one.isNear()) one.scroll(from, to);
  }
}

/** The lines of a column: itself with its band, and its 95th percentile. */
function drawnOf(panel, column, index, { range, p95 }) {
  if (column.source !== undefined) return [{ line: { label: column.source, color: index }, column }];
  const { name, label } = panel.lines[index];
  const band = index === 0 && !isCounter(name) && column.min !== undefined;
  const line = { label: labelOf(panel.lines[index]), color: index, band, hasArea: index === 0, isDashed: label === "total" && index > 0 };
  const drawn = [{ line, column }];
  const isWanted = p95 && range !== "live" && index === 0 && !isCounter(name);
  if (isWanted) drawn.push({ line: { label: "p95", color: 3, isDashed: true }, column: { avg: column.p95 } });
  return drawn;
}

function labelOf({ name, label }) {
  return /[↓↑]| min$/.test(label) || label === name ? label : t(label);
}

/** The window of the live view; other ranges show all their points. */
function windowOf(range, now) {
  return range === "live" ? [now - LIVE_DELAY_MS - LIVE_MS, now - LIVE_DELAY_MS] : null;
}

function spanOf(times, step) {
  return times.length === 0 ? [0, step] : [times[0], Math.max(times.at(-1), times[0] + step)];
}
