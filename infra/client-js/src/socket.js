// A WebSocket client (RFC 6455) for small text messages, on node:http. The global WebSocket of Node.js 22 keeps its
// process alive, and neither sends a header nor shows the status of a refused handshake; `ws` would be a dependency.

"use strict";

const { createHash, randomBytes } = require("node:crypto");
const http = require("node:http");
const https = require("node:https");
const { setTimeout } = require("node:timers");

const { CLOSE, MESSAGE_BYTES_MAX, PING, PONG, TEXT, readFrame, writeFrame } = require("./frames.js");

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Pings are not answered while this much is unsent: the other side may send them and read nothing. */
const UNSENT_BYTES_MAX = 262_144;
/** What a fragment counts for besides its bytes. */
const FRAGMENT_BYTES = 1_024;
/** How long the other side may take to close. */
const CLOSE_MS = 2_000;

/**
 * @typedef {object} Ended Why a connection ended, or was not opened.
 * @property {string} reason
 * @property {number | null} status Of the response that refused the handshake.
 * @property {number | null} closeCode Of the other side's close frame.
 * @property {number | null} retryAfterMs As the response asks.
 */

/**
 * @typedef {object} Listener
 * @property {(date: string | undefined) => void} opened Called with the answer's `Date`.
 * @property {(text: string) => void} received
 * @property {(ended: Ended) => void} ended Called once, and nothing after it.
 */

class Socket {
  /** @type {import("node:stream").Duplex | null} */
  #stream = null;
  #request;
  #listener;
  #hasEnded = false;
  #isClosing = false;
  /** @type {Buffer} */
  #unread = Buffer.alloc(0);
  /** @type {Buffer[]} The fragments of a message. */
  #fragments = [];
  #fragmentBytes = 0;
  #isText = false;

