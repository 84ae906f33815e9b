// Whole applications with the model of the library, in every format that loads it, and what they show.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildSync } from "esbuild";

import { PACKAGE } from "../child.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
export const UPGRADE = join(PACKAGE, "src/upgrade.js");
export const FORMATS = ["commonjs", "esm", "bundled commonjs", "bundled esm"];
const KILL_MS = 60_000;

const REQUIRE = 'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);';

/** A folder with the library's configuration file and, for each format, the beginning of an application. */
export function hostFolder(t, { userId = "me", appId = "shop", ...app } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "nsl-upgrade-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ user: { userId }, app: { appId, ...app }, logLevel: "debug" }));
  return folder;
}

/** Writes an application whose `script` has `library`, `show` and `upgrade`, if that is loaded by its first line. */
export function writeHost(folder, script, { format = "commonjs", firstLine = "", options = {} } = {}) {
  const isEsm = format.endsWith("esm");
  const from = join(HERE, isEsm ? "esm.mjs" : "commonjs.cjs");
  const load = isEsm ? `import { libraryOf } from ${JSON.stringify(from)};` : `const { libraryOf } = require(${JSON.stringify(from)});`;
  const fs = isEsm ? 'import { writeSync } from "node:fs";' : 'const { writeSync } = require("node:fs");';
  const text = `${firstLine}\n${load}\n${fs}
    const show = (value) => writeSync(1, JSON.stringify(value) + "\\n");
    const library = libraryOf({ ...${JSON.stringify(options)}, show });
    const start = () => library.from(${JSON.stringify(folder)}).import("config.json").enableRemoteMode().initialize();
    ${script}`;
  const file = join(folder, isEsm ? "host.mjs" : "host.cjs");
  writeFileSync(file, text);
  if (!format.startsWith("bundled")) return file;
  const bundle = join(folder, isEsm ? "bundle.mjs" : "bundle.cjs");
  const banner = isEsm ? { js: REQUIRE } : {};
  buildSync({ entryPoints: [file], bundle: true, platform: "node", format: isEsm ? "esm" : "cjs", outfile: bundle, banner, external: [UPGRADE], logLevel: "error" });
  return bundle;
}

/** Runs a host; `lines` grows while it runs, `ended` resolves with its exit code and other output. */
export function runHost(t, file, { args = ["-r", UPGRADE], env = {} } = {}) {
  const { NSL_URL, NSL_API_KEY, NSL_KEY, NODE_OPTIONS, ...inherited } = process.env;
  const child = spawn(process.execPath, [...args, file], { env: { ...inherited, ...env }, timeout: KILL_MS, killSignal: "SIGKILL", stdio: ["pipe", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = [];
  let unread = "";
  child.stdout.on("data", (text) => {
    const parts = (unread + text).split("\n");
    unread = parts.pop();
    lines.push(...parts.map((line) => JSON.parse(line)));
  });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  const ended = new Promise((resolve) => child.on("close", (code) => resolve({ code, lines, stderr })));
  return { child, lines, ended };
}
