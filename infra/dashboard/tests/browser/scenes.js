// Claims about the page in a real browser with a real gateway.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { Gateway } from "./gateway.js";
import { Page } from "./page.js";
import { Publisher, machineReport } from "./publisher.js";
import { SOURCES, counts, keyOf, rolledUp, stream } from "./reports.js";

const MINUTE_MS = 60_000;

export async function link_of_the_gateway_signs_in_and_hides_the_key({ browser, gateway }) {
  const link = /dashboard +(\S+)/.exec(gateway.output)[1];
  const page = await Page.open(browser);
  const asked = [];
  page.tab.on("request", (request) => asked.push(request.url()));
  await page.tab.goto(link);
  await page.until("the demo app", () => page.text("h1"), (text) => text.length > 0);
  await page.until("nothing was reported", () => page.tab.locator(".notice").count(), (count) => count === 1);
  await page.shot("empty");
  assert.ok(!page.tab.url().includes("nehonix"), page.tab.url());
  assert.ok(asked.every((url) => !url.includes("nehonix")), "the key was sent in an address");
  await page.close();
}

export async function wrong_key_is_rejected_and_valid_key_opens({ browser, gateway, app, hostile }) {
  const page = await Page.open(browser);
  await page.goto(gateway, "");
  await page.shot("sign-in");
  const field = page.tab.locator("#credential");
  for (const [text, expected] of [["not a key", "neither a key"], [`nehonix@${"0".repeat(64)}.nsl`, "not accepted"]]) {
    await field.fill(text);
    await field.press("Enter");
    await page.until("the refusal", () => page.text(".fault"), (text) => text.includes(expected));
  }
  await page.shot("unauthorised");
  await field.fill(app.apiKey);
  await field.press("Enter");
  await page.until("the charts", () => page.points("CPU"), (points) => points.length > 2);
  const stored = () => page.tab.evaluate(() => [localStorage.getItem("nsl-credential"), sessionStorage.getItem("nsl-credential")]);
  assert.deepEqual(await stored(), [null, app.apiKey], "kept for the tab alone by default");
  await page.tab.getByRole("button", { name: "Sign out" }).click();
  await page.until("the form", () => page.tab.locator("#credential").count(), (count) => count === 1);
  assert.deepEqual(await stored(), [null, null]);
  assert.ok(!page.tab.url().includes("app="), "the route of the last key was kept");
  await page.tab.locator("#keep").check();
  await field.fill(app.apiKey);
  await field.press("Enter");
  await page.until("the charts", () => page.points("CPU"), (points) => points.length > 2);
  await page.goto(gateway, keyOf(hostile));
  await page.until("the application of the link", () => page.text("h1"), (name) => name.includes("alert"));
  assert.deepEqual(await stored(), [app.apiKey, hostile.apiKey], "the key of a link is stored for its tab only");
  await page.close();
}

export async function page_works_without_browser_storage({ browser, gateway, app }) {
  const page = await Page.open(browser);
  await page.tab.addInitScript(() => {
    const refuse = { get: () => { throw new DOMException("denied", "SecurityError"); } };
    for (const store of ["localStorage", "sessionStorage"]) Object.defineProperty(window, store, refuse);
  });
  await page.goto(gateway, keyOf(app));
  await page.until("the charts", () => page.points("CPU"), (points) => points.length > 2);
  await page.tab.getByRole("button", { name: "Light or dark" }).click();
  assert.equal(await page.tab.locator("html").getAttribute("data-theme"), "dark");
  await page.tab.locator(".bar select").selectOption("fr");
  await page.until("the charts in French", () => page.points("Processeur"), (points) => points.length > 2);
  await page.close();
}

export async function charts_follow_reports_and_ranges_show_history({ browser, gateway, app, publisher }) {
  const page = await Page.open(browser);
  await page.goto(gateway, keyOf(app));
  await page.until("live points", () => page.points("CPU"), (points) => points.length > 20);
  const began = Date.now() / 1000;
  const flow = stream(publisher, SOURCES);
  await page.until("points of three reports", () => page.points("CPU"), (points) => points.filter(([at]) => at > began).length >= 3);
  await page.shot("live", { fullPage: true });
  await arrow_keys_select_ranges(page);
  for (const [range, least] of [["hour", 55], ["day", 30], ["week", 30]]) {
    await page.range(range);
    await page.until(`${range} points`, () => page.points("CPU"), (points) => points.length >= least, 30_000);
    await page.tab.locator(".switch input").nth(1).check();
    await page.until("a 95th percentile", () => page.tab.locator(".panel").first().innerText(), (text) => text.includes("p95"));
    await page.shot(range, { fullPage: true });
  }
  await drag_selects(page);
  await flow.stop();
  await page.close();
}

