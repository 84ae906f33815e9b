// A publisher that waits for acknowledgements and counts them, and made-up reports of a machine.

import { setTimeout as sleep } from "node:timers/promises";

import { WebSocket } from "ws";

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** A batch may have 100 reports and 30 KB: docs/PROTOCOL.md. */
const BATCH = 30;
const RECONNECT_MS = 100;

export class Publisher {
  accepted = 0;
  #address;
  #app;
  #socket = null;
  #lost = null;
  #acks = new Map();
  #sent = 0;

  constructor(gateway, app) {
    this.#address = gateway.ready.ws;
    this.#app = app;
  }

  /** Publishes reports `{source, timestamp, metrics}` and waits until all are stored. */
  async publish(reports) {
    for (let start = 0; start < reports.length; start += BATCH) {
      await this.#send(reports.slice(start, start + BATCH).map((report) => ({ appId: this.#app.appId, ...report })));
    }
  }

  close() {
    this.#socket?.close();
  }

  /** Repeats a batch if the connection ends before its acknowledgement: storing is idempotent. */
  async #send(batch) {
    for (;;) {
      const socket = await this.#open();
      const id = `batch-${(this.#sent += 1)}`;
      const ack = new Promise((resolve) => this.#acks.set(id, resolve));
      socket.send(JSON.stringify({ type: "metrics", id, data: batch }));
      const payload = await Promise.race([ack, this.#lost]);
      this.#acks.delete(id);
      if (payload === null) continue;
      if (payload.rejected?.length > 0) throw new Error(JSON.stringify(payload.rejected));
      this.accepted += batch.length;
      return;
    }
  }

  async #open() {
    while (this.#socket?.readyState !== WebSocket.OPEN) {
      const socket = new WebSocket(this.#address, { headers: { "x-api-key": this.#app.apiKey } });
      socket.on("message", (text) => this.#onFrame(JSON.parse(text)));
      const opened = new Promise((resolve) => {
        socket.once("open", () => resolve(true));
        socket.once("error", () => resolve(false));
      });
      if (await opened) {
        this.#socket = socket;
        this.#lost = new Promise((resolve) => socket.once("close", () => resolve(null)));
      } else {
        await sleep(RECONNECT_MS);
      }
    }
    return this.#socket;
  }

  #onFrame({ type, payload }) {
    if (type === "ack") this.#acks.get(payload.id)?.(payload);
    if (type === "error") throw new Error(JSON.stringify(payload));
  }
}

/** A report of a busy web server at an instant: waves of a day and of minutes, and a little noise. */
export function machineReport(source, at, load = 0.35) {
  const hour = at / 3_600_000;
  const seed = [...source].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 997;
  const noise = (salt) => Math.abs(Math.sin(at / 1000 + seed * 13 + salt * 77) * 43758.5453) % 1;
  const day = 0.5 + 0.5 * Math.sin(((hour % 24) / 24) * 2 * Math.PI - 2 + seed / 997);
  const wave = 0.5 + 0.5 * Math.sin(at / 47_000 + seed) * Math.sin(at / 211_000);
  const usage = Math.min(98, 100 * load * (0.25 + 0.8 * day + 0.35 * wave) + 7 * noise(1));
  const used = 16 * GIB * (0.42 + 0.12 * day + 0.03 * wave + 0.004 * noise(2));
  const rss = 210 * MIB + 60 * MIB * ((at / 900_000 + seed / 97) % 1) + 5 * MIB * noise(3);
  const bytes = (rate) => Math.floor((at / 1000 - 1.6e9) * rate * 1e3 + 2e7 * Math.sin(at / 61_000 + seed) + 2e6 * noise(4));
  return {
    source,
    timestamp: at,
    metrics: {
      cpu: { usage, cores: 4, loadAverage: [usage / 22, usage / 26 + 0.2, day * 1.8 + 0.3] },
      memory: { total: 16 * GIB, used, free: 16 * GIB - used, usagePercent: (100 * used) / (16 * GIB) },
      process: { uptime: 86_400 + (at / 1000) % 86_400, memoryUsage: { rss, heapTotal: rss * 0.62, heapUsed: rss * (0.4 + 0.1 * noise(5)) } },
      network: { interfaces: { eth0: { bytesReceived: bytes(840), bytesSent: bytes(310), packetsReceived: Math.floor(bytes(840) / 900), packetsSent: Math.floor(bytes(310) / 700) } } },
      activeConnections: Math.round(40 + 160 * day + 30 * wave),
      queue: { length: Math.round(12 * wave * day) },
    },
  };
}
