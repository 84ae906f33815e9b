// The model as compiled by tsc: CommonJS.
"use strict";

const fs = require("fs");
const WebSocket = require("ws");

const { libraryOn } = require("./model.cjs");

exports.libraryOf = (options) => libraryOn(WebSocket, fs, options);
