// The WebSocket client of the package, against another implementation and against bytes that no server should send.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { test } from "node:test";

import { acceptingServer, connectOnce, httpServer, rawServer, tcpServer, until, wsServer } from "./support/loopback.mjs";

const { startPublisher } = createRequire(import.meta.url)("../src/publisher.js");

/** A frame as a server sends it. */
function frame(opcode, payload, { isLast = true, length = payload.length } = {}) {
  const first = (isLast ? 0x80 : 0) | opcode;
  const head = length < 126 ? [first, length] : [first, 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), Buffer.from(payload)]);
}

const close = (code) => frame(8, Buffer.from([code >> 8, code & 255]));

test("texts of every length arrive in both directions", async (t) => {
  const server = await wsServer((socket, request) => {
    assert.equal(request.headers.authorization, "Bearer the-key");
    socket.on("message", (text, isBinary) => {
      assert.equal(isBinary, false);
      socket.send(text.toString());
    });
  });
  t.after(server.end);
  const sent = ["", "a", "é€😀", "x".repeat(125), "x".repeat(126), "y".repeat(30_720)];
  const { opened, texts, ended } = await connectOnce(`${server.url}live?stage=1`, {
    onOpen: (socket) => sent.forEach((text) => socket.send(text)),
    onText: (socket, text) => text === sent.at(-1) && socket.destroy("done"),
  });
  assert.deepEqual([opened, texts, ended.reason], [1, sent, "done"]);
});

test("localhost is reached on whichever address the server listens on", async (t) => {
  const server = await wsServer((socket) => socket.close(1000));
  t.after(server.end);
  const { opened } = await connectOnce(server.url.replace("127.0.0.1", "localhost"));
  assert.equal(opened, 1);
});

test("fragments are joined, around control frames and in any chunks", async (t) => {
  const parts = [frame(1, Buffer.from("ab"), { isLast: false }), frame(9, Buffer.from("ping")), frame(0, Buffer.from("cd"), { isLast: false }), frame(0, Buffer.alloc(0)), frame(2, Buffer.from("binary")), frame(1, Buffer.alloc(70_00, 0x61)), close(1001)];
  for (const size of [1, 2, 3, 7, 100_000]) {
    const received = [];
    const server = await rawServer(Buffer.concat(parts), size, received);
    t.after(server.end);
    const { texts, ended } = await connectOnce(server.url);
    assert.deepEqual([texts, ended.closeCode], [["abcd", "a".repeat(7_000)], 1001], `in chunks of ${size}`);
  }
});

test("a ping is answered with its bytes", async (t) => {
  const server = await wsServer((socket) => {
    socket.ping("are you there");
    socket.on("pong", (bytes) => socket.close(1000, bytes.toString()));
  });
  t.after(server.end);
  assert.equal((await connectOnce(server.url)).ended.reason, "closed with 1000 (are you there)");
});

test("close codes and reasons are reported", async (t) => {
  for (const [code, expected] of [[1001, 1001], [1009, 1009], [undefined, null]]) {
    const server = await wsServer((socket) => socket.close(code, code && "Going away"));
    t.after(server.end);
    assert.equal((await connectOnce(server.url)).ended.closeCode, expected);
  }
});

test("closing sends what was sent before and ends with 1000", async (t) => {
  const seen = [];
  let closed;
  const server = await wsServer((socket) => {
    socket.on("message", (text) => seen.push(text.toString()));
    closed = once(socket, "close");
  });
  t.after(server.end);
  await connectOnce(server.url, {
    onOpen: (socket) => {
      socket.send("last words");
      socket.close();
    },
  });
  assert.deepEqual([seen, (await closed)[0]], [["last words"], 1000]);
});

test("a refused handshake reports its status, its media type and Retry-After", async (t) => {
  const answers = [
    [200, { "Content-Type": "text/html; charset=utf-8" }, "200 (text/html)", null],
    [401, { "Content-Type": "application/json" }, "401 (application/json)", null],
    [302, { Location: "http://127.0.0.1:1/" }, "302 (without content)", null],
    [429, { "Retry-After": "7" }, "429 (without content)", 7_000],
  ];
  for (const [status, headers, text, retryAfterMs] of answers) {
    const server = await httpServer((request, response) => {
      response.writeHead(status, headers);
      response.end("<html>".repeat(10_000));
    });
    t.after(server.end);
    const { opened, ended } = await connectOnce(server.url);
    assert.deepEqual({ opened, ...ended }, { opened: 0, reason: `the handshake was answered with ${text}`, status, retryAfterMs, closeCode: null });
  }
});

