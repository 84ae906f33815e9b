// The entry with process metrics as an ES module: the same instance that `require` returns.

import metrics from "./dist/metrics.js";

export const { startProcessMetrics } = metrics;
