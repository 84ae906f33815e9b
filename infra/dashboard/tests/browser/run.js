// Runs the scenes in order against one gateway and prints their times. The exit status is the number of failures.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Gateway } from "./gateway.js";
import * as measures from "./measures.js";
import { SHOTS, openBrowser } from "./page.js";
import { Publisher } from "./publisher.js";
import * as scenes from "./scenes.js";
import { seed } from "./reports.js";

const [executable, ...wanted] = process.argv.slice(2);
/** The measurement of the first paint comes first, before any other request. */
const SCENES = [
  measures.the_first_charts_are_there_within_half_a_second,
  scenes.the_link_of_the_gateway_signs_in_and_the_key_leaves_the_address,
  scenes.a_wrong_key_is_told_and_a_right_one_opens,
  scenes.a_browser_that_keeps_nothing_is_served_all_the_same,
  scenes.charts_move_with_each_report_and_ranges_show_history,
  scenes.reports_that_are_far_apart_are_seen,
  scenes.keys_read_the_points_and_sources_are_told_apart,
  scenes.an_owner_sees_applications_in_every_state,
  scenes.small_dark_and_french,
  scenes.hostile_names_are_only_text,
  scenes.ten_thousand_series_can_be_searched,
  measures.twenty_live_series_leave_the_frames_alone,
  measures.hours_of_reports_leave_memory_bounded,
  scenes.a_lost_connection_recovers_without_a_gap_or_a_double,
  scenes.a_stopped_service_is_told_and_comes_back,
];

/** Waits for most of a minute for cached applications to expire, so it runs beside the others. */
const BESIDE = scenes.an_application_that_is_switched_off_says_so_within_the_minute;

async function prepare() {
  const gateway = await new Gateway("--memory").start();
  const create = (name) => gateway.nsl("app", "create", "--name", name, "--owner", "olga");
  const app = await create("Web shop");
  await seed(gateway, app);
  const [wide, crowd, hostile, off] = [await create("Render farm"), await create("Ten thousand"), await create("<script>alert(1)</script>"), await create("Old blog")];
  await gateway.nsl("app", "deactivate", off.appId);
  const { token } = await gateway.nsl("token", "issue", "--owner", "olga");
  return { gateway, app, wide, crowd, hostile, off, token, publisher: new Publisher(gateway, app), figures: {} };
}

async function run(scene, setup) {
  const { name } = scene;
  const began = Date.now();
  try {
    await scene(setup);
    console.log(`ok      ${name} (${Date.now() - began} ms)`);
    return 0;
  } catch (fault) {
    console.log(`FAILED  ${name} (${Date.now() - began} ms)\n${fault.stack}`);
    return 1;
  }
}

const began = Date.now();
const setup = { ...(await prepare()), browser: await openBrowser(executable) };
console.log(`prepared in ${Date.now() - began} ms`);
const isWanted = ({ name }) => wanted.length === 0 || wanted.some((one) => name.includes(one));
const [first, ...others] = SCENES.filter(isWanted);
let failures = first === undefined ? 0 : await run(first, setup);
const beside = isWanted(BESIDE) ? run(BESIDE, setup) : 0;
for (const scene of others) failures += await run(scene, setup);
failures += await beside;
await setup.browser.close();
await setup.gateway.end();
writeFileSync(join(SHOTS, "figures.json"), JSON.stringify(setup.figures, null, 2));
console.log(`${failures} scenes failed, ${Math.round((Date.now() - began) / 1000)} s; ${JSON.stringify(setup.figures)}; screenshots in target/dashboard`);
process.exit(failures);