/** The focus stays when a key changes the page. */
async function arrow_keys_select_ranges(page) {
  const focused = () => page.tab.evaluate(() => document.activeElement.value);
  await page.tab.locator(".ranges input[value=live]").focus();
  for (const range of ["hour", "day"]) {
    await page.tab.keyboard.press("ArrowRight");
    await page.until(`the ${range}`, () => page.tab.url(), (url) => url.includes(`range=${range}`));
    assert.equal(await focused(), range);
  }
  await page.until("its points", () => page.points("CPU"), (points) => points.length >= 30, 30_000);
  assert.equal(await focused(), "day", "the charts took the focus away");
  await page.tab.keyboard.press("Tab");
  await page.tab.keyboard.press("Space");
  await page.until("a 95th percentile", () => page.tab.url(), (url) => url.includes("p95"));
  assert.equal(await focused(), "on");
  await page.tab.keyboard.press("Space");
  await page.range("live");
}

async function finger_selects(page) {
  const plot = page.tab.locator(".panel .u-over").first();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const session = await page.tab.context().newCDPSession(page.tab);
  const touch = (type, ...parts) => session.send("Input.dispatchTouchEvent", { type, touchPoints: parts.map((part) => ({ x: box.x + box.width * part, y: box.y + 60 })) });
  await touch("touchStart", 0.4);
  for (const part of [0.5, 0.6, 0.7, 0.8]) await touch("touchMove", part);
  await page.shot("finger-360");
  await touch("touchEnd");
  await page.until("a selection", () => page.tab.locator(".selected").isVisible(), Boolean);
}

async function drag_selects(page) {
  const box = await page.tab.locator(".panel .u-over").first().boundingBox();
  await page.tab.mouse.move(box.x + box.width * 0.75, box.y + 60);
  await page.tab.mouse.down();
  await page.tab.mouse.move(box.x + box.width * 0.95, box.y + 60, { steps: 5 });
  await page.shot("selecting");
  await page.tab.mouse.up();
  await page.until("a selection", () => page.tab.locator(".selected").isVisible(), Boolean);
  await page.until("its points", () => page.points("CPU"), (points) => points.length > 5);
  await page.shot("selected");
  await page.tab.locator(".selected").click();
  await page.until("live again", () => page.tab.url(), (url) => !url.includes("range="));
  assert.equal(await page.tab.evaluate(() => document.activeElement.value), "live", "the focus moved to the live range");
}

export async function distant_reports_are_visible({ browser, gateway }) {
  const app = await gateway.nsl("app", "create", "--name", "Meter", "--owner", "mira");
  const publisher = new Publisher(gateway, app);
  const now = Date.now();
  const reports = Array.from({ length: 25 }, (_, index) => machineReport("meter", now - 5000 - index * 2 * MINUTE_MS));
  await publisher.publish(reports);
  await rolledUp(gateway, app, reports.length);
  const page = await Page.open(browser);
  const isWhole = ([drawn, all]) => drawn === all;
  await page.goto(gateway, keyOf(app));
  await page.until("the replay", () => page.taken(), (taken) => taken >= 2);
  await page.until("live points that are joined", () => page.ink("CPU"), ({ points, middles }) => points[1] >= 2 && isWhole(points) && isWhole(middles));
  await page.shot("far-apart-live");
  await page.range("hour");
  await page.until("points of the hour, alone", () => page.ink("CPU"), ({ points, middles }) => points[1] >= 24 && isWhole(points) && middles[0] < middles[1]);
  await page.shot("far-apart-hour");
  publisher.close();
  await page.close();
}

export async function keys_read_points_and_sources_have_lines({ browser, gateway, app, publisher }) {
  const page = await Page.open(browser);
  await publisher.publish(SOURCES.map((source) => machineReport(source, Date.now())));
  await page.goto(gateway, `${keyOf(app)}&range=hour`);
  await page.until("points", () => page.points("CPU"), (points) => points.length > 20);
  const plot = page.tab.locator(".plot").first();
  assert.match(await plot.getAttribute("aria-label"), /^CPU, .*total .*%/);
  await plot.focus();
  await plot.press("ArrowLeft");
  const first = await page.text(".unseen[aria-live]");
  await plot.press("ArrowLeft");
  const second = await page.text(".unseen[aria-live]");
  assert.match(second, /^\d\d:\d\d: total .*%/);
  assert.notEqual(first, second);
  await page.tab.keyboard.press("/");
  assert.equal(await page.tab.evaluate(() => document.activeElement.getAttribute("role")), "combobox");
  await page.tab.locator(".switch").first().click();
  await page.until("a line for each source", () => page.tab.locator(".panel").first().locator(".legend .name").allInnerTexts(), (names) => names.join() === "web-1,web-2");
  await page.until("what is drawn, and what the figure is", () => page.tab.locator(".panel .note").first().textContent(), (note) => note === "total, average of 2 sources");
  await page.until("how far back", () => page.text(".hint"), (hint) => /shown separately only since \d\d:\d\d/.test(hint));
  await page.shot("by-source");
  await page.close();
}

