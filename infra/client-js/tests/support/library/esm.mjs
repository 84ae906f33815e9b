// The model as an ES module.

import fs from "fs";

import WebSocket from "ws";

import model from "./model.cjs";

export const libraryOf = (options) => model.libraryOn(WebSocket, fs, options);
