// The entry with process metrics, as a CommonJS module.

"use strict";

const { startProcessMetrics } = require("./process_metrics.js");

exports.startProcessMetrics = startProcessMetrics;
