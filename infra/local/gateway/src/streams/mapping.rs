//! One running event source mapping: finds the table's stream and its shards, and has each shard delivered.
//!
//! A shard is started when its parent is finished, so that the changes of an item stay in order across a split.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::checkpoints::Checkpoints;
use super::delivery::{Delivery, DeliveryEnd};
use super::on_failure::OnFailureFile;
use super::streams_api::{self, ShardDescription};
use crate::clock;
use crate::console::Console;
use crate::dynamodb::Client;
use crate::lambda::Invoker;
use crate::template::{Function, StreamPlan};

/// How often to look for new shards, and for a stream that does not exist yet.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);
/// The index of the region in an ARN.
const REGION_PART: usize = 3;

#[derive(Debug)]
pub(crate) struct EventSourceMapping {
    pub(crate) plan: StreamPlan,
    pub(crate) function: Function,
    pub(crate) client: Client,
    pub(crate) region: String,
    pub(crate) chaos_seed: Option<u64>,
    pub(crate) on_failure: Option<OnFailureFile>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) console: Arc<Console>,
    /// Whether discarded records were reported on the console.
    pub(crate) has_warned: AtomicBool,
}

/// A shard whose delivery ended.
struct EndedShard {
    id: String,
    end: DeliveryEnd,
}

/// The shards of one stream that are being delivered.
struct ShardTasks {
    checkpoints: Arc<Mutex<Checkpoints>>,
    stream_arn: String,
    tasks: JoinSet<EndedShard>,
    running: BTreeSet<String>,
    stop: CancellationToken,
}

impl EventSourceMapping {
    /// Runs until `stop`; batches in flight are waited for.
    pub(crate) async fn run(self: Arc<Self>, checkpoints: Checkpoints, stop: CancellationToken) {
        let mut shards = ShardTasks {
            checkpoints: Arc::new(Mutex::new(checkpoints)),
            stream_arn: String::new(),
            tasks: JoinSet::new(),
            running: BTreeSet::new(),
            stop: stop.child_token(),
        };
        let since_ms = if self.plan.latest { clock::now_ms() } else { 0 };
        let mut is_failing = false;
        while !stop.is_cancelled() {
            match self.start_shards(since_ms, &mut shards, &stop).await {
                Ok(()) => is_failing = false,
                // One warning for each outage.
                Err(error) if !std::mem::replace(&mut is_failing, true) => {
                    self.console.warn(&format!("{} gets no stream records: {error:#}", self.plan.function));
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(DISCOVERY_INTERVAL) => {}
                () = stop.cancelled() => {}
                Some(ended) = shards.tasks.join_next() => match ended {
                    Ok(ended) => self.end_shard(&mut shards, &ended),
                    Err(error) => self.console.warn(&format!("{}: {error}", self.plan.id)),
                },
            }
        }
        while shards.tasks.join_next().await.is_some() {}
    }

    /// Starts the delivery of each shard that is ready and not running.
    async fn start_shards(
        self: &Arc<Self>,
        since_ms: i64,
        shards: &mut ShardTasks,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let (table, endpoint) = (&self.plan.table, self.client.endpoint());
        let stream_arn = streams_api::stream_arn(&self.client, table).await?;
        let stream_arn = stream_arn
            .ok_or_else(|| anyhow!("the table {table} of the DynamoDB at {endpoint} has no stream"))?;
        if stream_arn != shards.stream_arn {
            // The table was created again. Shards of the old stream have no checkpoint in the new one.
            shards.stop.cancel();
            while shards.tasks.join_next().await.is_some() {}
            shards.running.clear();
            shards.stop = stop.child_token();
            shards.checkpoints.lock().follow(&stream_arn, since_ms)?;
            shards.stream_arn.clone_from(&stream_arn);
        }
        let described = streams_api::describe_shards(&self.client, &stream_arn).await?;
        let ready = {
            let mut checkpoints = shards.checkpoints.lock();
            checkpoints.retain(&described.iter().map(|shard| shard.id.clone()).collect());
            ready_shards(&described, |shard| checkpoints.is_finished(shard))
        };
        for id in ready {
            if shards.running.insert(id.clone()) {
                let (mapping, stream_arn) = (Arc::clone(self), stream_arn.clone());
                let (checkpoints, stop) = (Arc::clone(&shards.checkpoints), shards.stop.clone());
                shards.tasks.spawn(async move {
                    let end = Delivery::run(&mapping, &stream_arn, &id, &checkpoints, stop).await;
                    EndedShard { id, end }
                });
            }
        }
        Ok(())
    }

    fn end_shard(&self, shards: &mut ShardTasks, ended: &EndedShard) {
        shards.running.remove(&ended.id);
        if ended.end == DeliveryEnd::Finished
            && let Err(error) = shards.checkpoints.lock().finish(&ended.id)
        {
            self.console.warn(&format!("{error:#}"));
        }
    }

    /// A stream's ARN with the functions' region, because local engines use a region of their own.
    pub(crate) fn local_arn(&self, stream_arn: &str) -> String {
        let parts = stream_arn.split(':').enumerate();
        let parts = parts.map(|(index, part)| if index == REGION_PART { self.region.as_str() } else { part });
        parts.collect::<Vec<_>>().join(":")
    }

    /// Prints a warning the first time only.
    pub(crate) fn warn_once(&self, line: impl FnOnce() -> String) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            self.console.warn(&line());
        }
    }
}

/// The unfinished shards whose parent is finished or no longer exists.
fn ready_shards(shards: &[ShardDescription], is_finished: impl Fn(&str) -> bool) -> Vec<String> {
    let is_pending = |parent: &String| shards.iter().any(|shard| shard.id == *parent) && !is_finished(parent);
    let unfinished = shards.iter().filter(|shard| !is_finished(&shard.id));
    let ready = unfinished.filter(|shard| !shard.parent.as_ref().is_some_and(is_pending));
    ready.map(|shard| shard.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_waits_for_its_parent() {
        let shard = |id: &str, parent: Option<&str>| ShardDescription {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
        };
        let shards =
            [shard("b", Some("trimmed")), shard("c", Some("b")), shard("d", Some("b")), shard("e", None)];
        assert_eq!(ready_shards(&shards, |_| false), ["b", "e"]);
        assert_eq!(ready_shards(&shards, |shard| shard == "b"), ["c", "d", "e"]);
    }
}
