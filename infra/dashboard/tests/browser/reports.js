// Reports for scenes: seeding history, a live stream, and counts in history.

import { setTimeout as sleep } from "node:timers/promises";

import { Publisher, machineReport } from "./publisher.js";

export const SOURCES = ["web-1", "web-2"];
const MINUTE_MS = 60_000;
const TIMEOUT_MS = 60_000;

export const keyOf = ({ apiKey, appId }) => `#key=${apiKey}&app=${appId}`;

/** Publishes an hour in detail and two days coarsely, so that every range has points. */
export async function seed(gateway, app) {
  const now = Date.now();
  const reports = [];
  for (const source of SOURCES) {
    for (let ago = 46 * 60; ago > 60; ago -= 30) reports.push(machineReport(source, now - ago * MINUTE_MS));
    for (let ago = 3600; ago > 10; ago -= ago > 300 ? 20 : 4) reports.push(machineReport(source, now - ago * 1000));
  }
  const publishers = Array.from({ length: 4 }, () => new Publisher(gateway, app));
  await Promise.all(publishers.map((publisher, place) => publisher.publish(reports.filter((_, index) => index % publishers.length === place))));
  for (const publisher of publishers) publisher.close();
  await rolledUp(gateway, app, reports.length);
}

/** Waits until history has everything that was published. */
export async function rolledUp(gateway, app, published) {
  const end = Date.now() + TIMEOUT_MS;
  while ((await counts(gateway, app, "week")) < published) {
    if (Date.now() > end) throw new Error("history lacks published reports");
    await sleep(200);
  }
}

/** Publishes reports of `sources` each second until it is stopped. */
export function stream(publisher, sources, every = 1000) {
  let isOn = true;
  const done = (async () => {
    while (isOn) {
      const at = Date.now();
      await publisher.publish(sources.map((source) => machineReport(source, at)));
      await sleep(Math.max(0, every - (Date.now() - at)));
    }
  })();
  return { stop: () => ((isOn = false), done) };
}

/** The number of reports of an app in history. */
export async function counts(gateway, { appId, apiKey }, range = "hour") {
  const headers = { authorization: `Bearer ${apiKey}` };
  const answer = await fetch(`${gateway.ready.http}/apps/${appId}/metrics?timeRange=${range}&series=cpu.usage`, { headers });
  const { series } = await answer.json();
  return (series["cpu.usage"]?.count ?? []).reduce((sum, count) => sum + count, 0);
}
