// Metrics of this process and its machine: what the NehonixSmartLogger library collects, under the names of its series,
// and the event loop, garbage collection and active handles.

"use strict";

const { readFileSync } = require("node:fs");
const os = require("node:os");
const { PerformanceObserver, constants, monitorEventLoopDelay, performance } = require("node:perf_hooks");
const { clearInterval, setInterval } = require("node:timers");

const INTERVAL_MS = [1_000, 100, 3_600_000];
/** Each check wakes the process: 50 a second took more processor time than all else, and see no more that lasts 50 ms. */
const DELAY_RESOLUTION_MS = 50;
const NS_PER_MS = 1e6;
/** Interfaces of a report, those with most bytes: a host of containers has hundreds, and a report at most 512 numbers. */
const INTERFACES_MAX = 8;

class Collector {
  #cpu = machineTimes();
  #processCpu = process.cpuUsage();
  #measuredAt = performance.now();
  #utilization = performance.eventLoopUtilization();
  #delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  #gc = { count: 0, majorCount: 0, pauseMs: 0 };
  #observer = new PerformanceObserver((list) => this.#countCollections(list.getEntries()));

  constructor() {
    this.#delay.enable();
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  stop() {
    this.#delay.disable();
    this.#observer.disconnect();
  }

  /** The document of a report. What cannot be read on this machine is absent. */
  collect() {
    const sections = {
      cpu: () => this.#machineCpu(),
      memory: machineMemory,
      process: () => this.#process(),
      network: networkCounters,
      eventLoop: () => this.#eventLoop(),
      gc: () => ({ ...this.#gc }),
      handles: () => ({ active: /** @type {any} */ (process).getActiveResourcesInfo().length }),
    };
    /** @type {Record<string, unknown>} */
    const document = {};
    for (const [name, read] of Object.entries(sections)) {
      try {
        document[name] = read();
      } catch {
        // Absent: a platform or a sandbox without it.
      }
    }
    return document;
  }

  #machineCpu() {
    const before = this.#cpu;
    this.#cpu = machineTimes();
    const total = this.#cpu.total - before.total;
    const usage = total > 0 ? 100 * (1 - (this.#cpu.idle - before.idle) / total) : 0;
    return { usage, cores: this.#cpu.cores, loadAverage: os.loadavg() };
  }

  #process() {
    const used = process.cpuUsage(this.#processCpu);
    const now = performance.now();
    const elapsedMs = now - this.#measuredAt;
    this.#processCpu = process.cpuUsage();
    this.#measuredAt = now;
    const cpuPercent = elapsedMs > 0 ? (used.user + used.system) / 10 / elapsedMs : 0;
    return { uptime: process.uptime(), cpuPercent, memoryUsage: process.memoryUsage() };
  }

  #eventLoop() {
    const utilization = performance.eventLoopUtilization();
    const { utilization: share } = performance.eventLoopUtilization(utilization, this.#utilization);
    this.#utilization = utilization;
    const delay = this.#delay;
    // The histogram has the times between two checks, of which the resolution is no lag.
    const lag = (/** @type {number} */ ns) => Math.max(0, ns / NS_PER_MS - DELAY_RESOLUTION_MS);
    const lagMs = delay.count === 0 ? {} : { mean: lag(delay.mean), p99: lag(delay.percentile(99)), max: lag(delay.max) };
    delay.reset();
    return { utilizationPercent: 100 * share, lagMs };
  }

  /** @param {import("node:perf_hooks").PerformanceEntry[]} entries */
  #countCollections(entries) {
    for (const { duration, detail } of entries) {
      const { kind } = Object(detail);
      this.#gc.count += 1;
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) this.#gc.majorCount += 1;
      this.#gc.pauseMs += duration;
    }
  }
}

function machineTimes() {
  const cpus = os.cpus();
  let total = 0;
  let idle = 0;
  for (const { times } of cpus) {
    total += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { total, idle, cores: cpus.length };
}

function machineMemory() {
  const total = os.totalmem();
  const free = os.freemem();
  const used = total - free;
  return { total, used, free, usagePercent: (100 * used) / total };
}

/** The counters of the interfaces; only Linux has them in a file. */
function networkCounters() {
  if (process.platform !== "linux") return undefined;
  const lines = readFileSync("/proc/net/dev", "utf8").split("\n").slice(2);
  const interfaces = lines.flatMap((line) => {
    const [, name, text] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || text === undefined) return [];
    const counters = text.split(/\s+/).map(Number);
    const [bytesReceived, packetsReceived] = counters;
    const [bytesSent, packetsSent] = counters.slice(8);
    return [{ name, counters: { bytesReceived, bytesSent, packetsReceived, packetsSent } }];
  });
  interfaces.sort((one, other) => other.counters.bytesReceived + other.counters.bytesSent - one.counters.bytesReceived - one.counters.bytesSent);
  return { interfaces: Object.fromEntries(interfaces.slice(0, INTERFACES_MAX).map(({ name, counters }) => [name, counters])) };
}

/**
 * Reports the metrics of this process at an interval. It throws nothing, and does not keep the process alive.
 * @param {{report: (metrics: object) => unknown}} publisher
 * @param {{intervalMs?: unknown}} [options]
 */
function startProcessMetrics(publisher, options) {
  try {
    const [normal, least, most] = INTERVAL_MS;
    const wanted = options?.intervalMs;
    const intervalMs = typeof wanted === "number" && wanted >= least && wanted <= most ? wanted : normal;
    const collector = new Collector();
    const timer = setInterval(() => {
      try {
        publisher.report(collector.collect());
      } catch {
        // Not a publisher: there is nothing to report to.
      }
    }, intervalMs).unref();
    const stop = () => {
      clearInterval(timer);
      collector.stop();
    };
    return Object.freeze({ stop });
  } catch {
    return Object.freeze({ stop: () => {} });
  }
}

module.exports = { startProcessMetrics, Collector };
