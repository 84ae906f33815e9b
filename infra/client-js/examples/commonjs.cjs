// Reports a measurement and the metrics of this process once a second, until Ctrl-C; a CommonJS module.
// Run it beside the local gateway: NSL_URL=ws://localhost:8087/ NSL_APP=demo NSL_KEY="$(cat .nsl/demo-key)" node commonjs.cjs

"use strict";

const { connect } = require("nsl-client");
const { startProcessMetrics } = require("nsl-client/metrics");

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
