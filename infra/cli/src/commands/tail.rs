//! `nsl tail`: shows an app's reports, one per line: the recent ones, then each new one.
//!
//! After an outage it continues from the last report. A report that is received twice is shown once.

use crate::args::Tail;
use crate::cli::Cli;
use crate::connection::{Connection, Lost};
use crate::rates::Rates;
use crate::reconnect::Reconnector;
use crate::report_line::{self, Style};
use crate::shutdown::Shutdown;
use crate::target::Target;
use anyhow::bail;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::frame::{ClientFrame, Replay, ServiceFrame, Subscription};
use nsl_domain::bounded::BoundedMap;
use nsl_domain::time::TimestampMs;
use serde::Deserialize as _;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Interval of pings. API Gateway closes a connection after ten minutes without traffic.
const PING_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Shows reports until interrupted.
pub(crate) async fn run(args: Tail, cli: &Cli) -> anyhow::Result<()> {
    let target = Target::of_websocket(cli, args.app.as_deref()).await?;
    let mut shutdown = Shutdown::on_signals()?;
    let mut reconnector = Reconnector::new(&target, &cli.console, shutdown.clone());
    let mut viewer = Viewer {
        console: &cli.console,
        app_id: &target.app_id,
        style: Style { color: cli.console.has_color(), zone: clock::local_zone() },
        seen: BoundedMap::default(),
        rates: Rates::default(),
        since: None,
        subscribed_before: false,
    };
    let mut lost = None;
    loop {
        let Some(mut connection) = reconnector.open(lost.take()).await? else { return Ok(()) };
        lost = viewer.use_connection(&mut connection, &mut shutdown).await?;
        if lost.is_none() {
            connection.close().await;
            return Ok(());
        }
    }
}

struct Viewer<'a> {
    console: &'a Console,
    app_id: &'a str,
    style: Style,
    /// Ids of the latest reports. A replay starts five seconds before the last report.
    seen: BoundedMap<String, ()>,
    rates: Rates,
    /// Epoch milliseconds of the latest report.
    since: Option<i64>,
    subscribed_before: bool,
}

/// Reports that arrived before the replay, which is shown first; `None` afterwards.
type Early = Option<Vec<Value>>;

impl Viewer<'_> {
    /// Shows reports until the connection is lost, or the command is interrupted (`None`).
    async fn use_connection(
        &mut self,
        connection: &mut Connection,
        shutdown: &mut Shutdown,
    ) -> anyhow::Result<Option<Lost>> {
        let data = Subscription { app_id: self.app_id, since: self.since };
        if let Err(lost) = connection.send(&ClientFrame::Subscribe { data }).await {
            return Ok(Some(lost.into()));
        }
        let mut early: Early = Some(Vec::new());
        let mut pings = pings();
        loop {
            let received = tokio::select! {
                () = shutdown.requested() => return Ok(None),
                _ = pings.tick() => match connection.send(&ClientFrame::Ping).await {
                    Ok(()) => continue,
                    Err(lost) => Err(lost),
                },
                received = connection.receive() => received,
            };
            let lost = match received {
                Ok(text) => self.handle(ServiceFrame::parse(&text), &mut early)?,
                Err(lost) => Some(lost.into()),
            };
            if lost.is_some() {
                return Ok(lost);
            }
        }
    }

    /// Handles one frame; returns why the connection cannot be used any longer, if so.
    fn handle(&mut self, frame: ServiceFrame<'_>, early: &mut Early) -> anyhow::Result<Option<Lost>> {
        match frame {
            ServiceFrame::Metrics(payload) => {
                let Ok(report) = serde_json::from_str(payload.get()) else { return Ok(None) };
                match early {
                    Some(early) => early.push(report),
                    None => self.show(&report)?,
                }
            }
            ServiceFrame::Subscribed(replay) => {
                self.show_replay(&replay)?;
                self.subscribed_before = true;
                for report in early.take().unwrap_or_default() {
                    self.show(&report)?;
                }
            }
            ServiceFrame::Replay(replay) => self.show_replay(&replay)?,
            ServiceFrame::Error(rejection) if early.is_some() => {
                if !rejection.retryable && !self.subscribed_before {
                    bail!(
                        anyhow::Error::from(rejection)
                            .context(format!("cannot subscribe to {}", self.app_id))
                    );
                }
                return Ok(Some(Lost::Rejected(rejection)));
            }
            ServiceFrame::GatewayError(message) if early.is_some() => {
                return Ok(Some(Lost::Gateway(message)));
            }
            ServiceFrame::Error(rejection) => self.console.note(&rejection.to_string()),
            ServiceFrame::GatewayError(message) => {
                self.console.note(&format!("API Gateway reported an error: {message}"));
            }
            ServiceFrame::AuthSuccess
            | ServiceFrame::Ack(_)
            | ServiceFrame::Pong
            | ServiceFrame::Other
            | ServiceFrame::Malformed => {}
        }
        Ok(None)
    }

    fn show_replay(&mut self, replay: &Replay) -> anyhow::Result<()> {
        if !replay.complete && self.subscribed_before {
            self.console.note("the outage was longer than the replay: some reports are not shown");
        }
        for report in &replay.reports {
            self.show(report)?;
        }
        Ok(())
    }

    fn show(&mut self, report: &Value) -> anyhow::Result<()> {
        let id = report.get("id").and_then(Value::as_str);
        if id.is_some_and(|id| self.seen.put(id.to_owned(), ()).is_some()) {
            return Ok(());
        }
        let timestamp = report.get("timestamp").and_then(|time| TimestampMs::deserialize(time).ok());
        let timestamp_ms = timestamp.map(TimestampMs::ms);
        self.since = self.since.max(timestamp_ms.map(|ms| resume_from(ms, clock::now())));
        if self.console.is_json() {
            return self.console.document(report).map_err(Into::into);
        }
        let line = report_line::render(report, timestamp_ms, &mut self.rates, &self.style);
        self.console.line(line).map_err(Into::into)
    }
}

/// Where to continue after a report. Never in the future: a source with a fast clock must not hide the reports of others.
fn resume_from(timestamp_ms: i64, now: TimestampMs) -> i64 {
    timestamp_ms.min(now.ms())
}

fn pings() -> Interval {
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_does_not_hide_reports_of_other_sources() {
        let now = TimestampMs::clamped(1_000_000);
        assert_eq!(resume_from(1_200_000, now), 1_000_000);
        assert_eq!(resume_from(900_000, now), 900_000);
    }
}
