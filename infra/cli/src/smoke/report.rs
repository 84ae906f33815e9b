//! Runs checks and shows each outcome as one line, that of a failed one with what was expected and where to look.

use super::check::Check;
use nsl_client::console::Console;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;

/// Columns of an outcome, and of a check's name.
const OUTCOME: usize = 9;
const NAME: usize = 16;

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) expected: String,
    pub(crate) got: String,
}

impl Failure {
    pub(crate) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }

    /// Makes an error the failure to get what was `expected`.
    pub(crate) fn of<E: Into<anyhow::Error>>(expected: &str) -> impl FnOnce(E) -> Self {
        move |error| Self::new(expected, format!("{:#}", error.into()))
    }
}

/// What a passed check returns: something that later checks need, and what was seen.
pub(crate) type Passed<T> = Result<(T, String), Failure>;

/// The outcomes so far.
pub(crate) struct Report<'a> {
    console: &'a Console,
    stack: Option<&'a str>,
    outputs: &'a BTreeMap<String, String>,
    skipped: Vec<Check>,
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) left_out: u32,
}

impl<'a> Report<'a> {
    /// `outputs` are those of the service, which is the stack of this name or a local gateway.
    pub(crate) fn new(
        console: &'a Console,
        stack: Option<&'a str>,
        outputs: &'a BTreeMap<String, String>,
        skipped: &[Check],
    ) -> Self {
        Self { console, stack, outputs, skipped: skipped.to_vec(), passed: 0, failed: 0, left_out: 0 }
    }

    pub(crate) fn skips(&self, check: Check) -> bool {
        self.skipped.contains(&check)
    }

    /// Runs `check` unless it is to be skipped; what it returns, if it passed.
    pub(crate) async fn run<T>(
        &mut self,
        check: Check,
        work: impl Future<Output = Passed<T>>,
    ) -> anyhow::Result<Option<T>> {
        if self.skips(check) {
            self.left_out += 1;
            self.show(check, "skipped", "by --skip", None, json!({}))?;
            return Ok(None);
        }
        let began = Instant::now();
        match work.await {
            Ok((value, seen)) => {
                self.passed += 1;
                let fields = json!({"seen": seen});
                self.show(check, "ok", &seen, Some(began.elapsed()), fields)?;
                Ok(Some(value))
            }
            Err(failure) => {
                self.fail(check, &failure, began.elapsed())?;
                Ok(None)
            }
        }
    }

    /// Shows that `checks` cannot run without what `needed` returns.
    pub(crate) fn not_run(&mut self, checks: &[Check], needed: Check) -> anyhow::Result<()> {
        for &check in checks {
            self.left_out += 1;
            let needs = format!("needs {}", needed.name());
            self.show(check, "not run", &needs, None, json!({"needs": needed.name()}))?;
        }
        Ok(())
    }

    fn fail(&mut self, check: Check, failure: &Failure, took: Duration) -> anyhow::Result<()> {
        self.failed += 1;
        let look = check.look().line(self.stack, self.outputs);
        let fields = json!({"expected": failure.expected, "got": failure.got, "look": look});
        self.show(check, "FAILED", &format!("expected {}", failure.expected), Some(took), fields)?;
        if !self.console.is_json() {
            let indent = " ".repeat(OUTCOME + NAME);
            self.console.line(format!("{indent}got {}", failure.got))?;
            self.console.line(format!("{indent}look at {look}"))?;
        }
        Ok(())
    }

    fn show(
        &self,
        check: Check,
        outcome: &str,
        text: &str,
        took: Option<Duration>,
        fields: Value,
    ) -> anyhow::Result<()> {
        let name = check.name();
        if self.console.is_json() {
            let mut document = json!({"check": name, "outcome": outcome.to_lowercase()});
            if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
                document.extend(fields);
                document.extend(took.map(|took| ("ms".to_owned(), json!(millis(took)))));
            }
            return Ok(self.console.document(&document)?);
        }
        let took = took.map_or_else(String::new, |took| format!(" ({})", shown(took)));
        Ok(self.console.line(format!("{outcome:<OUTCOME$}{name:<NAME$}{text}{took}"))?)
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn shown(took: Duration) -> impl Display {
    if took < Duration::from_secs(10) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{} s", took.as_secs())
    }
}
