//! How far each shard of a stream is settled, kept in a file so that a restart goes on from there.
//!
//! Delivery is at least once: what was delivered but not written here yet is delivered again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::record::SequenceNumber;

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    stream_arn: String,
    /// Records made before this are passed over: a mapping that began at the latest record.
    since_ms: i64,
    shards: BTreeMap<String, Progress>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    after: Option<SequenceNumber>,
    #[serde(default)]
    finished: bool,
}

/// The checkpoints of one mapping.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    path: PathBuf,
    kept: Kept,
}

impl Checkpoints {
    /// Reads the file at `path`; one that is missing or of no use is a mapping without a past.
    pub(crate) fn open(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_default();
        Self { path, kept: serde_json::from_slice(&text).unwrap_or_default() }
    }

    /// Goes on with `stream_arn`; another stream than before is begun anew, at `since_ms`. Tells whether it is new.
    pub(crate) fn follow(&mut self, stream_arn: &str, since_ms: i64) -> anyhow::Result<bool> {
        if self.kept.stream_arn == stream_arn {
            return Ok(false);
        }
        self.kept = Kept { stream_arn: stream_arn.to_owned(), since_ms, shards: BTreeMap::new() };
        self.write().map(|()| true)
    }

    pub(crate) fn since_ms(&self) -> i64 {
        self.kept.since_ms
    }

    pub(crate) fn after(&self, shard: &str) -> Option<SequenceNumber> {
        self.kept.shards.get(shard).and_then(|progress| progress.after.clone())
    }

    pub(crate) fn is_finished(&self, shard: &str) -> bool {
        self.kept.shards.get(shard).is_some_and(|progress| progress.finished)
    }

    /// Notes that everything up to `after` is settled; writes only what is new.
    pub(crate) fn settle(&mut self, shard: &str, after: &SequenceNumber) -> anyhow::Result<()> {
        let progress = self.kept.shards.entry(shard.to_owned()).or_default();
        if progress.after.as_ref() == Some(after) {
            return Ok(());
        }
        progress.after = Some(after.clone());
        self.write()
    }

    /// Notes that a closed shard is settled to its end.
    pub(crate) fn finish(&mut self, shard: &str) -> anyhow::Result<()> {
        self.kept.shards.entry(shard.to_owned()).or_default().finished = true;
        self.write()
    }

    /// Forgets shards that the stream has not any more.
    pub(crate) fn retain(&mut self, shards: &BTreeSet<String>) {
        self.kept.shards.retain(|shard, _| shards.contains(shard));
    }

    fn write(&self) -> anyhow::Result<()> {
        let write = || -> std::io::Result<()> {
            let fresh = self.path.with_extension("json.fresh");
            let mut file = File::create(&fresh)?;
            file.write_all(serde_json::to_string_pretty(&self.kept)?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    #[test]
    fn progress_outlives_the_gateway_until_the_stream_is_another() {
        let state = StateDir::open(None).unwrap();
        let open = || Checkpoints::open(state.file("stream-x.json"));
        let mut first = open();
        assert!(first.follow("arn:1", 5).unwrap());
        first.settle("s1", &SequenceNumber::new("7")).unwrap();
        first.finish("s2").unwrap();

        let mut second = open();
        assert!(!second.follow("arn:1", 9).unwrap());
        assert_eq!((second.since_ms(), second.after("s1")), (5, Some(SequenceNumber::new("7"))));
        assert!(second.is_finished("s2") && !second.is_finished("s1"));
        assert!(second.follow("arn:2", 9).unwrap());
        assert_eq!((second.since_ms(), second.after("s1")), (9, None));

        fs::write(state.file("stream-x.json"), "{").unwrap();
        assert_eq!(open().after("s1"), None);
    }
}
