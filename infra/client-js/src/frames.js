// The frames of a WebSocket (RFC 6455, section 5). Those of a client are masked, those of a server are not.

"use strict";

/** No frame from the service exceeds 30 KB. */
const MESSAGE_BYTES_MAX = 1_048_576;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** @typedef {{isLast: boolean, opcode: number, payload: Buffer, end: number}} Frame */

/**
 * The first frame of the bytes, what is wrong with it, or null if they do not have it all.
 * @param {Buffer} bytes
 * @param {boolean} isMasked Whether a client sent it.
 * @returns {Frame | string | null}
 */
function readFrame(bytes, isMasked) {
  if (bytes.length < 2) return null;
  const opcode = bytes[0] & 15;
  const isLast = bytes[0] >= 128;
  let length = bytes[1] & 127;
  const isUnknown = (opcode > 2 && opcode < CLOSE) || opcode > PONG;
  const isWrongControl = opcode >= CLOSE && (length > 125 || !isLast);
  if ((bytes[0] & 0x70) !== 0 || bytes[1] >= 128 !== isMasked || isUnknown || isWrongControl) return "an invalid frame";
  const maskStart = length < 126 ? 2 : length === 126 ? 4 : 10;
  const start = maskStart + (isMasked ? 4 : 0);
  if (bytes.length < start) return null;
  if (length === 126) length = bytes.readUInt16BE(2);
  else if (length === 127) length = Number(bytes.readBigUInt64BE(2));
  if (length > MESSAGE_BYTES_MAX) return "a message over a megabyte";
  const end = start + length;
  if (bytes.length < end) return null;
  const payload = bytes.subarray(start, end);
  return { isLast, opcode, payload: isMasked ? masked(payload, bytes.subarray(maskStart, start)) : payload, end };
}

/**
 * A whole message as one frame.
 * @param {number} opcode
 * @param {Buffer} payload
 * @param {Buffer | null} mask Four bytes, if a client sends it.
 */
function writeFrame(opcode, payload, mask) {
  const { length } = payload;
  const lengthBytes = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length] : [127, 0, 0, 0, 0, length >> 24, length >> 16, length >> 8, length];
  const header = Buffer.from([0x80 | opcode, ...lengthBytes]);
  if (mask === null) return Buffer.concat([header, payload]);
  header[1] |= 0x80;
  return Buffer.concat([header, mask, masked(payload, mask)]);
}

/**
 * @param {Buffer} payload
 * @param {Buffer} mask
 */
function masked(payload, mask) {
  const bytes = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < payload.length; index += 1) bytes[index] = payload[index] ^ mask[index & 3];
  return bytes;
}

module.exports = { CLOSE, MESSAGE_BYTES_MAX, PING, PONG, TEXT, readFrame, writeFrame };
