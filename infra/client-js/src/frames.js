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
  const isControl = opcode >= CLOSE;
  if ((bytes[0] & 0x70) !== 0 || bytes[1] >= 128 !== isMasked || (opcode > 2 && opcode < CLOSE) || opcode > PONG) return "an invalid frame";
  if (isControl && (length > 125 || !isLast)) return "an invalid control frame";
  const maskStart = length < 126 ? 2 : length === 126 ? 4 : 10;
  const start = maskStart + (isMasked ? 4 : 0);
  if (bytes.length < start) return null;
  if (length === 126) length = bytes.readUInt16BE(2);
  else if (length === 127) length = Number(bytes.readBigUInt64BE(2));
  if (length > MESSAGE_BYTES_MAX) return "a frame over a megabyte";
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
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  header[1] = (mask === null ? 0 : 0x80) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat(mask === null ? [header, payload] : [header, mask, masked(payload, mask)]);
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
