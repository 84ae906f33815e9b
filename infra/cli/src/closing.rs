//! Closes every connection that names an application: its publishers and its viewers.
//!
//! One that cannot be closed keeps no other open: it is counted with its reason, and told when all have been tried.

use crate::clock;
use crate::console::Console;
use crate::progress::Progress;
use crate::store::Live;
use futures_util::{StreamExt as _, stream};
use nsl_domain::ids::AppId;
use std::collections::BTreeMap;

/// Connections that are closed at a time.
const CONCURRENT_CLOSES: usize = 16;

/// What became of an application's connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Those that are closed, or were gone.
    pub(crate) closed: usize,
    /// Those that are still open, by the reason for it.
    refused: BTreeMap<String, usize>,
}

/// Closes them, as many as can be. Their rows go with their `$disconnect`.
pub(crate) async fn close_all(live: &Live, app: &AppId, console: &Console) -> anyhow::Result<Closing> {
    let connected = live.publishers.connected(app, clock::now_ms()).await?;
    let progress = Progress::start(console, "closing", connected.len());
    let closing = stream::iter(&connected).map(|connection| async {
        let closed = live.connections_api.close(connection).await;
        progress.step();
        closed
    });
    let mut outcomes = closing.buffer_unordered(CONCURRENT_CLOSES);
    let mut done = Closing::default();
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(()) => done.closed += 1,
            Err(fault) => *done.refused.entry(fault.chain()).or_default() += 1,
        }
    }
    Ok(done)
}

impl Closing {
    /// How many could not be closed.
    pub(crate) fn open(&self) -> usize {
        self.refused.values().sum()
    }

    /// How many could not be closed and why; `None` where all are closed.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.refused.is_empty() {
            return None;
        }
        let reasons: Vec<String> =
            self.refused.iter().map(|(reason, count)| format!("{count} by {reason}")).collect();
        let (open, all) = (self.open(), self.open() + self.closed);
        Some(format!("{open} of {all} connections could not be closed: {}", reasons.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_with_its_count() {
        let refused = BTreeMap::from([("no way".to_owned(), 2), ("too fast".to_owned(), 1)]);
        let closing = Closing { closed: 4, refused };
        let told = "3 of 7 connections could not be closed: 2 by no way; 1 by too fast";
        assert_eq!(closing.complaint().as_deref(), Some(told));
        assert_eq!(Closing { closed: 4, ..Closing::default() }.complaint(), None);
    }
}
