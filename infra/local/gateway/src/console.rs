//! Everything that the gateway prints, and the file that keeps what functions write.
//!
//! stdout carries the endpoints and, last, `ready`; warnings, faults and functions' complaints go to stderr.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value as Json;

/// Which of its two outputs a function wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout,
    Stderr,
}

/// The gateway's voice.
#[derive(Debug)]
pub(crate) struct Console {
    /// Whether every line of every function is shown, not only warnings and errors.
    verbose: bool,
    log: Option<Mutex<File>>,
}

impl Console {
    /// A console whose functions' lines also go to a fresh file at `log`.
    pub(crate) fn new(verbose: bool, log: Option<&Path>) -> std::io::Result<Self> {
        Ok(Self { verbose, log: log.map(File::create).transpose()?.map(Mutex::new) })
    }

    /// A line about what is served.
    pub(crate) fn say(&self, line: &str) {
        // A reader that has left, as `head` does, is no reason to stop serving.
        drop(writeln!(std::io::stdout(), "{line}"));
    }

    /// A line about something that went wrong but was survived.
    pub(crate) fn warn(&self, line: &str) {
        drop(writeln!(std::io::stderr(), "nsl-gateway: {line}"));
    }

    /// A line that the child `name` wrote.
    pub(crate) fn child_line(&self, name: &str, channel: Channel, line: &str) {
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the functions.
            drop(writeln!(log, "{name}: {line}"));
        }
        if self.verbose || is_complaint(channel, line) {
            drop(writeln!(std::io::stderr(), "{name}: {line}"));
        }
    }
}

/// The one line with which a start that failed ends.
pub fn print_error(fault: &anyhow::Error) {
    drop(writeln!(std::io::stderr(), "nsl-gateway: {fault:#}"));
}

/// Whether a child's line is a warning or worse. What is no log line counts as one on stderr: a panic's message.
fn is_complaint(channel: Channel, line: &str) -> bool {
    if let Ok(Json::Object(entry)) = serde_json::from_str::<Json>(line) {
        let level = entry.get("level").and_then(Json::as_str).unwrap_or_default();
        return matches!(level.to_ascii_uppercase().as_str(), "WARN" | "ERROR" | "FATAL");
    }
    let mut words = line.split_whitespace().take(2);
    let level = words.find(|word| matches!(*word, "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE"));
    match level {
        Some(level) => matches!(level, "ERROR" | "WARN"),
        None => channel == Channel::Stderr && !line.trim().is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_from_chatter() {
        use Channel::{Stderr, Stdout};
        assert!(is_complaint(Stdout, r#"{"level":"WARN","fields":{"message":"slow"}}"#));
        assert!(!is_complaint(Stderr, r#"{"level":"INFO","fields":{"message":"WARN"}}"#));
        assert!(is_complaint(Stdout, " WARN something"));
        assert!(is_complaint(Stdout, "2026-01-01T00:00:00Z ERROR something"));
        assert!(!is_complaint(Stdout, " INFO something about an ERROR"));
        assert!(is_complaint(Stderr, "thread 'main' panicked at src/main.rs"));
        assert!(!is_complaint(Stdout, "hello"));
        assert!(!is_complaint(Stderr, " "));
    }
}
