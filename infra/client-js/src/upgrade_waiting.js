// The library's frames that wait for a connection: the newest of each kind, within bounds of number, bytes and age.

"use strict";

/** Four minutes of reports. Log entries must not displace them. */
const FRAMES_MAX = 240;
const BYTES_MAX = 524_288;
/** The service replaces a timestamp of the library's that is more than five minutes off. */
const AGE_MAX_MS = 240_000;

/** @typedef {{text: string, bytes: number, isReport: boolean, at: number}} Frame */

class Waiting {
  /** @type {Frame[]} The oldest first. */
  #frames = [];
  #figures;

  /** @param {import("./upgrade_figures.js").Figures} figures */
  constructor(figures) {
    this.#figures = figures;
  }

  get count() {
    return this.#frames.length;
  }

  /** @param {Frame[]} frames */
  add(frames) {
    for (const frame of frames) {
      const sameKind = this.#frames.filter(({ isReport }) => isReport === frame.isReport);
      if (sameKind.length >= FRAMES_MAX) this.#lose("overflow", [sameKind[0]]);
      this.#frames.push(frame);
      this.#count([frame], 1);
    }
    while (bytesOf(this.#frames) > BYTES_MAX) this.#lose("overflow", this.#frames.slice(0, 1));
  }

  /** @param {number} now */
  expire(now) {
    this.#lose("expired", this.#frames.filter(({ at }) => now - at > AGE_MAX_MS));
  }

  /** Takes all. */
  take() {
    const taken = this.#frames;
    this.#frames = [];
    this.#count(taken, -1);
    return taken;
  }

  /** Takes the oldest. */
  next() {
    const frame = this.#frames.shift();
    if (frame !== undefined) this.#count([frame], -1);
    return frame;
  }

  /**
   * @param {"overflow" | "expired"} reason
   * @param {Frame[]} frames
   */
  #lose(reason, frames) {
    if (frames.length === 0) return;
    this.#frames = this.#frames.filter((frame) => !frames.includes(frame));
    this.#count(frames, -1);
    this.#figures.lose(reason, frames.length);
  }

  /**
   * @param {Frame[]} frames
   * @param {1 | -1} sign
   */
  #count(frames, sign) {
    this.#figures.buffered += sign * frames.length;
    this.#figures.bufferedBytes += sign * bytesOf(frames);
  }
}

/** @param {Frame[]} frames */
function bytesOf(frames) {
  return frames.reduce((sum, { bytes }) => sum + bytes, 0);
}

module.exports = { Waiting };
