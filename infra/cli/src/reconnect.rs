//! Opens a connection again whenever one is lost. API Gateway ends each connection after two hours, so a lost one is
//! normal. A final rejection ends the command, unless the same credential was accepted before.

use crate::connection::{Connection, Lost};
use crate::shutdown::Shutdown;
use crate::target::Target;
use anyhow::bail;
use nsl_client::backoff;
use nsl_client::console::Console;
use std::time::Duration;
use tokio::time::Instant;

/// A connection that lasted this long resets the count of failures.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// Opens connections to one target, one after the other.
pub(crate) struct Reconnector<'a> {
    target: &'a Target,
    console: &'a Console,
    shutdown: Shutdown,
    failures: u32,
    connected_before: bool,
    opened_at: Option<Instant>,
}

impl<'a> Reconnector<'a> {
    pub(crate) fn new(target: &'a Target, console: &'a Console, shutdown: Shutdown) -> Self {
        Self { target, console, shutdown, failures: 0, connected_before: false, opened_at: None }
    }

    /// The next connection, or none after an interrupt. `lost` is why the previous one ended: it is shown, and the
    /// attempt is delayed.
    pub(crate) async fn open(&mut self, mut lost: Option<Lost>) -> anyhow::Result<Option<Connection>> {
        if self.opened_at.take().is_some_and(|opened_at| opened_at.elapsed() >= STABLE_AFTER) {
            self.failures = 0;
        }
        loop {
            if let Some(lost) = lost.take() {
                let delay = self.delay_after(lost)?;
                tokio::select! {
                    () = self.shutdown.requested() => return Ok(None),
                    () = tokio::time::sleep(delay) => {}
                }
            }
            let outcome = tokio::select! {
                () = self.shutdown.requested() => return Ok(None),
                outcome = Connection::open(self.target) => outcome,
            };
            match outcome {
                Ok(connection) => {
                    if self.connected_before {
                        self.console.note("reconnected");
                    }
                    self.connected_before = true;
                    self.opened_at = Some(Instant::now());
                    return Ok(Some(connection));
                }
                Err(failure) => lost = Some(failure),
            }
        }
    }

    fn delay_after(&mut self, lost: Lost) -> anyhow::Result<Duration> {
        if lost.is_final() && !self.connected_before {
            bail!(lost);
        }
        let delay = backoff::delay(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.console.note(&format!("{lost}; retrying in {:.1} s", delay.as_secs_f64()));
        Ok(delay)
    }
}
