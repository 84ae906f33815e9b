//! Removes an app that is switched off with everything that is stored for it.
//!
//! Most rows are erased before the wait for functions that have the app in their cache, so that little is left after it.

use crate::store::Live;
use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nsl_aws::apps::{Apps, Saved};
use nsl_aws::erase::Partition;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::progress::Progress;
use nsl_domain::app::App;
use nsl_domain::time::{SECOND_MS, TimestampMs};
use std::time::Duration;

/// Partitions that are erased concurrently.
const CONCURRENCY: usize = 16;

/// Longest wait after the deletion for stream batches whose processing has begun before.
const RUNNING_BATCHES_SECONDS: u64 = 10;

/// Deletes the inactive app and its rows, and returns the number of rows. `settle` is how many seconds functions may
/// still have it in their cache.
pub(crate) async fn remove(
    apps: &Apps,
    live: &Live,
    app: &App,
    settle: u64,
    console: &Console,
) -> anyhow::Result<u64> {
    let mut erased = erase(live, app, console).await?;
    if settle > 0 {
        console.note(&format!("waiting {settle} s until no function has {} in its cache", app.id));
    }
    wait("waiting", settle, console).await;
    erased += erase(live, app, console).await?;
    let finishing = settle.min(RUNNING_BATCHES_SECONDS);
    if apps.delete(app, id_free_since(clock::now(), finishing)).await? == Saved::Conflict {
        bail!("cannot delete {}: it was changed meanwhile; try again", app.id);
    }
    wait("finishing", finishing, console).await;
    let last = erase_all(&live.rollups.partitions(app), console).await;
    let last = last.with_context(|| format!("{} is deleted, but not its last rollups", app.id))?;
    Ok(erased + last)
}

/// From when on another app may have the id: after the last rows are erased, and after the second in which a token
/// may have been issued, because tokens contain that second only.
fn id_free_since(now: TimestampMs, finishing_seconds: u64) -> TimestampMs {
    let finishing = i64::try_from(finishing_seconds).unwrap_or(i64::MAX);
    now.aligned_to(SECOND_MS).plus_ms(finishing.saturating_add(1).saturating_mul(SECOND_MS))
}

/// Erases every partition that may contain rows of `app`, and returns the number of rows.
async fn erase(live: &Live, app: &App, console: &Console) -> anyhow::Result<u64> {
    let mut partitions = live.reports.partitions(app, clock::now());
    partitions.extend(live.rollups.partitions(app));
    partitions.extend(live.publishers.partitions(&app.id));
    partitions.push(live.logs.partition(&app.id));
    partitions.push(live.commands.partition(&app.id));
    erase_all(&partitions, console).await
}

async fn erase_all(partitions: &[Partition], console: &Console) -> anyhow::Result<u64> {
    let progress = Progress::start(console, "erasing", partitions.len() as u64);
    let erased = stream::iter(partitions).map(|partition| async {
        let erased = partition.erase().await;
        progress.step();
        erased
    });
    let erased: Vec<u64> = erased.buffer_unordered(CONCURRENCY).try_collect().await?;
    Ok(erased.iter().sum())
}

async fn wait(task: &str, seconds: u64, console: &Console) {
    let progress = Progress::start(console, task, seconds);
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        progress.step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_free_after_the_second_of_the_last_erasure() {
        let second = TimestampMs::EXAMPLE.aligned_to(SECOND_MS);
        for (ms, finishing, seconds) in [(0, 0, 1), (999, 0, 1), (500, 10, 11)] {
            let free = id_free_since(second.plus_ms(ms), finishing);
            assert_eq!(free, second.plus_ms(seconds * SECOND_MS), "{ms} {finishing}");
        }
    }
}
