//! The only file that prints. Results go to stdout, everything said about the work goes to stderr.
//!
//! A reader that went away (`nsl tail | head`) ends the command quietly.

use serde::Serialize;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Where the command speaks, and in which form.
#[derive(Debug)]
pub(crate) struct Console {
    json: bool,
    color: bool,
    /// Whether somebody watches stderr, so that a line may be drawn again and again.
    watched: bool,
}

impl Console {
    /// A console that prints JSON when `json`, and colours only on a terminal that wants them.
    pub(crate) fn new(json: bool, plain: bool) -> Self {
        let watched = !json && std::io::stderr().is_terminal();
        Self { json, color: !plain && std::io::stdout().is_terminal(), watched }
    }

    /// Whether results are to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether lines may carry colour.
    pub(crate) fn has_color(&self) -> bool {
        self.color
    }

    /// Prints one line of result.
    pub(crate) fn line(&self, text: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// Prints one document of result as one line of JSON.
    pub(crate) fn document(&self, document: &impl Serialize) -> std::io::Result<()> {
        self.line(&serde_json::to_string(document)?)
    }

    /// Says something about the work. A closed stderr silences it and ends nothing.
    pub(crate) fn note(&self, text: &str) {
        // Nobody is left to be told when stderr itself fails.
        let _ = writeln!(std::io::stderr().lock(), "nsl: {text}");
    }

    /// Draws `text` in place of what was drawn before, where somebody watches.
    pub(crate) fn draw(&self, text: &str) {
        if self.watched {
            // Nobody is left to be told when stderr itself fails.
            let _ = write!(std::io::stderr().lock(), "\r{text}\x1b[K");
        }
    }

    /// Asks `question` and tells whether the answer is `expected`. Without a person at the terminal it is not.
    pub(crate) fn confirms(&self, question: &str, expected: &str) -> std::io::Result<bool> {
        if !self.watched || !std::io::stdin().is_terminal() {
            return Ok(false);
        }
        write!(std::io::stderr().lock(), "nsl: {question} Type {expected} to go on: ")?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(answer.trim() == expected)
    }

    /// Turns the command's outcome into its last line and its exit status.
    pub(crate) fn conclude(&self, outcome: anyhow::Result<()>) -> ExitCode {
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) if is_closed_pipe(&fault) => ExitCode::SUCCESS,
            Err(fault) => {
                self.note(&format!("{fault:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn is_closed_pipe(fault: &anyhow::Error) -> bool {
    fault.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