export async function lost_connection_recovers_without_gaps_or_doubles({ browser }) {
  const gateway = await new Gateway("--memory", "--max-duration", "4").start();
  const app = await gateway.nsl("app", "create", "--name", "Shaky", "--owner", "olga");
  const publisher = new Publisher(gateway, app);
  const page = await Page.open(browser);
  await publisher.publish([machineReport("web-1", Date.now())]);
  await page.goto(gateway, keyOf(app));
  await page.until("the first report", () => page.taken(), (taken) => taken === 1);
  const flow = stream(publisher, SOURCES, 200);
  const states = new Set();
  const watch = setInterval(async () => states.add(await page.tab.locator(".pill").getAttribute("data-kind").catch(() => "")), 40);
  await page.until("two losses", () => Promise.resolve(states.has("waiting") && publisher.accepted > 70), Boolean, 25_000);
  await flow.stop();
  const taken = await page.until("every report", () => page.taken(), (taken) => taken >= publisher.accepted);
  await sleep(300);
  assert.equal(await page.taken(), publisher.accepted, `${taken} taken`);
  clearInterval(watch);
  assert.equal(await counts(gateway, app), publisher.accepted, "history and the page count the same");
  publisher.close();
  await page.close();
  await gateway.end();
}

export async function stopped_service_is_shown_until_it_is_back({ browser }) {
  const gateway = await new Gateway().start();
  const app = await gateway.nsl("app", "create", "--name", "Phoenix", "--owner", "olga");
  const publisher = new Publisher(gateway, app);
  await publisher.publish(Array.from({ length: 30 }, (_, index) => machineReport("web-1", Date.now() - index * 2000)));
  const page = await Page.open(browser);
  await page.goto(gateway, keyOf(app));
  await page.until("the reports", () => page.taken(), (taken) => taken === 30);
  await gateway.stop();
  await page.until("the banner", () => page.tab.locator(".banner strong").count(), (count) => count === 1);
  await page.shot("reconnecting");
  await gateway.start();
  await publisher.publish([machineReport("web-1", Date.now())]);
  await page.until("the report after", () => page.taken(), (taken) => taken === 31, 20_000);
  await page.until("no banner", () => page.tab.locator(".banner strong").count(), (count) => count === 0);
  publisher.close();
  await page.close();
  await gateway.end();
}

export async function inactive_application_is_shown_within_a_minute({ browser, gateway }) {
  const app = await gateway.nsl("app", "create", "--name", "Short lived", "--owner", "otto");
  const publisher = new Publisher(gateway, app);
  await publisher.publish([machineReport("web-1", Date.now())]);
  const page = await Page.open(browser);
  await page.goto(gateway, keyOf(app));
  await page.until("the report", () => page.taken(), (taken) => taken === 1);
  await gateway.nsl("app", "deactivate", app.appId);
  // Once the authorizer's own minute is over, the key is refused before the application is read.
  await page.until("the news", () => page.tab.locator(".notice h2, .fault").allInnerTexts(), ([text]) => text?.includes("switched off"), 90_000);
  await page.shot("switched-off");
  publisher.close();
  await page.close();
}

export async function small_dark_french_page_fits({ browser, gateway, app, token }) {
  const options = { viewport: { width: 360, height: 780 }, colorScheme: "dark", locale: "fr-FR", deviceScaleFactor: 2, hasTouch: true };
  const page = await Page.open(browser, options);
  await page.goto(gateway, `#key=${token}`);
  await page.until("the list", () => page.tab.locator(".apps li").count(), (count) => count >= 2);
  assert.equal(await page.text("h1"), "Applications");
  await page.until("a sparkline", () => page.tab.locator(".spark").count(), (count) => count >= 1);
  await page.shot("apps-360-dark-fr", { fullPage: true });
  assert.ok((await page.overflow()) <= 0, "the list is wider than the window");
  await page.tab.locator(".apps a", { hasText: app.appId }).click();
  await page.range("hour");
  await page.until("points", () => page.points("Processeur"), (points) => points.length > 20);
  assert.match(await page.text(".panel .value"), /^\d+(,\d)?.%$/);
  await page.until("the summary", () => page.tab.locator("tbody tr").count(), (count) => count > 5);
  await page.shot("app-360-dark-fr", { fullPage: true });
  assert.ok((await page.overflow()) <= 0, "the page is wider than the window");
  assert.ok(await page.tab.evaluate(() => [...document.querySelectorAll("table *")].every((one) => one.getBoundingClientRect().right <= innerWidth)), "the summary is beside the window");
  await finger_selects(page);
  await page.close();
}

