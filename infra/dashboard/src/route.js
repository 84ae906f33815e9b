// The route: the application and options of the page, in the fragment of the address, for links and the back button.

import { rangeText, readRange } from "./range.js";

/** Most series that a viewer can add. */
const ADDED_MAX = 12;

/** The route of a fragment. */
export function readRoute(fragment) {
  const params = new URLSearchParams(fragment.replace(/^#/, ""));
  return {
    app: params.get("app"),
    range: readRange(params.get("range")),
    added: [...new Set(params.getAll("add"))].slice(0, ADDED_MAX),
    bySource: params.get("by") === "source",
    p95: params.has("p95"),
  };
}

/** The fragment of a route. */
export function fragmentOf({ app, range = "live", added = [], bySource = false, p95 = false }) {
  const params = new URLSearchParams();
  if (app !== null && app !== undefined) params.set("app", app);
  if (range !== "live") params.set("range", rangeText(range));
  for (const name of added) params.append("add", name);
  if (bySource) params.set("by", "source");
  if (p95) params.set("p95", "1");
  return `#${params}`;
}
