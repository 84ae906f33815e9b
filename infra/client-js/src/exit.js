// Ends publishers with their process: what is buffered is sent when the event loop is empty, and counted at the exit.

"use strict";

/** @typedef {{beforeExit: () => void, exit: () => void}} Exiting */

/** @type {Set<Exiting>} */
const running = new Set();

/** @param {Exiting} exiting */
function watchExit(exiting) {
  if (running.size === 0) {
    process.on("beforeExit", beforeExit);
    process.on("exit", exit);
  }
  running.add(exiting);
}

/** @param {Exiting} exiting */
function unwatchExit(exiting) {
  running.delete(exiting);
  if (running.size > 0) return;
  process.off("beforeExit", beforeExit);
  process.off("exit", exit);
}

function beforeExit() {
  for (const exiting of running) exiting.beforeExit();
}

function exit() {
  for (const exiting of running) exiting.exit();
}

module.exports = { watchExit, unwatchExit };