export async function owner_sees_applications_in_every_state({ browser, gateway, app, off, token, publisher }) {
  await publisher.publish(SOURCES.map((source) => machineReport(source, Date.now())));
  for (const colorScheme of ["light", "dark"]) {
    const page = await Page.open(browser, { colorScheme });
    await page.goto(gateway, `#key=${token}`);
    await page.until("a sparkline", () => page.tab.locator(".spark").count(), (count) => count >= 1);
    const states = await page.tab.locator(".apps a").evaluateAll((links) => links.map((link) => link.dataset.state));
    assert.ok(states.includes("inactive") && states.includes("reporting"), states.join());
    await page.shot(`apps-${colorScheme}`);
    await page.goto(gateway, `#app=${off.appId}&key=${token}`);
    await page.until("the notice", () => page.tab.locator(".notice h2").allInnerTexts(), ([text]) => text === "This application is switched off");
    await page.shot(`inactive-${colorScheme}`);
    await page.goto(gateway, `${keyOf(app)}&range=hour`);
    await page.until("points", () => page.points("CPU"), (points) => points.length > 50);
    await page.until("the summary", () => page.tab.locator("tbody tr").count(), (count) => count > 5);
    await page.until("the name", () => page.text("h1"), (text) => text === "Web shop");
    await page.until("live", () => page.tab.locator(".pill").getAttribute("data-kind"), (kind) => kind === "live");
    await page.shot(`hour-${colorScheme}`);
    await page.close();
  }
}

export async function hostile_names_stay_text({ browser, gateway, hostile }) {
  const page = await Page.open(browser);
  const name = "\"><img src=x onerror=alert(1)>'😀";
  const publisher = new Publisher(gateway, hostile);
  const long = "n".repeat(256);
  const documents = [{ [name]: { "</script><b>": 7 }, [long]: 1, cpu: { usage: null } }, { [name]: 3, cpu: "gone", "a,b": 4 }, { cpu: { usage: [5, null, 2] } }, { cpu: { usage: 9 }, x: null }];
  await publisher.publish(documents.map((metrics, index) => ({ source: "web-1", timestamp: Date.now() - 4000 + index * 1000, metrics })));
  const words = new URLSearchParams([["key", hostile.apiKey], ["app", hostile.appId], ["add", `${name}.</script><b>`], ["add", "a,b"], ["add", long], ["by", "source"]]);
  await page.goto(gateway, `#${words}`);
  await page.until("its chart", () => page.points(`${name}.</script><b>`), (points) => points.at(-1)?.[1] === 7);
  assert.deepEqual((await page.points("a,b")).at(-1)?.[1], 4);
  assert.equal(await page.tab.locator("img, b, main i:not(.swatch)").count(), 0);
  await page.shot("hostile", { fullPage: true });
  assert.ok((await page.overflow()) <= 0, "a long name makes the page wider than the window");
  publisher.close();
  await page.close();
}

export async function ten_thousand_series_can_be_searched({ browser, gateway, crowd }) {
  const publisher = new Publisher(gateway, crowd);
  const at = Date.now();
  for (let part = 0; part < 20; part += 1) {
    const metrics = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`s${part * 500 + index}`, index]));
    await publisher.publish([{ source: `part-${part}`, timestamp: at - part, metrics }]);
  }
  const page = await Page.open(browser);
  await page.goto(gateway, keyOf(crowd));
  await page.until("every report", () => page.taken(), (taken) => taken === 20);
  const field = page.tab.locator(".search");
  await field.click();
  await page.until("ten thousand names", async () => (await field.fill(""), await field.getAttribute("placeholder")), (text) => text.includes("10,000"));
  await field.fill("s9999");
  await field.press("Enter");
  await page.until("its chart", () => page.points("s9999"), (points) => points.at(-1)?.[1] === 499);
  await page.shot("ten-thousand");
  publisher.close();
  await page.close();
}
