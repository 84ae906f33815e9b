//! A connection to the service that is dialled and admitted again for as long as the user wants it.
//!
//! Shared by every command that speaks WebSocket: they ask the connector for an admitted connection, use it until
//! it is lost, and ask again. API Gateway ends each connection after two hours, so losing one is no fault.
//! A refusal that no repetition mends ends the command, unless the same credentials were good before.

mod backoff;
mod connection;

pub(crate) use connection::{Connection, Lost};

use crate::console::Console;
use crate::stop::Stop;
use crate::target::Target;
use anyhow::bail;
use std::time::Duration;
use tokio::time::Instant;

/// A connection that lived this long was a good one: the next attempt starts without a history of failures.
const GOOD_LIFE: Duration = Duration::from_secs(30);

/// Opens connections to one target, one after the other.
pub(crate) struct Connector<'a> {
    target: &'a Target,
    console: &'a Console,
    stop: Stop,
    failures: u32,
    admitted_before: bool,
    opened_at: Option<Instant>,
}

impl<'a> Connector<'a> {
    /// A connector that has not dialled yet.
    pub(crate) fn new(target: &'a Target, console: &'a Console, stop: Stop) -> Self {
        Self { target, console, stop, failures: 0, admitted_before: false, opened_at: None }
    }

    /// The next admitted connection, or nothing once the user wants to end.
    /// `lost` is why the connection before is gone; it is told and waited out first.
    pub(crate) async fn open(&mut self, lost: Option<Lost>) -> anyhow::Result<Option<Connection>> {
        if self.opened_at.take().is_some_and(|opened_at| opened_at.elapsed() >= GOOD_LIFE) {
            self.failures = 0;
        }
        let mut lost = lost;
        loop {
            if let Some(lost) = lost.take()
                && self.wait_out(lost).await? == Wish::End
            {
                return Ok(None);
            }
            let outcome = tokio::select! {
                () = self.stop.wished() => return Ok(None),
                outcome = Connection::open(self.target) => outcome,
            };
            match outcome {
                Ok(connection) => {
                    if self.admitted_before {
                        self.console.note("connected again");
                    }
                    self.admitted_before = true;
                    self.opened_at = Some(Instant::now());
                    return Ok(Some(connection));
                }
                Err(failure) => lost = Some(failure),
            }
        }
    }

    async fn wait_out(&mut self, lost: Lost) -> anyhow::Result<Wish> {
        if lost.is_final() && !self.admitted_before {
            bail!(lost);
        }
        let delay = backoff::delay(self.failures, backoff::random_fraction());
        self.failures = self.failures.saturating_add(1);
        self.console.note(&format!("{lost}; trying again in {:.1} s", delay.as_secs_f64()));
        Ok(tokio::select! {
            () = self.stop.wished() => Wish::End,
            () = tokio::time::sleep(delay) => Wish::GoOn,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    End,
}
