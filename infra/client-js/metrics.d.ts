// The types of the entry with process metrics.

import type { Publisher } from "./index.js";

export interface ProcessMetricsOptions {
  /** Time between two reports, from 100 to 3,600,000. Default 1,000. */
  intervalMs?: number;
}

/** The collector of process metrics. */
export interface ProcessMetrics {
  /** Ends the reports. */
  stop(): void;
}

/** Reports the metrics of this process at an interval, until it is stopped. It throws nothing and holds no process. */
export function startProcessMetrics(publisher: Pick<Publisher, "report">, options?: ProcessMetricsOptions): ProcessMetrics;
