//! `nsl smoke`: tests a deployed service through its public interfaces, with an app of its own that is deleted after.
//!
//! The operator's access is used only to create, change and delete that app. It is deleted also after a failure or an
//! interrupt; what a killed run leaves, a later run removes.

use crate::args::Smoke;
use crate::cli::Cli;
use crate::connection::Connection;
use crate::shutdown::Shutdown;
use crate::smoke::check::Check;
use crate::smoke::connection_checks::{self as connections, Stamps};
use crate::smoke::http_checks as http;
use crate::smoke::probe::{HTTP_TIMEOUT, Probe, Tally};
use crate::smoke::report::{Failure, Passed, Report};
use crate::smoke::temporary_app::TemporaryApp;
use crate::store;
use crate::target::{http_address, site};
use anyhow::{Context as _, bail};
use nsl_client::clock;
use nsl_client::http::HttpClient;
use nsl_client::ready_file::ReadyFile;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The parameter that says how long reports collect before they are rolled up, and its maximum.
const ROLLUP_WINDOW: &str = "RollupWindowSeconds";
const MAX_ROLLUP_WINDOW_SECONDS: u64 = 300;

/// How much longer a rollup may take: the stream's polling, a cold start, a retry.
const ROLLUP_SLACK_SECONDS: u64 = 120;

/// Longest time that deleting the app may take besides `--settle`.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) async fn run(args: Smoke, cli: &Cli) -> anyhow::Result<()> {
    let site = site(cli).await?.context("no service named: give --local or --stack NAME")?;
    let store = store::open_site(&site, cli, None).await?;
    let live = store.live.as_ref().context("the service's outputs name no tables")?;
    let http_address = http_address(cli, Some(&site))?;
    let probe = Probe {
        site: &site,
        ws: cli.place.ws.clone().unwrap_or_else(|| site.ws.clone()),
        http: HttpClient::new(&http_address, HTTP_TIMEOUT)?,
        http_address,
        store: &store,
        live,
        console: &cli.console,
        rollup_wait: rollup_wait(&args, &site),
        tally: Tally::default(),
    };
    let app = TemporaryApp::new()?;
    let mut report = Report::new(&cli.console, cli.place.stack.as_deref(), &site.outputs, &args.skip);
    let mut interrupt = Shutdown::on_signals()?;
    let began = Instant::now();
    let is_complete = tokio::select! {
        outcome = run_checks(&probe, &app, &mut report) => { outcome?; true }
        () = interrupt.requested() => false,
    };
    if !is_complete {
        cli.console.note("interrupted: deleting the temporary application; interrupt again to leave it");
    }
    let mut interrupt = Shutdown::on_signals()?;
    tokio::select! {
        outcome = report.run(Check::Cleanup, clean_up(&probe, &app, args.settle)) => { outcome?; }
        () = interrupt.requested() => bail!("interrupted: {} may be left; {}", app.id(), remedy(&app, cli)),
    }
    summarise(&report, &probe, began.elapsed())?;
    if report.skips(Check::Cleanup) || report.failed > 0 {
        report_leftover(&probe, &app, cli).await;
    }
    match report.failed {
        0 if is_complete => Ok(()),
        0 => bail!("interrupted before all checks had run"),
        1 => bail!("a check failed"),
        failed => bail!("{failed} checks failed"),
    }
}

/// Longest wait for a rollup.
fn rollup_wait(args: &Smoke, site: &ReadyFile) -> Duration {
    let window = site.parameters.get(ROLLUP_WINDOW).and_then(|seconds| seconds.parse::<u64>().ok());
    let window = window.unwrap_or(MAX_ROLLUP_WINDOW_SECONDS);
    Duration::from_secs(args.rollup_wait.unwrap_or(window.saturating_add(ROLLUP_SLACK_SECONDS)))
}

async fn run_checks(probe: &Probe<'_>, app: &TemporaryApp, report: &mut Report<'_>) -> anyhow::Result<()> {
    let is_up =
        report.run(Check::Health, http::health(probe)).await?.is_some() || report.skips(Check::Health);
    if is_up {
        report.run(Check::Dashboard, http::dashboard(probe)).await?;
        report.run(Check::Cors, http::cors(probe)).await?;
    } else {
        report.not_run(&[Check::Dashboard, Check::Cors], Check::Health)?;
    }
    report.run(Check::WrongKey, connections::wrong_key(probe)).await?;
    if report.run(Check::App, app.create(probe)).await?.is_none() {
        return report.not_run(&Check::of_app(), Check::App);
    }
    if is_up {
        report.run(Check::HttpWrongKey, http::wrong_key(probe, app)).await?;
    } else {
        report.not_run(&[Check::HttpWrongKey], Check::Health)?;
    }
    report.run(Check::Subprotocol, connections::subprotocol(probe, app)).await?;
    let mut viewer = report.run(Check::Viewer, connections::viewer(probe, app)).await?;
    let mut publisher = report.run(Check::Publisher, connections::publisher(probe, app)).await?;
    report.run(Check::Legacy, connections::legacy(probe, app)).await?;
    check_reports(probe, app, report, is_up, viewer.as_mut(), publisher.as_mut()).await?;
    report.run(Check::RevokedKey, connections::revoked_key(probe, app)).await?;
    let open = viewer.into_iter().chain(publisher).collect();
    report.run(Check::Deactivated, connections::deactivated(probe, app, open)).await?;
    Ok(())
}

