// Reports a measurement and the metrics of this process once a second, until Ctrl-C; TypeScript, as an ES module.

import { connect, type Problem, type Publisher, type Stats } from "nsl-client";
import { startProcessMetrics } from "nsl-client/metrics";

interface QueueMetrics {
  queue: { length: number };
}

const { NSL_URL: url = "", NSL_APP: appId = "", NSL_KEY: apiKey = "" } = process.env;
const onProblem = ({ code, message, count }: Problem): void => console.error(`${code} (${count}): ${message}`);
const publisher: Publisher = connect({ url, appId, apiKey, onProblem });
const metrics = startProcessMetrics(publisher, { intervalMs: 5_000 });

const measure = (): QueueMetrics => ({ queue: { length: Math.round(10 * Math.random()) } });
const timer = setInterval(() => publisher.report(measure()), 1_000);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    clearInterval(timer);
    metrics.stop();
    const { stored, lostTotal, lost }: Stats = await publisher.close();
    console.log(`${stored} stored, ${lostTotal} lost, ${lost.overflow} of them because the buffer was full`);
  });
}
