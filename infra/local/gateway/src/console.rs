//! Everything that the gateway prints, and the log file of the functions' output. Lines may contain what callers sent,
//! so all of it is made printable.
//!
//! stdout has the addresses and, last, `ready`; warnings and errors, the functions' too, go to stderr.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use nsl_terminal::{printable, printable_json};
use parking_lot::Mutex;
use serde_json::Value as Json;

/// Which of its two outputs a child process wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout,
    Stderr,
}

#[derive(Debug)]
pub(crate) struct Console {
    /// Whether every line of every child is printed, not only warnings and errors.
    verbose: bool,
    log: Mutex<File>,
}

impl Console {
    /// A console that also writes every line of every child to a new file at `log`.
    pub(crate) fn new(verbose: bool, log: &Path) -> std::io::Result<Self> {
        Ok(Self { verbose, log: Mutex::new(File::create(log)?) })
    }

    pub(crate) fn print(&self, line: &str) {
        // The gateway keeps serving when stdout's reader has ended, as `head` does.
        drop(writeln!(std::io::stdout(), "{}", printable(line)));
    }

    pub(crate) fn warn(&self, line: &str) {
        drop(writeln!(std::io::stderr(), "nsl-gateway: {}", printable(line)));
    }

    /// Logs a line that the child `name` wrote.
    pub(crate) fn child_line(&self, name: &str, channel: Channel, line: &str) {
        let shown = printable_line(line);
        // A full disk must not stop the functions.
        drop(writeln!(self.log.lock(), "{name}: {shown}"));
        if self.verbose || is_warning(channel, line) {
            drop(writeln!(std::io::stderr(), "{name}: {shown}"));
        }
    }
}

/// Prints the error with which the program ends, in one line.
pub fn print_error(error: &anyhow::Error) {
    drop(writeln!(std::io::stderr(), "nsl-gateway: {}", printable(&format!("{error:#}"))));
}

/// A line of a child as it is printed. A line of JSON stays JSON.
fn printable_line(line: &str) -> Cow<'_, str> {
    if line.starts_with('{') { printable_json(line) } else { printable(line) }
}

/// Whether a child's line is a warning or an error. A line without a level counts as one on stderr: a panic's message.
fn is_warning(channel: Channel, line: &str) -> bool {
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
    fn lines_of_functions_are_printable() {
        assert_eq!(printable_line("panicked: \u{1b}[2J"), "panicked: \\u{1b}[2J");
        assert_eq!(printable_line("{\"a\":\"\u{9b}2J\u{202e}\"}"), r#"{"a":"\u009b2J\u202e"}"#);
    }

    #[test]
    fn warnings_are_recognised_by_level_or_by_stderr() {
        use Channel::{Stderr, Stdout};
        assert!(is_warning(Stdout, r#"{"level":"WARN","fields":{"message":"slow"}}"#));
        assert!(!is_warning(Stderr, r#"{"level":"INFO","fields":{"message":"WARN"}}"#));
        assert!(is_warning(Stdout, " WARN something"));
        assert!(is_warning(Stdout, "2026-01-01T00:00:00Z ERROR something"));
        assert!(!is_warning(Stdout, " INFO something about an ERROR"));
        assert!(is_warning(Stderr, "thread 'main' panicked at src/main.rs"));
        assert!(!is_warning(Stdout, "hello"));
        assert!(!is_warning(Stderr, " "));
    }
}
