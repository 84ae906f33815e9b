//! The only file that prints. Results go to stdout, everything said about the work goes to stderr.

use crate::figures::RunFigures;
use crate::table;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Where the load generator speaks, and in which form.
#[derive(Debug)]
pub(crate) struct Console {
    json: bool,
}

impl Console {
    /// A console that prints its result as JSON when `json`.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a person watches stderr, so that a progress bar is seen.
    pub(crate) fn is_watched(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Prints the result of a run.
    pub(crate) fn result(&self, figures: &RunFigures) -> std::io::Result<()> {
        let text = if self.json { serde_json::to_string(figures)? } else { table::render(figures) };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// Turns the outcome into the last line and the exit status: success only where every promise was kept.
    pub(crate) fn conclude(&self, outcome: anyhow::Result<RunFigures>) -> ExitCode {
        let fault = match outcome.and_then(|figures| Ok((self.result(&figures)?, figures))) {
            Ok(((), figures)) if figures.is_flawless => return ExitCode::SUCCESS,
            Ok(_) => return ExitCode::FAILURE,
            Err(fault) => fault,
        };
        // Nobody is left to be told when stderr itself fails.
        let _ = writeln!(std::io::stderr().lock(), "nsl-load: {fault:#}");
        ExitCode::FAILURE
    }
}
