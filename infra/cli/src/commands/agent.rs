//! `nsl agent`: sends this machine's metrics at a fixed interval.
//!
//! Reports that fall due during an outage are not sent later; their number is shown.

use crate::args::Agent;
use crate::cli::Cli;
use crate::connection::{Connection, Lost};
use crate::machine::{self, Machine};
use crate::reconnect::Reconnector;
use crate::shutdown::Shutdown;
use crate::target::Target;
use anyhow::{Context as _, bail};
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::frame::{ClientFrame, Rejection, Report, Reports, ServiceFrame};
use nsl_client::socket::SocketError;
use serde_json::json;
use serde_json::value::to_raw_value;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// One report in this many asks for an acknowledgement, which shows that the service still accepts them.
const REPORTS_PER_ACK: u64 = 10;

/// Sends reports until interrupted, or until `count` reports are acknowledged.
pub(crate) async fn run(args: Agent, cli: &Cli) -> anyhow::Result<()> {
    let target = Target::of_websocket(cli, args.app.as_deref()).await?;
    let shutdown = Shutdown::on_signals()?;
    let source = args.source.unwrap_or_else(machine::source_name);
    cli.console.note(&format!(
        "sending metrics of {source} as application {} to {} every {} s",
        target.app_id,
        target.address,
        args.interval.as_secs_f64()
    ));
    let mut publisher = Publisher {
        console: &cli.console,
        app_id: &target.app_id,
        source: &source,
        machine: Machine::new().context("cannot read this machine's metrics")?,
        ticks: ticks(args.interval),
        count: args.count,
        last_due: None,
        sent: 0,
        missed: 0,
        rejected: 0,
    };
    let mut reconnector = Reconnector::new(&target, &cli.console, shutdown.clone());
    let outcome = publisher.run(&mut reconnector, shutdown).await;
    let Publisher { sent, missed, rejected, .. } = publisher;
    if cli.console.is_json() {
        cli.console
            .document(&json!({"event": "ended", "sent": sent, "missed": missed, "rejected": rejected}))?;
    } else {
        cli.console.note(&format!("sent {sent} reports, missed {missed}, {rejected} rejected"));
    }
    outcome
}

/// Ticks at `interval`. Ticks during an outage are skipped without a shift of the later ones.
fn ticks(interval: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + machine::MIN_CPU_INTERVAL, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

struct Publisher<'a> {
    console: &'a Console,
    app_id: &'a str,
    source: &'a str,
    machine: Machine,
    ticks: Interval,
    /// Number of reports to send.
    count: Option<u64>,
    /// When the previous report was due.
    last_due: Option<Instant>,
    sent: u64,
    missed: u64,
    rejected: u64,
}

impl Publisher<'_> {
    async fn run(&mut self, reconnector: &mut Reconnector<'_>, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let mut lost = None;
        loop {
            let Some(mut connection) = reconnector.open(lost.take()).await? else { return Ok(()) };
            let ended = self.use_connection(&mut connection, &mut shutdown).await;
            match ended {
                Ok(Some(reason)) if self.is_complete() => {
                    return Err(reason).context("the last report was not acknowledged");
                }
                Ok(Some(reason)) => lost = Some(Lost::Ended(reason)),
                Ok(None) | Err(_) => {
                    connection.close().await;
                    return ended.map(drop);
                }
            }
        }
    }

    /// Sends reports until the connection is lost, the command is interrupted, or the last report is acknowledged (both
    /// `None`); an error if that is rejected.
    async fn use_connection(
        &mut self,
        connection: &mut Connection,
        shutdown: &mut Shutdown,
    ) -> anyhow::Result<Option<SocketError>> {
        loop {
            let outcome = tokio::select! {
                () = shutdown.requested() => return Ok(None),
                due = self.ticks.tick(), if !self.is_complete() => {
                    self.count_missed(due);
                    self.send_report(connection).await
                }
                received = connection.receive() => match received {
                    Ok(text) => match self.handle(ServiceFrame::parse(&text)) {
                        Some(0) => return Ok(None),
                        Some(_) => bail!("the last report was rejected"),
                        None => Ok(()),
                    },
                    Err(lost) => Err(lost),
                },
            };
            if let Err(lost) = outcome {
                return Ok(Some(lost));
            }
        }
    }

    fn count_missed(&mut self, due: Instant) {
        let missed = self.last_due.map_or(0, |last| missed_between(last, due, self.ticks.period()));
        self.last_due = Some(due);
        if missed > 0 {
            self.missed += missed;
            self.console.note(&format!("missed {missed} reports during the outage"));
        }
    }

    async fn send_report(&mut self, connection: &mut Connection) -> Result<(), SocketError> {
        let Ok(metrics) = to_raw_value(&self.machine.metrics()) else { return Ok(()) };
        let (app_id, source) = (self.app_id, self.source);
        let data = Reports::One(Report { app_id, metrics: &metrics, timestamp: clock::now(), source });
        let number = self.sent + 1;
        let needs_ack = number.is_multiple_of(REPORTS_PER_ACK) || Some(number) == self.count;
        let id = needs_ack.then(|| report_id(number));
        connection.send(&ClientFrame::Metrics { id, data }).await?;
        self.sent = number;
        Ok(())
    }

    /// Handles one frame; returns the number of rejections if it is the reply to the last report.
    fn handle(&mut self, frame: ServiceFrame<'_>) -> Option<usize> {
        let (id, rejections) = match frame {
            ServiceFrame::Ack(ack) => (Some(ack.id), ack.rejected),
            ServiceFrame::Error(rejection) => (rejection.id.clone(), vec![rejection]),
            ServiceFrame::GatewayError(message) => {
                self.console.note(&format!("API Gateway reported an error: {message}"));
                return None;
            }
            ServiceFrame::AuthSuccess
            | ServiceFrame::Subscribed(_)
            | ServiceFrame::Replay(_)
            | ServiceFrame::Metrics(_)
            | ServiceFrame::Pong
            | ServiceFrame::Other
            | ServiceFrame::Malformed => return None,
        };
        for rejection in &rejections {
            self.note_rejection(rejection);
        }
        let is_last = self.is_complete() && id == Some(report_id(self.sent));
        is_last.then_some(rejections.len())
    }

    /// Shows the 1st, 2nd, 4th, 8th … rejection, so that an agent that is rejected all night does not fill a disk.
    fn note_rejection(&mut self, rejection: &Rejection) {
        self.rejected += 1;
        if self.rejected.is_power_of_two() {
            self.console.note(&format!("report rejected: {rejection}, {} so far", self.rejected));
        }
    }

    fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.sent >= count)
    }
}

/// Number of reports that fell due between two that were sent.
fn missed_between(last: Instant, due: Instant, interval: Duration) -> u64 {
    let elapsed = due.saturating_duration_since(last).as_secs_f64() / interval.as_secs_f64();
    (elapsed.round() as u64).saturating_sub(1)
}

fn report_id(number: u64) -> String {
    format!("report-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_ticks_count_as_missed_reports() {
        let last = Instant::now();
        let second = Duration::from_secs(1);
        let missed = |after_ms| missed_between(last, last + Duration::from_millis(after_ms), second);
        assert_eq!([missed(0), missed(1_000), missed(1_001), missed(4_000)], [0, 0, 0, 3]);
    }
}
