// Runs scripts in processes of their own, which must end by themselves.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

export const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
/** A process that lasts this long does not end by itself. */
const KILL_MS = 60_000;

/** Runs a CommonJS script, which has `connect`, `startProcessMetrics` and `show`; resolves with what it showed. */
export async function runChild(script, { args = [], env = {}, folder = PACKAGE } = {}) {
  const prelude = `
    const { connect } = require(${JSON.stringify(`${folder}/src/index.js`)});
    const { startProcessMetrics } = require(${JSON.stringify(`${folder}/src/metrics.js`)});
    const show = (value) => require("node:fs").writeSync(1, JSON.stringify(value) + "\\n");
  `;
  return runNode([...args, "-e", prelude + script], { env });
}

/** Runs node; resolves with its exit code or signal, the JSON lines of its output, and its other output. */
export function runNode(args, { env = {}, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, NODE_OPTIONS: "", ...env }, cwd, timeout: KILL_MS, killSignal: "SIGKILL" };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error?.killed) return reject(new Error(`the process did not end:\n${stdout}${stderr}`));
      const shown = stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
      resolve({ code: error?.signal ?? error?.code ?? 0, shown, stderr });
    });
  });
}