  /**
   * @param {URL} url
   * @param {string | null} credential Of the handshake.
   * @param {Listener} listener
   */
  constructor(url, credential, listener) {
    this.#listener = listener;
    const key = randomBytes(16).toString("base64");
    const client = url.protocol === "wss:" ? https : http;
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
      ...(credential === null ? {} : { Authorization: `Bearer ${credential}` }),
    };
    // An agent of its own, so that no refused connection stays in a pool. localhost may be ::1 or 127.0.0.1.
    const options = /** @type {https.RequestOptions} */ ({ agent: false, headers, autoSelectFamily: true });
    this.#request = client.request(url.href.replace("ws", "http"), options);
    this.#request.on("socket", (socket) => {
      socket.unref();
      // Each address that is tried has a handle of its own.
      socket.once("connect", () => socket.unref());
    });
    this.#request.on("upgrade", (response, stream, head) => this.#upgrade(response, stream, head, key));
    this.#request.on("response", (response) => this.#refused(response));
    this.#request.on("error", (error) => this.#end({ reason: describe(error) }));
    this.#request.end();
  }

  /** Bytes that were sent and are not yet with the system. */
  get unsentBytes() {
    return this.#stream?.writableLength ?? 0;
  }

  /** @param {string} text */
  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  /** Closes after what was sent. */
  close() {
    if (this.#stream === null) return this.destroy("closed");
    this.#sendClose(1000);
  }

  /** @param {string} reason */
  destroy(reason) {
    this.#end({ reason });
    this.#request.destroy();
    this.#stream?.destroy();
  }

  /** @param {Partial<Ended>} ended */
  #end(ended) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#listener.ended({ reason: "", status: null, closeCode: null, retryAfterMs: null, ...ended });
  }

  /** @param {http.IncomingMessage} response */
  #refused(response) {
    const { statusCode: status = 0, headers } = response;
    response.on("error", () => {});
    const type = headers["content-type"]?.split(";")[0] ?? "without content";
    const seconds = Number(headers["retry-after"]);
    const retryAfterMs = seconds > 0 ? seconds * 1_000 : null;
    this.#end({ reason: `the handshake was answered with ${status} (${type})`, status, retryAfterMs });
    this.#request.destroy();
  }

  /**
   * @param {http.IncomingMessage} response
   * @param {import("node:stream").Duplex} stream
   * @param {Buffer} head
   * @param {string} key
   */
  #upgrade(response, stream, head, key) {
    this.#stream = stream;
    stream.on("error", (error) => this.#end({ reason: describe(error) }));
    stream.on("close", () => this.#end({ reason: "the connection was lost" }));
    stream.on("end", () => stream.destroy());
    if (this.#hasEnded) return void stream.destroy();
    const { statusCode, headers } = response;
    if (statusCode !== 101 || headers["sec-websocket-accept"] !== acceptOf(key)) return this.destroy("the handshake's answer is no WebSocket's");
    stream.on("data", (chunk) => this.#receive(chunk));
    this.#listener.opened(headers.date);
    if (head.length > 0) this.#receive(head);
  }

  /** @param {Buffer} chunk */
  #receive(chunk) {
    if (this.#hasEnded) return;
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    while (!this.#hasEnded) {
      const frame = readFrame(this.#unread, false);
      if (frame === null) return;
      if (typeof frame === "string") return this.#fail(frame);
      this.#unread = this.#unread.subarray(frame.end);
      const fault = this.#handle(frame);
      if (fault !== null) return this.#fail(fault);
    }
  }

  /**
   * What is wrong with the frame, if something is.
   * @param {{isLast: boolean, opcode: number, payload: Buffer}} frame
   */
  #handle({ isLast, opcode, payload }) {
    if (opcode === PING && this.unsentBytes < UNSENT_BYTES_MAX) this.#write(PONG, payload);
    if (opcode === CLOSE) this.#closed(payload);
    if (opcode >= CLOSE) return null;
    if ((opcode === 0) !== this.#fragments.length > 0) return "a fragment without its message";
    if (opcode !== 0) this.#isText = opcode === TEXT;
    this.#fragments.push(payload);
    this.#fragmentBytes += payload.length + FRAGMENT_BYTES;
    if (this.#fragmentBytes > MESSAGE_BYTES_MAX) return "a message over a megabyte";
    if (!isLast) return null;
    const text = Buffer.concat(this.#fragments).toString();
    this.#fragments = [];
    this.#fragmentBytes = 0;
    if (this.#isText) this.#listener.received(text);
    return null;
  }

  /** @param {Buffer} payload */
  #closed(payload) {
    const closeCode = payload.length >= 2 ? payload.readUInt16BE() : null;
    const text = payload.subarray(2).toString();
    this.#sendClose(closeCode ?? 1000);
    this.#end({ reason: `closed with ${closeCode ?? "no code"}${text === "" ? "" : ` (${text})`}`, closeCode });
    this.#stream?.end();
  }

  /** @param {string} fault */
  #fail(fault) {
    this.#sendClose(1002);
    this.destroy(`the other side sent ${fault}`);
  }

  /** @param {number} code */
  #sendClose(code) {
    if (this.#isClosing) return;
    this.#write(CLOSE, Buffer.from([code >> 8, code & 255]));
    this.#isClosing = true;
    setTimeout(() => this.destroy("closed"), CLOSE_MS).unref();
  }

  /**
   * @param {number} opcode
   * @param {Buffer} payload
   */
  #write(opcode, payload) {
    if (this.#stream === null || this.#isClosing) return;
    this.#stream.write(writeFrame(opcode, payload, randomBytes(4)));
  }
}

/** @param {Error & {code?: string}} error */
function describe(error) {
  // An attempt of several addresses has an error for each, and no message.
  return error.message || error.code || "the connection failed";
}

/**
 * What a server answers to the key of a handshake.
 * @param {string} key
 */
function acceptOf(key) {
  return createHash("sha1").update(key + GUID).digest("base64");
}

module.exports = { Socket, acceptOf };
