// The numbers of a metrics document by dotted path, as the service names series.

/** More than the service accepts: only protects the page. */
const DEPTH_MAX = 16;

/** Names and values of the finite numbers in `document`, in its order. */
export function samplesOf(document) {
  const samples = { names: [], values: [] };
  collect(document, "", 0, samples);
  return samples;
}

function collect(node, path, depth, samples) {
  if (typeof node === "number") {
    if (Number.isFinite(node) && path !== "") {
      samples.names.push(path);
      samples.values.push(node);
    }
    return;
  }
  if (node === null || typeof node !== "object" || depth > DEPTH_MAX) return;
  for (const [name, child] of Object.entries(node)) {
    // The first part has no dot; the path does not show that it is the first, because a key may be empty.
    collect(child, depth === 0 ? name : `${path}.${name}`, depth + 1, samples);
  }
}
