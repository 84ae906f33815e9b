// The types of the entry with process metrics, for ES modules.

export * from "./metrics.js";
