//! Terminal output: results to stdout, messages and progress to stderr. Whatever is passed here may contain names and
//! messages of other programs, so each text becomes one printable line.

use nsl_terminal::{Line, printable, printable_json};
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// The output of one program.
#[derive(Debug)]
pub struct Console {
    program: &'static str,
    json: bool,
    color: bool,
    /// Whether stderr is a terminal, so that a line can be redrawn.
    interactive: bool,
}

impl Console {
    /// A console for `program`, which prefixes its messages. Colours need a terminal and `plain` unset.
    pub fn new(program: &'static str, json: bool, plain: bool) -> Self {
        let interactive = !json && std::io::stderr().is_terminal();
        Self { program, json, color: !plain && std::io::stdout().is_terminal(), interactive }
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether lines may contain colours.
    pub fn has_color(&self) -> bool {
        self.color
    }

    /// Prints one line of result.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn line(&self, line: impl Into<Line>) -> std::io::Result<()> {
        print(line.into().as_str())
    }

    /// Prints several lines of result.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn lines<L: Into<Line>>(&self, lines: impl IntoIterator<Item = L>) -> std::io::Result<()> {
        lines.into_iter().try_for_each(|line| self.line(line))
    }

    /// Prints one result as one line of JSON.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn document(&self, document: &impl Serialize) -> std::io::Result<()> {
        self.json_text(&serde_json::to_string(document)?)
    }

    /// Prints a JSON document that is text already.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn json_text(&self, document: &str) -> std::io::Result<()> {
        print(&printable_json(document))
    }

    /// Prints the text of a file, such as CSV: as it is, so that it can be saved, but printable on a terminal.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn file(&self, text: &str) -> std::io::Result<()> {
        if std::io::stdout().is_terminal() { self.lines(text.lines()) } else { print(text) }
    }

    /// Prints one result: `document` as JSON, or `line`.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn show(&self, document: &impl Serialize, line: impl FnOnce() -> String) -> std::io::Result<()> {
        self.show_lines(document, || [line()])
    }

    /// Prints one result: `document` as JSON, or `lines`.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn show_lines<L: Into<Line>, I: IntoIterator<Item = L>>(
        &self,
        document: &impl Serialize,
        lines: impl FnOnce() -> I,
    ) -> std::io::Result<()> {
        if self.json { self.document(document) } else { self.lines(lines()) }
    }

    /// Prints a message to stderr.
    pub fn note(&self, text: &str) {
        // A closed stderr must not end the program, and there is nowhere else to report it.
        let _ = writeln!(std::io::stderr().lock(), "{}: {}", self.program, printable(text));
    }

    /// Prints a message to stderr, unless results are printed as JSON.
    pub fn hint(&self, text: &str) {
        if !self.json {
            self.note(text);
        }
    }

    /// Replaces the last drawn line by `text`, if stderr is a terminal.
    pub fn draw(&self, text: &str) {
        if self.interactive {
            // As in `note`.
            let _ = write!(std::io::stderr().lock(), "\r{}\x1b[K", printable(text));
        }
    }

    /// Asks the user to type `expected`; false if they type anything else, or if there is no terminal.
    ///
    /// # Errors
    /// If the terminal cannot be read or written.
    pub fn confirm(&self, question: &str, expected: &str) -> std::io::Result<bool> {
        if !self.interactive || !std::io::stdin().is_terminal() {
            return Ok(false);
        }
        let (question, shown) = (printable(question), printable(expected));
        write!(std::io::stderr().lock(), "{}: {question} Type {shown} to confirm: ", self.program)?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(answer.trim() == expected)
    }

    /// The exit status for `outcome`, whose error is printed. A closed pipe (`nsl tail | head`) is not an error.
    pub fn exit_code(&self, outcome: anyhow::Result<ExitCode>) -> ExitCode {
        match outcome {
            Ok(code) => code,
            Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                self.note(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
