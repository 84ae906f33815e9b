// Runs the program that is its argument for some seconds in this process, and prints what the process took.

"use strict";

const WARM_UP_MS = 5_000;

setInterval(() => {}, 1_000);
if (process.argv[2] !== undefined) require(require("node:path").resolve(process.argv[2]));

setTimeout(() => {
  const before = process.cpuUsage();
  setTimeout(() => {
    const { user, system } = process.cpuUsage(before);
    const { rss } = process.memoryUsage();
    globalThis.gc();
    const { heapUsed } = process.memoryUsage();
    const inMb = (bytes) => Number((bytes / 1e6).toFixed(1));
    process.stdout.write(`\n${JSON.stringify({ cpuMs: Math.round((user + system) / 1_000), rssMb: inMb(rss), heapMb: inMb(heapUsed) })}\n`);
    process.exit();
  }, 1_000 * Number(process.env.SECONDS));
}, WARM_UP_MS);
