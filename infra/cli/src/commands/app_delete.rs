//! `nsl app delete`: an application with everything that is kept of it.
//!
//! Switched off first, deleted last: a command that is interrupted is run again and goes on. Functions believe in the
//! application for a minute longer, so what they store by then is erased too before it is deleted. A connection that
//! cannot be closed stops nothing: it opens nothing more.

use super::app_change::{change, find};
use crate::args::{AppDelete, Place};
use crate::clock;
use crate::closing;
use crate::console::Console;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::store::{self, Live};
use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nsl_aws::apps::{Apps, Saved};
use nsl_aws::erase::Partition;
use nsl_domain::app::{App, Status};
use serde_json::json;
use std::time::Duration;

/// Partitions that are emptied at a time.
const CONCURRENT_PARTITIONS: usize = 16;

/// Longest wait, once the application is deleted, for a batch of the stream that was begun before.
const IN_HAND_SECONDS: u64 = 10;

/// Deletes the application that the arguments name, once the user has agreed.
pub(crate) async fn run(
    args: AppDelete,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.named.table.as_deref(), settings).await?;
    let live =
        store.live.as_ref().context("what the application stored is found with --local or --stack NAME")?;
    let app = find(&store.apps, &args.named.app).await?;
    if !args.yes && !console.confirms(&format!("delete {} with all its reports?", app.id), app.id.as_str())? {
        bail!("nothing is deleted: say --yes, or type the application's id");
    }
    let app = change(&store.apps, app.id.as_str(), |app| {
        app.status = Status::Inactive;
        Ok(())
    })
    .await?;
    let closed = closing::close_all(live, &app.id, console).await?;
    let erased = remove(&store.apps, live, &app, args.settle, console).await?;
    if let Some(complaint) = closed.complaint() {
        console.note(&format!("{complaint}; they are refused within a minute"));
    }
    let (closed, open) = (closed.closed, closed.open());
    if console.is_json() {
        console.document(&json!({"appId": app.id, "deleted": true, "closed": closed, "notClosed": open,
            "erased": erased}))?;
    } else {
        console.line(&format!("deleted {}: {closed} connections closed, {erased} rows erased", app.id))?;
    }
    Ok(())
}

/// Erases the application, which is switched off, and what functions make of it until they know; how many rows there
/// were. The bulk goes first, so that the wait is for little.
async fn remove(apps: &Apps, live: &Live, app: &App, settle: u64, console: &Console) -> anyhow::Result<u64> {
    let mut erased = erase(live, app, console).await?;
    if settle > 0 {
        console.note(&format!("waiting {settle} s for functions that still believe in {}", app.id));
    }
    pause("settling", settle, console).await;
    erased += erase(live, app, console).await?;
    forget(apps, app).await?;
    pause("finishing", settle.min(IN_HAND_SECONDS), console).await;
    let last = erase_all(&live.rollups.partitions(app), console).await;
    let last = last.with_context(|| format!("{} is deleted, but not its last rollups", app.id))?;
    Ok(erased + last)
}

/// Empties every partition that may hold something of `app`; how many rows there were.
async fn erase(live: &Live, app: &App, console: &Console) -> anyhow::Result<u64> {
    let mut partitions = live.reports.partitions(app, clock::now_ms());
    partitions.extend(live.rollups.partitions(app));
    partitions.push(live.publishers.partition(&app.id));
    partitions.push(live.logs.partition(&app.id));
    partitions.push(live.commands.partition(&app.id));
    erase_all(&partitions, console).await
}

async fn erase_all(partitions: &[Partition], console: &Console) -> anyhow::Result<u64> {
    let progress = Progress::start(console, "erasing", partitions.len());
    let erased = stream::iter(partitions).map(|partition| async {
        let erased = partition.erase().await;
        progress.step();
        erased
    });
    let erased: Vec<u64> = erased.buffer_unordered(CONCURRENT_PARTITIONS).try_collect().await?;
    Ok(erased.iter().sum())
}

/// Waits until no function instance believes any more what was true before.
async fn pause(what: &'static str, seconds: u64, console: &Console) {
    let progress = Progress::start(console, what, usize::try_from(seconds).unwrap_or(usize::MAX));
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        progress.step();
    }
}

async fn forget(apps: &Apps, app: &App) -> anyhow::Result<()> {
    match apps.delete(app).await? {
        Saved::Done => Ok(()),
        Saved::Conflict => bail!("somebody changed {} in between: run this again", app.id),
    }
}
