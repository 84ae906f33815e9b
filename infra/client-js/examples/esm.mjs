// Reports a measurement and the metrics of this process once a second, until Ctrl-C; an ES module.
// Run it beside the local gateway: NSL_URL=ws://localhost:8087/ NSL_APP=demo NSL_KEY="$(cat .nsl/demo-key)" node esm.mjs

import { connect } from "nsl-client";
import { startProcessMetrics } from "nsl-client/metrics";

const { NSL_URL: url, NSL_APP: appId, NSL_KEY: apiKey } = process.env;
const publisher = connect({ url, appId, apiKey });
const metrics = startProcessMetrics(publisher);
const timer = setInterval(() => publisher.report({ queue: { length: Math.round(10 * Math.random()) } }), 1_000);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    clearInterval(timer);
    metrics.stop();
    console.log(await publisher.close());
  });
}
