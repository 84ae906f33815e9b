//! Finds the stream of a mapping's table and its shards, and has each shard delivered.
//!
//! A shard is started when its parent is finished, so that the changes of an item stay in order across a split.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::checkpoints::Checkpoints;
use super::delivery::{Delivery, DeliveryEnd};
use super::mapping::EventSourceMapping;
use super::streams_api::{self, ShardDescription};

/// How often to look for new shards, and for a stream that does not exist yet.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);

/// The shards of one stream that are being delivered.
struct ShardTasks {
    mapping: Arc<EventSourceMapping>,
    checkpoints: Arc<Mutex<Checkpoints>>,
    stream_arn: String,
    /// Each ends with its shard's id and how the delivery ended.
    tasks: JoinSet<(String, DeliveryEnd)>,
    running: BTreeSet<String>,
    stop: CancellationToken,
}

/// Delivers the stream of a mapping until `stop`; batches in flight are waited for.
pub(crate) async fn run(mapping: Arc<EventSourceMapping>, checkpoints: Checkpoints, stop: CancellationToken) {
    let mut shards = ShardTasks {
        mapping: Arc::clone(&mapping),
        checkpoints: Arc::new(Mutex::new(checkpoints)),
        stream_arn: String::new(),
        tasks: JoinSet::new(),
        running: BTreeSet::new(),
        stop: stop.child_token(),
    };
    let mut is_failing = false;
    while !stop.is_cancelled() {
        match shards.start_ready(&stop).await {
            Ok(()) => is_failing = false,
            // One warning for each outage.
            Err(error) if !std::mem::replace(&mut is_failing, true) => {
                mapping.console.warn(&format!("{} gets no stream records: {error:#}", mapping.plan.function));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(DISCOVERY_INTERVAL) => {}
            () = stop.cancelled() => {}
            Some(ended) = shards.tasks.join_next() => match ended {
                Ok((id, end)) => shards.end(&id, end),
                Err(error) => mapping.console.warn(&format!("{}: {error}", mapping.plan.id)),
            },
        }
    }
    while shards.tasks.join_next().await.is_some() {}
}

impl ShardTasks {
    /// Starts the delivery of each shard that is ready and not running.
    async fn start_ready(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let client = &self.mapping.client;
        let (table, endpoint) = (&self.mapping.plan.table, client.endpoint());
        let stream_arn = streams_api::stream_arn(client, table).await?;
        let stream_arn = stream_arn
            .ok_or_else(|| anyhow!("the table {table} of the DynamoDB at {endpoint} has no stream"))?;
        if stream_arn != self.stream_arn {
            // The table was created again. Shards of the old stream have no checkpoint in the new one.
            self.stop.cancel();
            while self.tasks.join_next().await.is_some() {}
            self.running.clear();
            self.stop = stop.child_token();
            self.checkpoints.lock().follow(&stream_arn)?;
            self.stream_arn.clone_from(&stream_arn);
        }
        let described = streams_api::describe_shards(client, &stream_arn).await?;
        let ready = {
            let mut checkpoints = self.checkpoints.lock();
            checkpoints.retain(&described.iter().map(|shard| shard.id.clone()).collect());
            ready_shards(&described, |shard| checkpoints.is_finished(shard))
        };
        for id in ready {
            if self.running.insert(id.clone()) {
                let (mapping, stream_arn) = (Arc::clone(&self.mapping), stream_arn.clone());
                let (checkpoints, stop) = (Arc::clone(&self.checkpoints), self.stop.clone());
                self.tasks.spawn(async move {
                    let end = Delivery::run(&mapping, &stream_arn, &id, &checkpoints, stop).await;
                    (id, end)
                });
            }
        }
        Ok(())
    }

    fn end(&mut self, id: &str, end: DeliveryEnd) {
        self.running.remove(id);
        if end == DeliveryEnd::Finished
            && let Err(error) = self.checkpoints.lock().finish(id)
        {
            self.mapping.console.warn(&format!("{error:#}"));
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
