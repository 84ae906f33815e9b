//! What went over a model's connections, counted; and the promises of the service that can be read off the counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// A connection is told its status at most this often, by the clock on the wall.
const STATUS_APART: Duration = Duration::from_secs(4);
/// What the service sends unasked: reports, log lines and commands of others, and API Gateway's own errors.
const RELAYED: [&str; 4] = ["metrics", "logs", "command", ""];
/// What the library sends that is stored, not answered.
const REPORTED: [&str; 3] = ["send_metrics", "metrics", "logs"];

/// Frames by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(crate) fn add(&mut self, frame: &Value) {
        let kind = frame["type"].as_str().unwrap_or_default();
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn without(&self, kinds: &[&str]) -> u64 {
        self.total() - kinds.iter().map(|kind| self.of(kind)).sum::<u64>()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += count;
        }
    }
}

/// One connection of a model's.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    opened: Instant,
    closed: Option<Instant>,
    pub(crate) sent: Counts,
    pub(crate) received: Counts,
}

impl Connection {
    fn lasted(&self) -> Duration {
        self.closed.unwrap_or_else(Instant::now) - self.opened
    }

    /// What the service promised of this connection and did not keep.
    fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let mut at_most = |kind: &str, most: u64| {
            if self.received.of(kind) > most {
                breaches.push(format!("{} {kind} where {most} are the most", self.received.of(kind)));
            }
        };
        at_most("auth_success", 1);
        at_most("auth_error", 1);
        at_most("status_response", 1 + self.lasted().as_secs().div_ceil(STATUS_APART.as_secs()));
        at_most("get_last_actions", self.sent.of("get_last_actions"));
        at_most("command_response", self.sent.of("command"));
        breaches
    }
}

/// Everything that went over a model's connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connections: Vec<Connection>,
    pub(crate) failed_handshakes: u32,
    /// Frames that must never have come, with the reason.
    pub(crate) deadly: Vec<String>,
}

impl Tally {
    pub(crate) fn open(&mut self) {
        let (sent, received) = (Counts::default(), Counts::default());
        self.connections.push(Connection { opened: Instant::now(), closed: None, sent, received });
    }

    pub(crate) fn close(&mut self) {
        if let Some(connection) = self.connections.last_mut() {
            connection.closed.get_or_insert_with(Instant::now);
        }
    }

    pub(crate) fn send(&mut self, frame: &Value) {
        if let Some(connection) = self.connections.last_mut() {
            connection.sent.add(frame);
        }
    }

    pub(crate) fn receive(&mut self, frame: &Value) {
        if let Some(connection) = self.connections.last_mut() {
            connection.received.add(frame);
        }
    }

    pub(crate) fn sent(&self) -> Counts {
        self.summed(|connection| &connection.sent)
    }

    pub(crate) fn received(&self) -> Counts {
        self.summed(|connection| &connection.received)
    }

    /// Frames to the service that are neither reports nor log lines.
    pub(crate) fn asked(&self) -> u64 {
        self.sent().without(&REPORTED)
    }

    /// Frames of the service that answer something.
    pub(crate) fn answered(&self) -> u64 {
        self.received().without(&RELAYED)
    }

    /// How long the longest connection lasted.
    pub(crate) fn longest(&self) -> Duration {
        self.connections.iter().map(Connection::lasted).max().unwrap_or_default()
    }

    /// What the service promised and did not keep, connection by connection.
    pub(crate) fn breaches(&self) -> Vec<String> {
        let broken = self.connections.iter().enumerate().flat_map(|(index, connection)| {
            connection.breaches().into_iter().map(move |breach| format!("connection {}: {breach}", index + 1))
        });
        self.deadly.iter().cloned().chain(broken).collect()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.connections.extend(other.connections);
        self.failed_handshakes += other.failed_handshakes;
        self.deadly.extend(other.deadly);
    }

    fn summed(&self, of: impl Fn(&Connection) -> &Counts) -> Counts {
        let mut sum = Counts::default();
        for connection in &self.connections {
            sum.merge(of(connection));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_that_answers_twice_is_found() {
        let mut tally = Tally::default();
        tally.open();
        for kind in ["auth", "get_last_actions", "send_metrics"] {
            tally.send(&json!({"type": kind}));
        }
        for kind in ["auth_success", "get_last_actions", "metrics", "status_response"] {
            tally.receive(&json!({"type": kind}));
        }
        assert_eq!(tally.breaches(), Vec::<String>::new());
        assert_eq!((tally.asked(), tally.answered()), (2, 3));
        for kind in ["auth_success", "get_last_actions"] {
            tally.receive(&json!({"type": kind}));
        }
        assert_eq!(tally.breaches().len(), 2);
        tally.close();
        tally.open();
        tally.receive(&json!({"type": "auth_success"}));
        assert_eq!(tally.breaches().len(), 2, "another connection is welcomed anew");
    }
}
