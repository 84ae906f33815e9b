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
}

impl Console {
    /// A console that prints JSON when `json`, and colours only on a terminal that wants them.
    pub(crate) fn new(json: bool, plain: bool) -> Self {
        Self { json, color: !plain && std::io::stdout().is_terminal() }
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
