//! `nsl agent`: reports this machine's own figures at a steady pace until it is told to end.
//!
//! A report that falls due without a connection is not taken: the agent keeps no backlog, and says how many it missed.

use crate::args::{Agent, Place};
use crate::clock;
use crate::connect::{Connection, Connector, Lost};
use crate::console::Console;
use crate::host::{self, Host};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::Target;
use crate::wire::{ClientFrame, Heard, Rejection, Report, ServiceFrame, iso};
use anyhow::{Context as _, bail};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Every that many reports one asks for an acknowledgement: often enough to notice a service that takes nothing.
const REPORTS_PER_ACK: u64 = 10;

/// Reports until told to end, or until `count` reports are acknowledged.
pub(crate) async fn run(
    args: Agent,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let target = Target::of_websocket(place, args.app.as_deref(), settings)?;
    let stop = Stop::on_signals()?;
    let source = args.source.unwrap_or_else(host::source_name);
    console.note(&format!(
        "reporting {source} as application {} to {} every {} s",
        target.app_id,
        target.address,
        args.interval.as_secs_f64()
    ));
    let mut reporter = Reporter {
        console,
        app_id: &target.app_id,
        source: &source,
        host: Host::new().context("cannot look at this machine")?,
        pace: pace(args.interval),
        limit: args.count,
        last_due: None,
        sent: 0,
        missed: 0,
        rejected: 0,
    };
    let mut connector = Connector::new(&target, console, stop.clone());
    let outcome = reporter.report_until_end(&mut connector, stop).await;
    let Reporter { sent, missed, rejected, .. } = reporter;
    if console.is_json() {
        console.document(&json!({"event": "ended", "sent": sent, "missed": missed, "rejected": rejected}))?;
    } else {
        console.note(&format!("sent {sent} reports, {missed} missed, {rejected} rejected"));
    }
    outcome
}

/// A steady tick. What falls due during an outage is skipped, and the rhythm stays as it was.
fn pace(interval: Duration) -> Interval {
    let mut pace = interval_at(Instant::now() + host::SETTLING_TIME, interval);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    pace
}

/// How a connection's use came to its end.
enum Ended {
    /// The user wants no more.
    Wished,
    /// The last report of a limited run was judged: this many of it were rejected.
    Complete { rejected: u64 },
    /// The connection is gone.
    Lost(Lost),
}

struct Reporter<'a> {
    console: &'a Console,
    app_id: &'a str,
    source: &'a str,
    host: Host,
    pace: Interval,
    limit: Option<u64>,
    /// When the report before fell due.
    last_due: Option<Instant>,
    sent: u64,
    missed: u64,
    rejected: u64,
}

impl Reporter<'_> {
    async fn report_until_end(
        &mut self,
        connector: &mut Connector<'_>,
        mut stop: Stop,
    ) -> anyhow::Result<()> {
        let mut lost = None;
        loop {
            let Some(mut connection) = connector.open(lost.take()).await? else { return Ok(()) };
            match self.use_connection(&mut connection, &mut stop).await {
                Ended::Wished => {
                    connection.close().await;
                    return Ok(());
                }
                Ended::Complete { rejected } => {
                    connection.close().await;
                    if rejected > 0 {
                        bail!("the last report was rejected");
                    }
                    return Ok(());
                }
                Ended::Lost(reason) if self.is_complete() => {
                    return Err(reason).context("the last report was not acknowledged");
                }
                Ended::Lost(reason) => lost = Some(reason),
            }
        }
    }

    async fn use_connection(&mut self, connection: &mut Connection, stop: &mut Stop) -> Ended {
        loop {
            let step = tokio::select! {
                () = stop.wished() => return Ended::Wished,
                due = self.pace.tick(), if !self.is_complete() => {
                    self.count_missed(due);
                    self.send_report(connection).await
                }
                heard = connection.hear() => match heard {
                    Ok(heard) => match self.take_answer(heard) {
                        Some(ended) => return ended,
                        None => Ok(()),
                    },
                    Err(lost) => Err(lost),
                },
            };
            if let Err(lost) = step {
                return Ended::Lost(lost);
            }
        }
    }

    fn count_missed(&mut self, due: Instant) {
        let missed = self.last_due.map_or(0, |last| missed_between(last, due, self.pace.period()));
        self.last_due = Some(due);
        if missed > 0 {
            self.missed += missed;
            self.console.note(&format!("{missed} reports fell due during the outage and were not taken"));
        }
    }

    async fn send_report(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        let Ok(metrics) = serde_json::to_value(self.host.look()) else { return Ok(()) };
        let data = Report {
            app_id: self.app_id,
            metrics: &metrics,
            timestamp: iso(clock::now()),
            source: self.source,
        };
        let number = self.sent + 1;
        let asks = number.is_multiple_of(REPORTS_PER_ACK) || Some(number) == self.limit;
        let id = asks.then(|| report_id(number));
        connection.send(&ClientFrame::Metrics { id, data }).await?;
        self.sent = number;
        Ok(())
    }

    fn take_answer(&mut self, heard: Heard) -> Option<Ended> {
        let (id, rejections) = match heard {
            Heard::Frame(ServiceFrame::Ack { payload }) => (Some(payload.id), payload.rejected),
            Heard::Frame(ServiceFrame::Error { payload }) => (payload.id.clone(), vec![payload]),
            Heard::Gateway { message } => {
                self.console.note(&format!("the gateway failed: {message}"));
                return None;
            }
            Heard::Frame(_) | Heard::Garbage => return None,
        };
        for rejection in &rejections {
            self.tell(rejection);
        }
        let judges_last = self.is_complete() && id == Some(report_id(self.sent));
        judges_last.then_some(Ended::Complete { rejected: rejections.len() as u64 })
    }

    /// Tells the 1st, 2nd, 4th, 8th … rejection: an agent that is rejected all night fills no disk with it.
    fn tell(&mut self, rejection: &Rejection) {
        self.rejected += 1;
        if self.rejected.is_power_of_two() {
            self.console.note(&format!("rejected: {rejection}, {} in all", self.rejected));
        }
    }

    fn is_complete(&self) -> bool {
        self.limit.is_some_and(|limit| self.sent >= limit)
    }
}

/// How many reports fell due between two that were taken.
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
    fn reports_between_two_taken_ones_are_missed() {
        let last = Instant::now();
        let second = Duration::from_secs(1);
        let missed = |after_ms| missed_between(last, last + Duration::from_millis(after_ms), second);
        assert_eq!([missed(0), missed(1_000), missed(1_001), missed(4_000)], [0, 0, 0, 3]);
    }
}
