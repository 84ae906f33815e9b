// Real servers on free ports of this machine, and a socket of the package that records what it hears.

import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createRequire } from "node:module";
import { createServer as createTcpServer } from "node:net";

import { WebSocketServer } from "ws";

const { Socket } = createRequire(import.meta.url)("../../src/socket.js");
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const POLL_MS = 20;

export async function until(isTrue) {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function listening(server, end) {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ url: `ws://127.0.0.1:${server.address().port}/`, end }));
  });
}

/** A server of another implementation, on this HTTP server: `script(socket, request)` has the connection. */
export function wsServer(script, http = createHttpServer()) {
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    script(socket, request);
  });
  return listening(http, () => {
    for (const client of server.clients) client.terminate();
    http.close();
  });
}

/** A server that answers HTTP. */
export function httpServer(respond) {
  const server = createHttpServer(respond);
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {});
    respond(request, { writeHead: (...args) => socket.write(head(...args)), end: (text = "") => socket.end(text) });
  });
  return listening(server, () => {
    server.closeAllConnections?.();
    server.close();
  });
}

function head(status, headers = {}) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Reason\r\n${lines.join("")}\r\n`;
}

/** A server of bytes: `script(socket)` has each connection. */
export function tcpServer(script) {
  const sockets = new Set();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    script(socket);
  });
  return listening(server, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

/** A server that accepts the handshake, together with the bytes `first`; `script(socket)` has each connection. */
export function acceptingServer(script, first = Buffer.alloc(0)) {
  return tcpServer((socket) => {
    socket.once("data", (request) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString())[1];
      const accept = createHash("sha1").update(key + GUID).digest("base64");
      const answer = Buffer.from(head(101, { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Accept": accept }));
      socket.setNoDelay(true);
      socket.write(Buffer.concat([answer, first]));
      script(socket);
    });
  });
}

/** A server that accepts the handshake and then sends these bytes, in chunks of `size`. */
export function rawServer(bytes, size = bytes.length, received = []) {
  const script = (socket) => {
    socket.on("data", (chunk) => received.push(chunk));
    const rest = [];
    for (let start = size; start < bytes.length; start += size) rest.push(bytes.subarray(start, start + size));
    const next = () => rest.length > 0 && socket.write(rest.shift(), () => setImmediate(next));
    setImmediate(next);
  };
  return acceptingServer(script, bytes.subarray(0, size));
}

/** Opens a socket of the package, and resolves with `{opened, texts, ended}` when it ended. */
export function connectOnce(url, { onOpen = () => {}, onText = () => {} } = {}) {
  return new Promise((resolve) => {
    // The package's socket holds no process, not even that of a test.
    const hold = setInterval(() => {}, 1_000);
    const record = { opened: 0, texts: [] };
    const socket = new Socket(new URL(url), "the-key", {
      opened: () => {
        record.opened += 1;
        // Not within the constructor's caller.
        queueMicrotask(() => onOpen(socket));
      },
      received: (text) => {
        record.texts.push(text);
        onText(socket, text);
      },
      ended: (ended) => {
        clearInterval(hold);
        resolve({ ...record, ended });
      },
    });
  });
}
