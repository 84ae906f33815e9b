// A small line without axes. A point between two gaps is a dash.

import { draw } from "./elements.js";

const WIDTH = 120;
const HEIGHT = 32;
const MARGIN = 2;
/** Half the width of a lone point, in points. */
const DASH = 0.5;

/** A drawing of `values`, from their minimum or 0 up to their maximum or `top`. */
export function sparkLine(values, label, top = 0) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(top, low + 1, ...known);
  const x = (index) => (MARGIN + (index / Math.max(1, values.length - 1)) * (WIDTH - 2 * MARGIN)).toFixed(1);
  const y = (value) => (HEIGHT - MARGIN - ((value - low) / (high - low)) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const ends = (run) => (run.length > 1 ? run : [[run[0][0] - DASH, run[0][1]], [run[0][0] + DASH, run[0][1]]]);
  const lines = runs(values).map((run) => ends(run).map(([index, value]) => `${x(index)},${y(value)}`));
  const areas = lines.map((points) => {
    const [first, last] = [points[0], points.at(-1)].map((point) => point.split(",")[0]);
    return draw("polygon", { points: `${first},${HEIGHT} ${points.join(" ")} ${last},${HEIGHT}` });
  });
  const strokes = lines.map((points) => draw("polyline", { points: points.join(" ") }));
  const box = { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return draw("svg", box, areas, strokes);
}

/** The runs of `values` without a gap, each as pairs of index and value. */
function runs(values) {
  const found = [];
  let run = null;
  for (const [index, value] of values.entries()) {
    if (value === null) run = null;
    else if (run === null) found.push((run = [[index, value]]));
    else run.push([index, value]);
  }
  return found;
}
