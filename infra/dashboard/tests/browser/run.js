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
  measures.first_charts_are_drawn_within_half_a_second,
  scenes.link_of_the_gateway_signs_in_and_hides_the_key,
  scenes.wrong_key_is_rejected_and_valid_key_opens,
  scenes.page_works_without_browser_storage,
  scenes.charts_follow_reports_and_ranges_show_history,
  scenes.distant_reports_are_visible,
  scenes.keys_read_points_and_sources_have_lines,
  scenes.owner_sees_applications_in_every_state,
  scenes.small_dark_french_page_fits,
  scenes.hostile_names_stay_text,
  scenes.ten_thousand_series_can_be_searched,
  measures.twenty_live_series_keep_the_frame_rate,
  measures.memory_is_bounded_over_hours_of_reports,
  scenes.lost_connection_recovers_without_gaps_or_doubles,
  scenes.stopped_service_is_shown_until_it_is_back,
];

/** Waits for most of a minute for cached applications to expire, so it runs beside the others. */
const BESIDE = scenes.inactive_application_is_shown_within_a_minute;

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