test("an address that refuses, resets or answers no HTTP ends with a reason", async (t) => {
  const reset = await tcpServer((socket) => socket.destroy());
  const garbage = await tcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9\r\n"));
  const closed = await tcpServer(() => {});
  closed.end();
  t.after(reset.end);
  t.after(garbage.end);
  for (const url of [reset.url, garbage.url, closed.url, closed.url.replace("127.0.0.1", "localhost"), "wss://127.0.0.1:1/"]) {
    const { opened, ended } = await connectOnce(url);
    assert.equal(opened, 0);
    assert.notEqual(ended.reason, "");
  }
});

test("an upgrade without the key's hash is no connection", async (t) => {
  const server = await httpServer((request, response) => {
    response.writeHead(101, { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Accept": "AAAA" });
  });
  t.after(server.end);
  const { opened, ended } = await connectOnce(server.url);
  assert.deepEqual([opened, ended.reason], [0, "the handshake's answer is no WebSocket's"]);
});

test("frames that break the protocol end the connection, and nothing is thrown", async (t) => {
  const huge = Buffer.from([0x81, 127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
  const parts = Array.from({ length: 1_100 }, (_, index) => frame(index === 0 ? 1 : 0, Buffer.alloc(0), { isLast: false }));
  const large = Array.from({ length: 18 }, (_, index) => frame(index === 0 ? 1 : 0, Buffer.alloc(65_535), { isLast: false }));
  const faults = {
    reserved: frame(1 | 0x40, Buffer.from("a")),
    opcode: frame(3, Buffer.from("a")),
    control: frame(11, Buffer.from("a")),
    masked: Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]),
    longPing: frame(9, Buffer.alloc(126)),
    splitPing: frame(9, Buffer.alloc(1), { isLast: false }),
    orphan: frame(0, Buffer.from("a")),
    nested: Buffer.concat([frame(1, Buffer.from("a"), { isLast: false }), frame(1, Buffer.from("b"))]),
    huge,
    manyFragments: Buffer.concat(parts),
    largeFragments: Buffer.concat(large),
  };
  for (const [name, bytes] of Object.entries(faults)) {
    const server = await rawServer(bytes);
    t.after(server.end);
    const { texts, ended } = await connectOnce(server.url);
    assert.match(ended.reason, /^the other side sent a/, name);
    assert.deepEqual(texts, []);
  }
});

test("a server that only accepts, or sends its answer byte by byte, is left after the timeout", async (t) => {
  for (const answer of ["", "HTTP/1.1 101 Switching Protocols\r\n".repeat(9)]) {
    const connections = [];
    const server = await tcpServer((socket) => {
      socket.resume();
      const bytes = [...answer];
      const timer = setInterval(() => bytes.length > 0 && socket.write(bytes.shift()), 5);
      socket.on("close", () => (clearInterval(timer), (connections.find((one) => one.socket === socket).isClosed = true)));
      connections.push({ socket, isClosed: false });
    });
    t.after(server.end);
    const publisher = startPublisher({ url: server.url, appId: "shop", apiKey: "key", onProblem: null, connectTimeoutMs: 100, reconnectMinMs: 10, reconnectMaxMs: 10 });
    publisher.report({ a: 1 });
    await until(() => connections.filter(({ isClosed }) => isClosed).length >= 3);
    const { failedConnections, lost, problems } = await publisher.close(0);
    assert.ok(failedConnections >= 3);
    assert.deepEqual([lost.closed, problems[0].message], [1, "the handshake was not answered"]);
  }
});

test("pings that are sent without reading their answers take no memory", async (t) => {
  const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(9, Buffer.alloc(125))));
  let sent = 0;
  let connection;
  const server = await acceptingServer((socket) => {
    connection = socket;
    socket.pause();
    const next = () => (sent += 500) <= 200_000 && socket.write(pings, () => setImmediate(next));
    next();
  });
  t.after(server.end);
  const before = process.memoryUsage();
  const ended = connectOnce(server.url);
  await until(() => sent > 200_000);
  const after = process.memoryUsage();
  const grown = after.external + after.heapUsed - before.external - before.heapUsed;
  connection.destroy();
  await ended;
  assert.ok(grown < 16 * 1_048_576, `${grown} bytes`);
});

test("a connection that is cut ends with a reason", async (t) => {
  const server = await wsServer((socket) => socket.terminate());
  t.after(server.end);
  assert.match((await connectOnce(server.url)).ended.reason, /lost|reset/i);
});
