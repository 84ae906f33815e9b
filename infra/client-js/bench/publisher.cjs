// A process that reports once a second: its metrics if the argument is `metrics`, or a number.

"use strict";

const { connect } = require("../dist/index.js");

const publisher = connect({ url: process.env.NSL_URL, appId: "shop", apiKey: "key" });
if (process.argv.includes("metrics")) require("../dist/metrics.js").startProcessMetrics(publisher);
else setInterval(() => publisher.report({ queue: { length: 3 } }), 1_000);
