// One chart on a canvas: lines, a band around the first, a cursor that all charts share, selection by dragging.
// Wraps uPlot, which the page contains.

import { axisLabels, axisMarks } from "./times.js";
import { humanise } from "./units.js";

const CURSOR_KEY = "nsl";
const LINE_WIDTH = 1.6;
/** Opacities, as the last two digits of a colour. */
const BAND_ALPHA = "2e";
const AREA_ALPHA = "14";
/** Tops of a percent axis: the smallest that fits all points. */
const PERCENT_TOPS = [10, 25, 50, 100];
const HEADROOM = 1.08;
/** If the minimum exceeds this part of the maximum, an axis from zero would show a flat line. */
const FLAT = 0.75;
const LETTER_PX = 6.2;
const AXIS_MARGIN_PX = 16;
const BINARY_INCREMENTS = Array.from({ length: 60 }, (_, power) => 2 ** power);
/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 8;
/** Up to this many points between two gaps are drawn as dots: a line would be too short to see. */
const DOTS_MAX = 2;

export class Plot {
  #plot;
  #bands;

  /** `lines` have a label and a colour each, and optionally `isDashed` and `band`. */
  constructor(holder, { unit, lines, isZeroBased, theme, onCursor, onSelect, height }) {
    this.#bands = lines.map(({ band }) => Boolean(band));
    const { series, bands } = seriesOf(lines);
    this.#plot = new uPlot(
      {
        width: holder.clientWidth || 300,
        height,
        legend: { show: false },
        padding: [8, 18, 0, 0],
        cursor: cursorOptions(),
        scales: { x: { auto: false, range: (_, low, high) => [low, high] }, y: { range: (_, low, high) => extent(low, high, unit, isZeroBased) } },
        axes: [timeAxis(theme), valueAxis(unit, theme)],
        series: [{}, ...series],
        bands,
        hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)], setSelect: [(plot) => select(plot, onSelect)] },
      },
      [[0], ...series.map(() => [null])],
      holder,
    );
    followFinger(this.#plot.over);
    // For the console and tests.
    holder.plot = this.#plot;
  }

  /** Shows columns `{avg, min, max}` over `times` in milliseconds, in the window [from, to]. */
  show(times, columns, [from, to]) {
    const rows = [times.map((at) => at / 1000)];
    for (const [index, column] of columns.entries()) {
      rows.push(column.avg);
      if (this.#bands[index]) rows.push(column.max, column.min);
    }
    this.#plot.batch(() => {
      this.#plot.setData(rows, false);
      this.scroll(from, to);
    });
  }

  scroll(from, to) {
    this.#plot.setScale("x", { min: from / 1000, max: to / 1000 });
  }

  /** Shows or hides a line. */
  toggle(index, isShown) {
    const first = 1 + this.#bands.slice(0, index).reduce((sum, band) => sum + (band ? 3 : 1), 0);
    for (let series = first; series < first + (this.#bands[index] ? 3 : 1); series += 1) {
      this.#plot.setSeries(series, { show: isShown });
    }
  }

  /** Moves the cursor to a point; null hides it. */
  point(index) {
    const left = index === null ? -10 : this.#plot.valToPos(this.#plot.data[0][index], "x");
    this.#plot.setCursor({ left, top: index === null ? -10 : this.#plot.over.clientHeight / 2 });
  }

  get width() {
    return this.#plot.over.clientWidth;
  }

  resize(width) {
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: this.#plot.height });
  }

  destroy() {
    this.#plot.destroy();
  }
}

function seriesOf(lines) {
  const series = [];
  const bands = [];
  for (const { label, color, isDashed, band, hasArea } of lines) {
    const fill = hasArea ? color + AREA_ALPHA : undefined;
    const points = { show: false, filter: (plot, index) => aloneIn(plot.data[index]), size: 5, fill: color };
    series.push({ label, stroke: color, width: LINE_WIDTH, dash: isDashed ? [5, 4] : undefined, fill, points });
    if (!band) continue;
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    series.push({ ...edge, label: `${label} max` }, { ...edge, label: `${label} min` });
    bands.push({ series: [series.length - 1, series.length], fill: color + BAND_ALPHA });
  }
  return { series, bands };
}

/** The indices of the points that are alone between gaps; null if there are none. */
export function aloneIn(values) {
  const alone = [];
  let run = [];
  for (let index = 0; index <= values.length; index += 1) {
    if ((values[index] ?? null) !== null) run.push(index);
    if (values[index] !== null && index < values.length) continue;
    if (run.length <= DOTS_MAX) alone.push(...run);
    run = [];
  }
  return alone.length > 0 ? alone : null;
}

function cursorOptions() {
  const shared = (type) => type === "mousemove" || type === "mouseleave";
  return {
    y: false,
    drag: { x: true, y: false, setScale: false, dist: DRAG_MIN_PX },
    sync: { key: CURSOR_KEY, setSeries: false, filters: { pub: shared } },
    points: { size: 7, width: 2, fill: (plot, index) => plot.series[index].stroke(plot, index) },
    bind: { dblclick: () => null },
  };
}

function select(plot, onSelect) {
  const { left, width } = plot.select;
  if (width < DRAG_MIN_PX) return;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onSelect(plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000);
}

/** Touches select like the mouse when moving sideways; vertical moves scroll the page. */
function followFinger(over) {
  const mouse = { pointerdown: "mousedown", pointermove: "mousemove", pointerup: "mouseup", pointercancel: "mouseup" };
  let start = 0;
  const follow = ({ type, pointerType, clientX, clientY }) => {
    if (pointerType === "mouse") return;
    if (type === "pointerdown") start = clientX;
    // A touch that became scrolling ends where it began, so that nothing is selected.
    const at = type === "pointercancel" ? start : clientX;
    over.dispatchEvent(new MouseEvent(mouse[type], { bubbles: true, clientX: at, clientY, movementX: 1 }));
  };
  for (const type of Object.keys(mouse)) over.addEventListener(type, follow);
}

function timeAxis({ muted, grid, font }) {
  return { stroke: muted, font, size: 30, gap: 6, space: 72, grid: { show: false }, ticks: { stroke: grid, size: 4, width: 1 }, splits: (_, _axis, from, to, increment) => axisMarks(from, to, increment), values: (_, marks, _axis, _space, increment) => axisLabels(marks, increment) };
}

function valueAxis(unit, { muted, grid, font }) {
  const incrs = unit.startsWith("bytes") ? BINARY_INCREMENTS : undefined;
  const values = (_, marks) => marks.map((mark) => humanise(mark, unit));
  const size = (_, labels) => Math.ceil(Math.max(3, ...(labels ?? []).map((label) => label.length)) * LETTER_PX + AXIS_MARGIN_PX);
  return { stroke: muted, font, size, gap: 6, space: 36, incrs, grid: { stroke: grid, width: 1 }, ticks: { show: false }, values };
}

/** The ends of the value axis. */
function extent(low, high, unit, isZeroBased) {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (unit === "percent" && low >= 0) {
    const top = PERCENT_TOPS.find((one) => high <= one);
    if (top !== undefined) return [0, top];
  }
  const room = (high - low) * (HEADROOM - 1);
  if (!isZeroBased && low > FLAT * high && high > low) return [low - room, high + room];
  const bottom = Math.min(0, low * HEADROOM);
  const top = Math.max(0, high * HEADROOM);
  return top > bottom ? [bottom, top] : [0, 1];
}