/// Publishes reports, and follows them to the viewer and into history.
async fn check_reports(
    probe: &Probe<'_>,
    app: &TemporaryApp,
    report: &mut Report<'_>,
    is_up: bool,
    viewer: Option<&mut Connection>,
    publisher: Option<&mut Connection>,
) -> anyhow::Result<()> {
    const OF_HTTP: [Check; 3] = [Check::Latest, Check::History, Check::Rollups];
    let stamps = Stamps::at(clock::now());
    let Some(publisher) = publisher else {
        report.not_run(
            &[Check::Publish, Check::Duplicate, Check::Malformed, Check::Delivery],
            Check::Publisher,
        )?;
        return report.not_run(&OF_HTTP, Check::Publisher);
    };
    let published = report.run(Check::Publish, connections::publish(probe, publisher, app, stamps)).await?;
    report.run(Check::Duplicate, connections::duplicate(probe, publisher, app, stamps)).await?;
    report.run(Check::Malformed, connections::malformed(probe, publisher, app)).await?;
    if published.is_none() {
        report.not_run(&[Check::Delivery], Check::Publish)?;
        return report.not_run(&OF_HTTP, Check::Publish);
    }
    match viewer {
        Some(viewer) => drop(report.run(Check::Delivery, connections::delivery(probe, viewer)).await?),
        None => report.not_run(&[Check::Delivery], Check::Viewer)?,
    }
    if !is_up {
        return report.not_run(&OF_HTTP, Check::Health);
    }
    report.run(Check::Latest, http::latest(probe, app)).await?;
    report.run(Check::History, http::history(probe, app, stamps)).await?;
    report.run(Check::Rollups, http::rollups(probe, app, stamps)).await?;
    Ok(())
}

async fn clean_up(probe: &Probe<'_>, app: &TemporaryApp, settle: u64) -> Passed<()> {
    const EXPECTED: &str = "the temporary application to be deleted";
    let limit = CLEANUP_TIMEOUT + Duration::from_secs(2 * settle);
    let deleted = timeout(limit, app.delete(probe, settle)).await;
    let expired = |_| Failure::new(EXPECTED, format!("no end within {} s", limit.as_secs()));
    match deleted.map_err(expired)?.map_err(Failure::of(EXPECTED))? {
        None => Ok(((), "there was no application to delete".to_owned())),
        Some(rows) => {
            let seen = format!("deleted {} and {rows} rows; a row that reserves its id stays", app.id());
            Ok(((), seen))
        }
    }
}

fn summarise(report: &Report<'_>, probe: &Probe<'_>, took: Duration) -> anyhow::Result<()> {
    let tally = &probe.tally;
    let (handshakes, frames, calls) = (tally.handshakes.get(), tally.frames.get(), tally.calls.get());
    let Report { passed, failed, left_out, .. } = report;
    let document = json!({"passed": passed, "failed": failed, "leftOut": left_out, "seconds": took.as_secs(),
        "handshakes": handshakes, "frames": frames, "calls": calls});
    let text = || {
        format!(
            "{passed} passed, {failed} failed, {left_out} left out in {} s; {handshakes} handshakes, {frames} frames and \
             {calls} HTTP calls, less than a tenth of a cent",
            took.as_secs()
        )
    };
    Ok(probe.console.show(&document, text)?)
}

/// Says what is left, if the app still exists.
async fn report_leftover(probe: &Probe<'_>, app: &TemporaryApp, cli: &Cli) {
    if let Ok(Some(_)) = probe.store.apps.find(&app.app.id).await {
        cli.console.note(&format!("{} is left; {}", app.id(), remedy(app, cli)));
    }
}

fn remedy(app: &TemporaryApp, cli: &Cli) -> String {
    let again = cli.place.again();
    format!("nsl app delete {} --yes{again} removes it, or nsl smoke after half an hour", app.id())
}
