// A gateway on free ports, and the command-line tool of an operator.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const BINARIES = resolve(process.env.NSL_BINARIES ?? join(ROOT, "target/debug"));
const START_MS = 30_000;
const POLL_MS = 30;

/** Gateways to stop when this process ends. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGINT")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Gateway {
  #child = null;
  #folder = mkdtempSync(join(tmpdir(), "nsl-dashboard-"));
  #options;
  ready = null;

  constructor(...options) {
    this.#options = options;
  }

  /** Starts it; after a stop, at the same addresses and with the same data. */
  async start() {
    const at = (address) => (address === undefined ? "127.0.0.1:0" : new URL(address).host);
    const addresses = ["--ws", at(this.ready?.ws), "--http", at(this.ready?.http)];
    const data = this.#options.includes("--memory") ? [] : ["--data", join(this.#folder, "data")];
    const paths = ["--template", join(ROOT, "template.yaml"), "--functions", BINARIES, ...data];
    const file = join(this.#folder, "ready.json");
    const all = [...paths, ...addresses, "--no-demo", "--stream-window", "2", "--ready-file", file, ...this.#options];
    this.#child = spawn(join(BINARIES, "nsl-gateway"), all, { cwd: this.#folder, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.#child);
    this.output = "";
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on("data", (text) => (this.output += text));
    this.ready = await this.#awaitReady(file);
    return this;
  }

  async stop() {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await ended;
    running.delete(child);
  }

  async end() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs `nsl` and returns its JSON output. */
  async nsl(...words) {
    const file = join(this.#folder, "ready.json");
    const { stdout } = await promisify(execFile)(join(BINARIES, "nsl"), [...words, "--json", "--local", file]);
    return JSON.parse(stdout);
  }

  async #awaitReady(file) {
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      try {
        return JSON.parse(readFileSync(file, "utf8"));
      } catch {
        await sleep(POLL_MS);
      }
    }
    throw new Error(`the gateway did not start:\n${this.output}`);
  }
}
