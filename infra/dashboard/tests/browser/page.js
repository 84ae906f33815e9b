// The browser, and actions and readings on the page. Policy violations and script errors fail the scene.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { chromium } from "playwright-core";

/** The folder of the screenshots. */
export const SHOTS = resolve(import.meta.dirname, "../../../../target/dashboard");
/** Lets Chromium start as root and without network services. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-precise-memory-info"];
const TIMEOUT_MS = 10_000;

export async function openBrowser(executablePath) {
  mkdirSync(SHOTS, { recursive: true });
  return chromium.launch({ executablePath, args: FLAGS });
}

export class Page {
  #errors = [];
  #page;
  #context;

  static async open(browser, options = {}) {
    const page = new Page();
    page.#context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", colorScheme: "light", timezoneId: "Europe/Paris", ...options });
    page.#page = await page.#context.newPage();
    page.#page.setDefaultTimeout(TIMEOUT_MS);
    page.#page.on("pageerror", (fault) => page.#errors.push(`${fault.name}: ${fault.message}`));
    page.#page.on("console", (line) => page.#note(line));
    return page;
  }

  // Console errors about rejected calls and lost connections are expected.
  #note(line) {
    const isExpected = /WebSocket connection to|Failed to load resource/.test(line.text());
    if (line.type() === "error" && !isExpected) this.#errors.push(line.text());
  }

  get tab() {
    return this.#page;
  }

  /** Opens the dashboard at this fragment. */
  async goto(gateway, fragment) {
    await this.#page.goto("about:blank");
    await this.#page.goto(`${gateway.ready.http}/${fragment}`);
  }

  async range(name) {
    await this.#page.locator(`.ranges input[value=${name}]`).check({ force: true });
  }

  /** The points of the first line of a chart, without gaps. */
  points(title) {
    return this.#page.evaluate((title) => {
      const panel = [...document.querySelectorAll(".panel")].find((one) => one.getAttribute("aria-label") === title);
      const plot = panel?.querySelector(".plot").plot;
      if (plot === undefined) return [];
      const { min, max } = plot.scales.x;
      return plot.data[0].map((at, index) => [at, plot.data[1]?.[index]]).filter(([at, value]) => value !== null && value !== undefined && at >= min && at <= max);
    }, title);
  }

  /** How much of the first line is visible on the canvas: `[drawn, all]` of its points and of the middles between them. */
  async ink(title) {
    const points = await this.points(title);
    const middles = points.slice(1).map(([at, value], index) => [(at + points[index][0]) / 2, (value + points[index][1]) / 2]);
    const count = async (points) => (points.length === 0 ? [0, 0] : [await this.#page.evaluate(inkAt, [title, points]), points.length]);
    return { points: await count(points), middles: await count(middles) };
  }

  /** How many reports the page has received. */
  async taken() {
    return Number(await this.#page.locator(".taken").getAttribute("data-taken"));
  }

  text(selector) {
    return this.#page.locator(selector).first().innerText();
  }

  /** Waits until `fits` accepts the result of `read`; fails with the last one. */
  async until(what, read, fits, timeout = TIMEOUT_MS) {
    const end = Date.now() + timeout;
    let answer;
    while (Date.now() < end) {
      answer = await read();
      if (fits(answer)) return answer;
      await this.#page.waitForTimeout(50);
    }
    await this.shot("failed");
    throw new Error(`${what}: still ${JSON.stringify(answer)?.slice(0, 300)}; errors: ${this.#errors}`);
  }

  shot(name, options = {}) {
    return this.#page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
  }

  /** Whether anything is wider than the window. */
  overflow() {
    return this.#page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  }

  async close() {
    await this.#context.close();
    if (this.#errors.length > 0) throw new Error(`errors of the page: ${this.#errors.join("; ")}`);
  }
}

/** At how many of these points the canvas has an opaque colour, within a pixel. */
function inkAt([title, points]) {
  const panel = [...document.querySelectorAll(".panel")].find((one) => one.getAttribute("aria-label") === title);
  const { plot } = panel.querySelector(".plot");
  const isColour = ([red, green, blue, alpha]) => alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
  return points.filter(([at, value]) => {
    const [x, y] = [plot.valToPos(at, "x", true), plot.valToPos(value, "y", true)].map(Math.round);
    const { data } = plot.ctx.getImageData(x - 1, y - 1, 3, 3);
    return Array.from({ length: 9 }, (_, index) => data.slice(4 * index, 4 * index + 4)).some(isColour);
  }).length;
}
