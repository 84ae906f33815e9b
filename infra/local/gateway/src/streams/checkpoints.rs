//! How far each shard of a stream is processed, in a file, so that a restarted gateway continues from there.
//!
//! Delivery is at least once: records that were delivered but not yet checkpointed are delivered again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::record::SequenceNumber;
use crate::private_files::write_private_file;

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    stream_arn: String,
    shards: BTreeMap<String, ShardProgress>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct ShardProgress {
    after: Option<SequenceNumber>,
    #[serde(default)]
    finished: bool,
}

/// The checkpoints of one event source mapping.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    path: PathBuf,
    progress: Progress,
}

impl Checkpoints {
    /// Reads the file at `path`. A missing or unreadable file means that nothing is processed yet.
    pub(crate) fn open(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_default();
        Self { path, progress: serde_json::from_slice(&text).unwrap_or_default() }
    }

    /// Continues with `stream_arn`. A stream other than before starts without checkpoints.
    pub(crate) fn follow(&mut self, stream_arn: &str) -> anyhow::Result<()> {
        if self.progress.stream_arn == stream_arn {
            return Ok(());
        }
        self.progress = Progress { stream_arn: stream_arn.to_owned(), shards: BTreeMap::new() };
        self.write()
    }

    /// The last record of a shard up to which everything is processed.
    pub(crate) fn after(&self, shard: &str) -> Option<SequenceNumber> {
        self.progress.shards.get(shard).and_then(|progress| progress.after.clone())
    }

    pub(crate) fn is_finished(&self, shard: &str) -> bool {
        self.progress.shards.get(shard).is_some_and(|progress| progress.finished)
    }

    /// Records that everything up to `after` is processed.
    pub(crate) fn advance(&mut self, shard: &str, after: &SequenceNumber) -> anyhow::Result<()> {
        let progress = self.progress.shards.entry(shard.to_owned()).or_default();
        if progress.after.as_ref() == Some(after) {
            return Ok(());
        }
        progress.after = Some(after.clone());
        self.write()
    }

    /// Records that a closed shard is processed to its end.
    pub(crate) fn finish(&mut self, shard: &str) -> anyhow::Result<()> {
        self.progress.shards.entry(shard.to_owned()).or_default().finished = true;
        self.write()
    }

    /// Removes shards that the stream no longer has.
    pub(crate) fn retain(&mut self, shards: &BTreeSet<String>) {
        self.progress.shards.retain(|shard, _| shards.contains(shard));
    }

    fn write(&self) -> anyhow::Result<()> {
        write_private_file(&self.path, &serde_json::to_string_pretty(&self.progress)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    #[test]
    fn progress_survives_a_restart_but_not_a_new_stream() {
        let state = StateDir::open(None).unwrap();
        let open = || Checkpoints::open(state.file("stream-x.json"));
        let mut first = open();
        first.follow("arn:1").unwrap();
        first.advance("s1", &SequenceNumber::new("7")).unwrap();
        first.finish("s2").unwrap();

        let mut second = open();
        second.follow("arn:1").unwrap();
        assert_eq!(second.after("s1"), Some(SequenceNumber::new("7")));
        assert!(second.is_finished("s2") && !second.is_finished("s1"));
        second.follow("arn:2").unwrap();
        assert_eq!(second.after("s1"), None);

        fs::write(state.file("stream-x.json"), "{").unwrap();
        assert_eq!(open().after("s1"), None);
    }
}
