//! `nsl tail`: watches an application, one line a report: the recent ones first, then live.
//!
//! After an outage it goes on from the last report it saw; what comes twice is shown once.

use crate::args::{Place, Tail};
use crate::clock;
use crate::connect::{Connection, Connector, Lost};
use crate::console::Console;
use crate::line::{self, Style};
use crate::rates::Rates;
use crate::repeats::Repeats;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::target::Target;
use crate::wire::{ClientFrame, Heard, Replay, ServiceFrame, Subscription, epoch_ms};
use anyhow::bail;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often an idle viewer speaks: API Gateway closes after ten minutes without traffic.
const PING_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Watches until told to end.
pub(crate) async fn run(
    args: Tail,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let target = Target::of_websocket(place, args.app.as_deref(), settings)?;
    let mut stop = Stop::on_signals()?;
    let mut connector = Connector::new(&target, console, stop.clone());
    let mut viewer = Viewer {
        console,
        app_id: &target.app_id,
        style: Style { color: console.has_color(), zone: clock::local_zone() },
        repeats: Repeats::default(),
        rates: Rates::default(),
        since: None,
        subscribed_before: false,
    };
    let mut lost = None;
    loop {
        let Some(mut connection) = connector.open(lost.take()).await? else { return Ok(()) };
        match viewer.use_connection(&mut connection, &mut stop).await? {
            Ended::Wished => {
                connection.close().await;
                return Ok(());
            }
            Ended::Lost(reason) => lost = Some(reason),
        }
    }
}

/// How a connection's use came to its end.
enum Ended {
    /// The user wants no more.
    Wished,
    /// The connection is gone.
    Lost(Lost),
}

struct Viewer<'a> {
    console: &'a Console,
    app_id: &'a str,
    style: Style,
    repeats: Repeats,
    rates: Rates,
    /// Epoch milliseconds of the latest report shown.
    since: Option<i64>,
    subscribed_before: bool,
}

/// Live reports that came before the replay wait here until it is shown; nothing waits once it was.
type Early = Option<Vec<Value>>;

impl Viewer<'_> {
    async fn use_connection(
        &mut self,
        connection: &mut Connection,
        stop: &mut Stop,
    ) -> anyhow::Result<Ended> {
        let data = Subscription { app_id: self.app_id, since: self.since };
        if let Err(lost) = connection.send(&ClientFrame::Subscribe { data }).await {
            return Ok(Ended::Lost(lost));
        }
        let mut early: Early = Some(Vec::new());
        let mut pings = pings();
        loop {
            let heard = tokio::select! {
                () = stop.wished() => return Ok(Ended::Wished),
                _ = pings.tick() => match connection.send(&ClientFrame::Ping).await {
                    Ok(()) => continue,
                    Err(lost) => Err(lost),
                },
                heard = connection.hear() => heard,
            };
            let lost = match heard {
                Ok(heard) => self.take(heard, &mut early)?,
                Err(lost) => Some(lost),
            };
            if let Some(lost) = lost {
                return Ok(Ended::Lost(lost));
            }
        }
    }

    /// Takes one frame; answers why the connection is of no more use, if it is.
    fn take(&mut self, heard: Heard, early: &mut Early) -> anyhow::Result<Option<Lost>> {
        match heard {
            Heard::Frame(ServiceFrame::Metrics { payload }) => match early {
                Some(waiting) => waiting.push(payload),
                None => self.show(&payload)?,
            },
            Heard::Frame(ServiceFrame::Subscribed { payload }) => {
                self.show_replay(&payload)?;
                self.subscribed_before = true;
                for report in early.take().unwrap_or_default() {
                    self.show(&report)?;
                }
            }
            Heard::Frame(ServiceFrame::Replay { payload }) => self.show_replay(&payload)?,
            Heard::Frame(ServiceFrame::Error { payload }) if early.is_some() => {
                if !payload.retryable && !self.subscribed_before {
                    bail!(anyhow::Error::from(payload).context(format!("cannot watch {}", self.app_id)));
                }
                return Ok(Some(Lost::Refused(payload)));
            }
            Heard::Gateway { message } if early.is_some() => return Ok(Some(Lost::Gateway { message })),
            Heard::Frame(ServiceFrame::Error { payload }) => self.console.note(&payload.to_string()),
            Heard::Gateway { message } => self.console.note(&format!("the gateway failed: {message}")),
            Heard::Frame(_) | Heard::Garbage => {}
        }
        Ok(None)
    }

    fn show_replay(&mut self, replay: &Replay) -> anyhow::Result<()> {
        if !replay.complete && self.subscribed_before {
            self.console.note("the outage was longer than what is replayed: some reports are not shown");
        }
        for report in &replay.reports {
            self.show(report)?;
        }
        Ok(())
    }

    fn show(&mut self, report: &Value) -> anyhow::Result<()> {
        if self.repeats.is_repeat(report.get("id").and_then(Value::as_str)) {
            return Ok(());
        }
        let stamped_ms = report.get("timestamp").and_then(epoch_ms);
        self.since = self.since.max(stamped_ms.map(|ms| resume_point(ms, clock::now())));
        if self.console.is_json() {
            return self.console.document(report).map_err(Into::into);
        }
        let line = line::render(report, stamped_ms, &mut self.rates, &self.style);
        self.console.line(&line).map_err(Into::into)
    }
}

/// Where to go on from after a report stamped `ms`: never in the future, where a source with a fast clock stamps its
/// reports, for the others' would be missed.
fn resume_point(ms: i64, now: Timestamp) -> i64 {
    ms.min(now.as_millisecond())
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
    fn fast_clock_of_a_source_hides_no_report_of_others() {
        let now = Timestamp::from_millisecond(1_000_000).unwrap();
        assert_eq!(resume_point(1_200_000, now), 1_000_000);
        assert_eq!(resume_point(900_000, now), 900_000);
    }
}
