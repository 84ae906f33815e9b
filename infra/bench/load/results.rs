//! The results of a run, as they are printed and serialised.

use crate::args::Args;
use crate::delivery_log::{Counts, DeliveryLog, Latencies, StageLog};
use crate::failure::FailureCount;
use crate::load::Pace;
use crate::ramp::Step;
use crate::target::Target;
use serde::Serialize;
use std::time::Duration;

/// Latencies of one kind in milliseconds; absent if there are none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
}

impl Latency {
    fn of(latencies: &Latencies) -> Self {
        Self {
            count: latencies.count(),
            p50_ms: latencies.quantile_ms(0.50),
            p99_ms: latencies.quantile_ms(0.99),
            max_ms: latencies.quantile_ms(1.0),
        }
    }
}

/// The results of one stage.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageResults {
    /// Reports per second that were to be sent; absent if replies set the pace.
    pub(crate) offered_per_second: Option<f64>,
    /// Until the end of the stage or the last carried report, whichever is later.
    pub(crate) seconds: f64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Reports that were acknowledged and received by every subscriber.
    pub(crate) carried: u64,
    pub(crate) carried_per_second: f64,
    /// Fewest reports carried in a whole second of the stage; absent if it is shorter.
    pub(crate) slowest_second: Option<u64>,
    pub(crate) to_ack: Latency,
    pub(crate) to_last_subscriber: Latency,
    pub(crate) to_history: Latency,
}

impl StageResults {
    /// The results of a stage of `duration`, or until its reports were sent if `by_count`.
    pub(crate) fn of(stage: &StageLog, pace: Pace, duration: Duration, by_count: bool) -> Self {
        let until_carried = stage.last_carried.saturating_duration_since(stage.began).as_secs_f64();
        let seconds = if by_count { until_carried } else { until_carried.max(duration.as_secs_f64()) };
        Self {
            offered_per_second: match pace {
                Pace::Rate(rate) => Some(rate),
                Pace::AsAnswered { .. } => None,
            },
            seconds,
            counts: stage.counts,
            carried: stage.carried,
            carried_per_second: if seconds > 0.0 { stage.carried as f64 / seconds } else { 0.0 },
            slowest_second: stage.slowest_second(if by_count {
                until_carried as u64
            } else {
                duration.as_secs()
            }),
            to_ack: Latency::of(&stage.to_ack),
            to_last_subscriber: Latency::of(&stage.to_last),
            to_history: Latency::of(&stage.to_history),
        }
    }

    /// The stage as a step of a ramp, with the number of failures in it.
    pub(crate) fn step(&self, offered: f64, failures: u64) -> Step {
        let p99 = if self.to_last_subscriber.count > 0 { &self.to_last_subscriber } else { &self.to_ack };
        Step {
            offered,
            carried: self.carried_per_second,
            p99_ms: p99.p99_ms,
            failures: self.counts.failures() + failures,
        }
    }
}

/// The result of a ramp.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Knee {
    /// Highest rate that held; absent if the first step failed.
    pub(crate) held_per_second: Option<f64>,
    pub(crate) p99_limit_ms: u32,
}

/// The results of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunResults {
    pub(crate) ws: String,
    pub(crate) apps: usize,
    pub(crate) publishers: u32,
    pub(crate) subscribers: u32,
    pub(crate) batch: u32,
    /// Frames of a publisher that may wait for a reply; absent at a fixed rate.
    pub(crate) in_flight: Option<u32>,
    /// The measured stages: one, or the steps of a ramp.
    pub(crate) stages: Vec<StageResults>,
    pub(crate) knee: Option<Knee>,
    /// Sums over the whole run, the warm-up included.
    pub(crate) checked: Counts,
    /// Received reports that are not of this run.
    pub(crate) foreign: u64,
    pub(crate) failures: Vec<FailureCount>,
    /// Whether every report was delivered exactly once without failures. A ramp overloads the service on purpose: then,
    /// whether a rate held and nothing was doubled.
    pub(crate) is_flawless: bool,
}

impl RunResults {
    /// The results at the end of a run.
    pub(crate) fn of(
        args: &Args,
        target: &Target,
        log: &DeliveryLog,
        stages: Vec<StageResults>,
        knee: Option<Knee>,
    ) -> Self {
        let checked = Counts::sum(&log.stages());
        let is_flawless = match &knee {
            None => checked.failures() == 0 && log.failures().total() == 0,
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
            foreign: log.foreign(),
            failures: log.failures().counts(),
            is_flawless,
        }
    }
}
