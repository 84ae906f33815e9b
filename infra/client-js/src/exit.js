// Ends publishers with their process: what is buffered is sent when the event loop is empty, and counted at the exit.

"use strict";

/** @typedef {{beforeExit: () => void, exit: () => void}} Exiting */

/** @type {Set<Exiting>} */
const running = new Set();
const beforeExit = () => running.forEach((exiting) => exiting.beforeExit());
const exit = () => running.forEach((exiting) => exiting.exit());

/** @param {Exiting} exiting */
function watchExit(exiting) {
  if (running.size === 0) process.on("beforeExit", beforeExit).on("exit", exit);
  running.add(exiting);
}

/** @param {Exiting} exiting */
function unwatchExit(exiting) {
  running.delete(exiting);
  if (running.size === 0) process.off("beforeExit", beforeExit).off("exit", exit);
}

module.exports = { watchExit, unwatchExit };
