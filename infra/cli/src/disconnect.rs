//! Closes the connections of an app's publishers and viewers. A failure to close one does not stop the others.

use crate::store::Live;
use futures_util::{StreamExt as _, stream};
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::progress::Progress;
use nsl_domain::ids::AppId;
use std::collections::BTreeMap;

/// Connections that are closed concurrently.
const CONCURRENCY: usize = 16;

/// The outcome of closing an app's connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Disconnected {
    /// Connections that are closed now.
    pub(crate) closed: usize,
    /// Connections that are still open, by error.
    failures: BTreeMap<String, usize>,
}

/// Closes all connections. `$disconnect` then deletes their rows.
pub(crate) async fn close_all(live: &Live, app: &AppId, console: &Console) -> anyhow::Result<Disconnected> {
    let connected = live.publishers.connected(app, clock::now()).await?;
    let progress = Progress::start(console, "closing", connected.len() as u64);
    let closing = stream::iter(&connected).map(|connection| async {
        let closed = live.connections_api.close(connection).await;
        progress.step();
        closed
    });
    let mut outcomes = closing.buffer_unordered(CONCURRENCY);
    let mut disconnected = Disconnected::default();
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(()) => disconnected.closed += 1,
            Err(fault) => *disconnected.failures.entry(fault.chain()).or_default() += 1,
        }
    }
    Ok(disconnected)
}

impl Disconnected {
    /// Number of connections that are still open.
    pub(crate) fn open(&self) -> usize {
        self.failures.values().sum()
    }

    /// Which connections could not be closed, with each error; `None` if all are closed.
    pub(crate) fn error(&self) -> Option<String> {
        if self.failures.is_empty() {
            return None;
        }
        let errors: Vec<String> =
            self.failures.iter().map(|(error, count)| format!("{count} x {error}")).collect();
        let (open, all) = (self.open(), self.open() + self.closed);
        Some(format!("cannot close {open} of {all} connections: {}", errors.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_shown_once_with_its_count() {
        let failures = BTreeMap::from([("forbidden".to_owned(), 2), ("throttled".to_owned(), 1)]);
        let expected = "cannot close 3 of 7 connections: 2 x forbidden; 1 x throttled";
        assert_eq!(Disconnected { closed: 4, failures }.error().as_deref(), Some(expected));
        assert_eq!(Disconnected { closed: 4, ..Disconnected::default() }.error(), None);
    }
}
