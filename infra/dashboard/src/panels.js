// The charts of an application and the series of each: those of the library first, then those that the viewer added.

/** Requested before any name is known. */
const FIRST_PATTERNS = [
  "cpu.usage",
  "memory.used",
  "memory.total",
  "process.memoryUsage.rss",
  "process.memoryUsage.heapUsed",
  "process.memoryUsage.heapTotal",
  "cpu.loadAverage.*",
  "network.interfaces.*.bytes*",
];
const LOAD_MINUTES = ["1 min", "5 min", "15 min"];
/** Most interfaces in the network chart; others can be searched. */
const INTERFACES_MAX = 3;
const INTERFACE = /^network\.interfaces\.(.+)\.bytes(Received|Sent)$/;

/** The entries of the parameter `series` with these series added. */
export function selection(added) {
  return [...FIRST_PATTERNS, ...added.map(seriesParam)];
}

/** A comma would end the entry, so a name with one is requested by a pattern that matches it. */
export function seriesParam(name) {
  return name.replaceAll(",", "*");
}

/** The charts for these names: `{id, title, lines: [{name, label}]}`, all lines in one unit; `title` is a key of the texts. */
export function panelsOf(names, added) {
  const known = new Set(names);
  const lines = (...pairs) => pairs.filter(([name]) => known.has(name)).map(([name, label]) => ({ name, label }));
  const memory = "process.memoryUsage";
  const panels = [
    panel("cpu", lines(["cpu.usage", "total"])),
    panel("memory", lines(["memory.used", "used"], ["memory.total", "total"])),
    panel("process", lines([`${memory}.rss`, "rss"], [`${memory}.heapUsed`, "heapUsed"], [`${memory}.heapTotal`, "heapTotal"])),
    panel("load", lines(...LOAD_MINUTES.map((label, index) => [`cpu.loadAverage.${index}`, label]))),
    panel("network", networkLines(names)),
  ];
  const own = added.map((name) => ({ id: `series:${name}`, title: name, isAdded: true, lines: [{ name, label: name }] }));
  return [...panels.filter((one) => one.lines.length > 0), ...own];
}

function panel(id, lines) {
  return { id, title: id, lines };
}

function networkLines(names) {
  const found = names.map((name) => INTERFACE.exec(name)).filter((match) => match !== null && !isLoopback(match[1]));
  const interfaces = [...new Set(found.map(([, label]) => label))].sort().slice(0, INTERFACES_MAX);
  const line = (label, way) => ({ name: `network.interfaces.${label}.bytes${way}`, label: `${label} ${way === "Sent" ? "↑" : "↓"}` });
  const known = new Set(names);
  return interfaces.flatMap((label) => [line(label, "Received"), line(label, "Sent")]).filter(({ name }) => known.has(name));
}

function isLoopback(name) {
  return name === "lo" || name === "lo0" || name.startsWith("Loopback");
}
