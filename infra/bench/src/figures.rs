//! The result of a run, as it is printed and as it stands in JSON.

use crate::args::Args;
use crate::book::{Book, StageBook, Times};
use crate::load::Pace;
use crate::ramp::Step;
use crate::target::Target;
use crate::trouble::TroubleCount;
use serde::Serialize;
use std::time::Duration;

/// Times of one kind, in milliseconds; absent where none was taken.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
}

impl Latency {
    fn of(times: &Times) -> Self {
        Self {
            count: times.count(),
            p50_ms: times.quantile_ms(0.50),
            p99_ms: times.quantile_ms(0.99),
            max_ms: times.max_ms(),
        }
    }
}

/// What one stage showed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageFigures {
    /// Reports a second that were to be sent; absent where answers set the pace.
    pub(crate) offered_per_second: Option<f64>,
    /// From the first report to the end of the stage or the last report carried, whichever is later.
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unanswered: u64,
    /// Reports that were acknowledged and reached every subscriber.
    pub(crate) carried: u64,
    pub(crate) carried_per_second: f64,
    /// Carried in the whole second of the stage that carried fewest; absent where the stage is shorter than one.
    pub(crate) slowest_second: Option<u64>,
    /// Deliveries of acknowledged reports that are missing.
    pub(crate) lost: u64,
    /// Deliveries that came again.
    pub(crate) doubled: u64,
    pub(crate) to_ack: Latency,
    pub(crate) to_last_subscriber: Latency,
    pub(crate) to_history: Latency,
}

impl StageFigures {
    /// The figures of a stage that was to last `duration` at `pace`, or until its reports were sent where `by_count`.
    pub(crate) fn of(stage: &StageBook, pace: Pace, duration: Duration, by_count: bool) -> Self {
        let until_carried = stage.carried_last.micros_since(stage.began) as f64 / 1_000_000.0;
        let seconds = if by_count { until_carried } else { until_carried.max(duration.as_secs_f64()) };
        Self {
            offered_per_second: match pace {
                Pace::Rate(rate) => Some(rate),
                Pace::AsAnswered { .. } => None,
            },
            seconds,
            sent: stage.sent,
            acknowledged: stage.acknowledged,
            rejected: stage.rejected,
            unanswered: stage.unanswered,
            carried: stage.carried,
            carried_per_second: if seconds > 0.0 { stage.carried as f64 / seconds } else { 0.0 },
            slowest_second: stage.slowest_second(if by_count {
                until_carried as u64
            } else {
                duration.as_secs()
            }),
            lost: stage.lost,
            doubled: stage.doubled,
            to_ack: Latency::of(&stage.to_ack),
            to_last_subscriber: Latency::of(&stage.to_last),
            to_history: Latency::of(&stage.to_history),
        }
    }

    /// The stage as the ramp judges it, with the troubles of connections that it brought.
    pub(crate) fn step(&self, offered: f64, troubles: u64) -> Step {
        let p99 = if self.to_last_subscriber.count > 0 { &self.to_last_subscriber } else { &self.to_ack };
        Step {
            offered,
            carried: self.carried_per_second,
            p99_ms: p99.p99_ms,
            faults: self.lost + self.doubled + self.rejected + self.unanswered + troubles,
        }
    }
}

/// What a ramp found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Knee {
    /// Highest rate that held; absent where the first step broke.
    pub(crate) held_per_second: Option<f64>,
    pub(crate) p99_limit_ms: u32,
}

/// What a whole run checked, the stages that are in no figure included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unanswered: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

impl Checked {
    /// The sums over `stages`.
    pub(crate) fn sum(stages: &[StageBook]) -> Self {
        stages.iter().fold(Self::default(), |sum, stage| Self {
            sent: sum.sent + stage.sent,
            acknowledged: sum.acknowledged + stage.acknowledged,
            rejected: sum.rejected + stage.rejected,
            unanswered: sum.unanswered + stage.unanswered,
            lost: sum.lost + stage.lost,
            doubled: sum.doubled + stage.doubled,
        })
    }

    fn is_clean(&self) -> bool {
        self.rejected + self.unanswered + self.lost + self.doubled == 0
    }
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunFigures {
    pub(crate) ws: String,
    pub(crate) apps: usize,
    pub(crate) publishers: u32,
    pub(crate) subscribers: u32,
    pub(crate) batch: u32,
    /// Frames of a publisher that waited for their answer; absent at a rate.
    pub(crate) in_flight: Option<u32>,
    /// The measured stages: one, or the steps of a ramp.
    pub(crate) stages: Vec<StageFigures>,
    pub(crate) knee: Option<Knee>,
    pub(crate) checked: Checked,
    /// Live reports of other sources that subscribers were sent.
    pub(crate) foreign: u64,
    pub(crate) troubles: Vec<TroubleCount>,
    /// Whether every promise was kept. A ramp breaks the service on purpose: there, whether a rate held and nothing
    /// was doubled.
    pub(crate) is_flawless: bool,
}

impl RunFigures {
    /// The result that `book` holds at the end.
    pub(crate) fn of(
        args: &Args,
        target: &Target,
        book: &Book,
        stages: Vec<StageFigures>,
        knee: Option<Knee>,
    ) -> Self {
        let checked = Checked::sum(&book.stages());
        let is_flawless = match &knee {
            None => checked.is_clean() && book.troubles().count() == 0,
            Some(knee) => knee.held_per_second.is_some() && checked.doubled == 0,
        };
        Self {
            ws: target.ws.clone(),
            apps: target.apps.len(),
            publishers: args.publishers,
            subscribers: args.subscribers,
            batch: args.batch,
            in_flight: args.as_answered.then_some(args.in_flight),
            stages,
            knee,
            checked,
            foreign: book.foreign(),
            troubles: book.troubles().counts(),
            is_flawless,
        }
    }
}
