// What a report a second costs its process: processor time and memory, beside a bare process and any other program.
// node bench/overhead.mjs [--seconds=60] [--repetitions=3] [--port=0] [NAME=PROGRAM.cjs ...]

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

import { WebSocketServer } from "ws";

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const options = { seconds: { type: "string", default: "60" }, repetitions: { type: "string", default: "3" }, port: { type: "string", default: "0" } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const others = positionals.map((word) => word.split("="));
const programs = [["bare"], ["publisher", at("publisher.cjs")], ["with metrics", at("publisher.cjs"), "metrics"], ...others];

/** A service that acknowledges reports and admits the published library, which is to be found on port 8087. */
async function startService() {
  const server = new WebSocketServer({ host: "localhost", port: Number(values.port) });
  server.on("connection", (socket) => socket.on("message", (text) => answer(socket, JSON.parse(text))));
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

const received = { reports: 0 };

function answer(socket, { type, id, data }) {
  if (type === "metrics" || type === "send_metrics") received.reports += Array.isArray(data) ? data.length : 1;
  if (type === "auth") socket.send(JSON.stringify({ type: "auth_success", payload: { userId: data.userId, appId: data.appId } }));
  if (id !== undefined) socket.send(JSON.stringify({ type: "ack", payload: { id, accepted: data.length, rejected: [] } }));
}

async function measure(url, program) {
  const before = received.reports;
  const env = { ...process.env, NODE_OPTIONS: "", NSL_URL: url, SECONDS: values.seconds };
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", at("probe.cjs"), ...program], { env });
  return { ...JSON.parse(stdout.trim().split("\n").at(-1)), reports: received.reports - before };
}

const median = (numbers) => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)];

const service = await startService();
const url = `ws://localhost:${service.address().port}/`;
const results = new Map(programs.map(([name]) => [name, []]));
// Alternating, so that what else the machine does meets all of them.
for (let repetition = 0; repetition < Number(values.repetitions); repetition += 1) {
  for (const [name, ...program] of programs) {
    const result = await measure(url, program);
    results.get(name).push(result);
    console.log(`${name}: ${JSON.stringify(result)}`);
  }
}
console.log(`\nNode.js ${process.version}, medians of ${values.repetitions} runs of ${values.seconds} s`);
console.table(Object.fromEntries([...results].map(([name, runs]) => [name, Object.fromEntries(Object.keys(runs[0]).map((field) => [field, median(runs.map((run) => run[field]))]))])));
service.close();
