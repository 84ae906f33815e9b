//! One event source mapping while the gateway runs: finds its stream and its shards, and has each delivered.
//!
//! A shard is begun once its parent is finished, so that an item's changes keep their order across a split.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::checkpoints::Checkpoints;
use super::delivery::{Delivery, Ended};
use super::on_failure::OnFailureFile;
use super::streams_api::{self, ShardDescription};
use crate::clock;
use crate::console::Console;
use crate::dynamodb::Client;
use crate::lambda::Invoker;
use crate::template::{Function, StreamPlan};

/// How often new shards are looked for, and a stream that is not there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The place of the region in an ARN.
const REGION_PART: usize = 3;

/// What one mapping needs.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) plan: StreamPlan,
    pub(crate) function: Function,
    pub(crate) client: Client,
    pub(crate) region: String,
    /// Makes deliveries chaotic.
    pub(crate) seed: Option<u64>,
    pub(crate) destination: Option<OnFailureFile>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) console: Arc<Console>,
    /// Whether the console knows that records are given up.
    pub(crate) has_warned: AtomicBool,
}

/// The shards of one stream that are being delivered.
#[derive(Debug)]
struct Running {
    checkpoints: Arc<Mutex<Checkpoints>>,
    stream_arn: String,
    tasks: JoinSet<(String, Ended)>,
    shards: BTreeSet<String>,
    stop: CancellationToken,
}

impl Mapping {
    /// Runs until `stop`; then what is under way is waited for.
    pub(crate) async fn run(self: Arc<Self>, checkpoints: Checkpoints, stop: CancellationToken) {
        let mut running = Running {
            checkpoints: Arc::new(Mutex::new(checkpoints)),
            stream_arn: String::new(),
            tasks: JoinSet::new(),
            shards: BTreeSet::new(),
            stop: stop.child_token(),
        };
        let since_ms = if self.plan.latest { clock::now_ms() } else { 0 };
        let mut is_faulty = false;
        while !stop.is_cancelled() {
            match self.look(since_ms, &mut running, &stop).await {
                Ok(()) => is_faulty = false,
                // Once for each outage.
                Err(fault) if !std::mem::replace(&mut is_faulty, true) => {
                    self.console.warn(&format!("{} gets nothing: {fault:#}", self.plan.function));
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
                Some(ended) = running.tasks.join_next() => match ended {
                    Ok((shard, ended)) => self.ended(&mut running, &shard, ended),
                    Err(fault) => self.console.warn(&format!("{}: {fault}", self.plan.id)),
                },
            }
        }
        while running.tasks.join_next().await.is_some() {}
    }

    /// Begins what can be begun.
    async fn look(
        self: &Arc<Self>,
        since_ms: i64,
        running: &mut Running,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let (table, endpoint) = (&self.plan.table, self.client.endpoint());
        let stream_arn = streams_api::stream_of(&self.client, table).await?;
        let stream_arn = stream_arn
            .ok_or_else(|| anyhow!("the table {table} of the DynamoDB at {endpoint} has no stream"))?;
        if stream_arn != running.stream_arn {
            // The table is another one; what is delivered of the last one's stream has no checkpoint here.
            running.stop.cancel();
            while running.tasks.join_next().await.is_some() {}
            running.shards.clear();
            running.stop = stop.child_token();
            let mut checkpoints = running.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            checkpoints.follow(&stream_arn, since_ms)?;
            running.stream_arn.clone_from(&stream_arn);
        }
        let shards = streams_api::shards_of(&self.client, &stream_arn).await?;
        let ready = {
            let mut checkpoints = running.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            checkpoints.retain(&shards.iter().map(|shard| shard.id.clone()).collect());
            ready(&shards, |shard| checkpoints.is_finished(shard))
        };
        for shard in ready {
            if running.shards.insert(shard.clone()) {
                let (delivery, reader) = Delivery::new(self, &stream_arn, &shard, &running.checkpoints);
                let stop = running.stop.clone();
                running.tasks.spawn(async move { (shard, delivery.run(reader, stop).await) });
            }
        }
        Ok(())
    }

    fn ended(&self, running: &mut Running, shard: &str, ended: Ended) {
        running.shards.remove(shard);
        if ended == Ended::Finished {
            let mut checkpoints = running.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(fault) = checkpoints.finish(shard) {
                self.console.warn(&format!("{fault:#}"));
            }
        }
    }

    /// A stream's ARN with the region that functions know; local engines name one of their own.
    pub(crate) fn arn_of(&self, stream_arn: &str) -> String {
        let parts = stream_arn.split(':').enumerate();
        let parts = parts.map(|(place, part)| if place == REGION_PART { self.region.as_str() } else { part });
        parts.collect::<Vec<_>>().join(":")
    }

    /// Warns for the first time only.
    pub(crate) fn warn_once(&self, line: impl FnOnce() -> String) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            self.console.warn(&line());
        }
    }
}

/// The shards that are not finished and whose parents are, or are gone.
fn ready(shards: &[ShardDescription], is_finished: impl Fn(&str) -> bool) -> Vec<String> {
    let waits = |parent: &String| shards.iter().any(|shard| shard.id == *parent) && !is_finished(parent);
    let open = shards.iter().filter(|shard| !is_finished(&shard.id));
    open.filter(|shard| !shard.parent.as_ref().is_some_and(waits)).map(|shard| shard.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_waits_for_its_parent_and_a_finished_shard_is_left() {
        let shard = |id: &str, parent: Option<&str>| ShardDescription {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
        };
        let shards =
            [shard("b", Some("trimmed")), shard("c", Some("b")), shard("d", Some("b")), shard("e", None)];
        assert_eq!(ready(&shards, |_| false), ["b", "e"]);
        assert_eq!(ready(&shards, |shard| shard == "b"), ["c", "d", "e"]);
    }
}
