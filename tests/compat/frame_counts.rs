//! Frames on a model's connections by type, and the promises of the service that can be checked from the counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// A connection gets at most one status in this time.
const STATUS_APART: Duration = Duration::from_secs(4);
/// Frames that are not replies: reports, log lines and commands of others, and API Gateway's errors.
const RELAYED: [&str; 4] = ["metrics", "logs", "command", ""];
/// Frames of the library that get no reply.
const REPORTED: [&str; 3] = ["send_metrics", "metrics", "logs"];

/// Number of frames by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsByType(BTreeMap<String, u64>);

impl CountsByType {
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

/// One connection of a model.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    opened: Instant,
    closed: Option<Instant>,
    pub(crate) sent: CountsByType,
    pub(crate) received: CountsByType,
}

impl Connection {
    fn lasted(&self) -> Duration {
        self.closed.unwrap_or_else(Instant::now) - self.opened
    }

    /// Promises of the service that this connection shows broken.
    fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let mut at_most = |kind: &str, most: u64| {
            if self.received.of(kind) > most {
                violations.push(format!("{} {kind}, at most {most} are allowed", self.received.of(kind)));
            }
        };
        at_most("auth_success", 1);
        at_most("auth_error", 1);
        at_most("status_response", 1 + self.lasted().as_secs().div_ceil(STATUS_APART.as_secs()));
        at_most("get_last_actions", self.sent.of("get_last_actions"));
        at_most("command_response", self.sent.of("command"));
        violations
    }
}

/// The frames on all connections of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameCounts {
    pub(crate) connections: Vec<Connection>,
    pub(crate) failed_handshakes: u32,
    /// Incompatible frames that were received, with the reason.
    pub(crate) incompatible: Vec<String>,
}

impl FrameCounts {
    pub(crate) fn open(&mut self) {
        let (sent, received) = (CountsByType::default(), CountsByType::default());
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

    pub(crate) fn sent(&self) -> CountsByType {
        self.summed(|connection| &connection.sent)
    }

    pub(crate) fn received(&self) -> CountsByType {
        self.summed(|connection| &connection.received)
    }

    /// Frames sent, without reports and log lines.
    pub(crate) fn asked(&self) -> u64 {
        self.sent().without(&REPORTED)
    }

    /// Frames received that are replies.
    pub(crate) fn answered(&self) -> u64 {
        self.received().without(&RELAYED)
    }

    /// Duration of the longest connection.
    pub(crate) fn longest(&self) -> Duration {
        self.connections.iter().map(Connection::lasted).max().unwrap_or_default()
    }

    /// Broken promises of the service, by connection.
    pub(crate) fn violations(&self) -> Vec<String> {
        let broken = self.connections.iter().enumerate().flat_map(|(index, connection)| {
            connection
                .violations()
                .into_iter()
                .map(move |violation| format!("connection {}: {violation}", index + 1))
        });
        self.incompatible.iter().cloned().chain(broken).collect()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.connections.extend(other.connections);
        self.failed_handshakes += other.failed_handshakes;
        self.incompatible.extend(other.incompatible);
    }

    fn summed(&self, of: impl Fn(&Connection) -> &CountsByType) -> CountsByType {
        let mut sum = CountsByType::default();
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
    fn duplicate_replies_are_violations() {
        let mut counts = FrameCounts::default();
        counts.open();
        for kind in ["auth", "get_last_actions", "send_metrics"] {
            counts.send(&json!({"type": kind}));
        }
        for kind in ["auth_success", "get_last_actions", "metrics", "status_response"] {
            counts.receive(&json!({"type": kind}));
        }
        assert_eq!(counts.violations(), Vec::<String>::new());
        assert_eq!((counts.asked(), counts.answered()), (2, 3));
        for kind in ["auth_success", "get_last_actions"] {
            counts.receive(&json!({"type": kind}));
        }
        assert_eq!(counts.violations().len(), 2);
        counts.close();
        counts.open();
        counts.receive(&json!({"type": "auth_success"}));
        assert_eq!(counts.violations().len(), 2, "another connection is authenticated again");
    }
}
