// Where in the dashboard the viewer is, as the address's fragment says it: so that a place can be linked and gone back to.

import { rangeText, readRange } from "./range.js";

/** Series that a page shows beside its own. */
const ADDED_MAX = 12;

/** The place that a fragment names. */
export function readPlace(fragment) {
  const words = new URLSearchParams(fragment.replace(/^#/, ""));
  return {
    app: words.get("app"),
    range: readRange(words.get("range")),
    added: [...new Set(words.getAll("add"))].slice(0, ADDED_MAX),
    bySource: words.get("by") === "source",
    p95: words.has("p95"),
  };
}

/** The fragment of a place. */
export function fragmentOf({ app, range = "live", added = [], bySource = false, p95 = false }) {
  const words = new URLSearchParams();
  if (app !== null && app !== undefined) words.set("app", app);
  if (range !== "live") words.set("range", rangeText(range));
  for (const name of added) words.append("add", name);
  if (bySource) words.set("by", "source");
  if (p95) words.set("p95", "1");
  return `#${words}`;
}
