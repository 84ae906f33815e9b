// The other end of the library's socket, in this process: a stream in memory, which `ws` of whatever version, copy or
// bundle takes for a server that accepts every connection at once.

"use strict";

const { Duplex } = require("node:stream");

const { CLOSE, PING, PONG, TEXT, readFrame, writeFrame } = require("./frames.js");
const { acceptOf } = require("./socket.js");

const REQUEST_BYTES_MAX = 65_536;

class Link extends Duplex {
  #key;
  #listener;
  #isOpen = false;
  #isClosing = false;
  /** @type {Buffer} */
  #unread = Buffer.alloc(0);

  /**
   * @param {string} key Of the handshake.
   * @param {{received: (text: string) => void, refused: () => void, closed: () => void}} listener
   */
  constructor(key, listener) {
    super({ autoDestroy: true });
    this.#key = key;
    this.#listener = listener;
    // Without a listener an error of the client would end the process.
    this.on("error", () => {});
  }

  /** @param {string} text */
  send(text) {
    if (!this.#isClosing && this.writable) this.#deliver(writeFrame(TEXT, Buffer.from(text), null));
  }

  // What `ws` and `node:http` call on a socket of the network.
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  ref() { return this; }
  unref() { return this; }

  /** @override */
  _read() {}

  /**
   * @param {Buffer} chunk
   * @param {string} _encoding
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _write(chunk, _encoding, done) {
    this.#unread = this.#unread.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#unread, chunk]);
    if (!this.#isOpen) this.#accept();
    if (this.#isOpen) this.#receive();
    done();
  }

  /**
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _final(done) {
    this.#end();
    done();
  }

  /**
   * @param {Error | null} error
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _destroy(error, done) {
    this.#listener.closed();
    done(error);
  }

  #accept() {
    const end = this.#unread.indexOf("\r\n\r\n");
    if (end === -1) return void (this.#unread.length > REQUEST_BYTES_MAX && this.#end());
    this.#isOpen = true;
    this.#unread = this.#unread.subarray(end + 4);
    this.#deliver(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(this.#key)}\r\n\r\n`);
  }

  #receive() {
    while (!this.#isClosing) {
      const frame = readFrame(this.#unread, true);
      if (frame === null) return;
      if (typeof frame === "string") {
        this.#listener.refused();
        return this.#end();
      }
      this.#unread = this.#unread.subarray(frame.end);
      if (frame.opcode === TEXT && frame.isLast) this.#listener.received(frame.payload.toString());
      if (frame.opcode === PING) this.#deliver(writeFrame(PONG, frame.payload, null));
      if (frame.opcode === CLOSE) {
        this.#deliver(writeFrame(CLOSE, frame.payload, null));
        this.#end();
      }
    }
  }

  /**
   * Later, as from a network: the client is not prepared for an answer within its own call.
   * @param {Buffer | string | null} bytes
   */
  #deliver(bytes) {
    process.nextTick(() => this.destroyed || this.push(bytes));
  }

  #end() {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#deliver(null);
  }
}

module.exports = { Link };
