// The publisher's entry, as a CommonJS module.

"use strict";

const { startPublisher } = require("./publisher.js");

exports.connect = (/** @type {unknown} */ options) => startPublisher(options);
