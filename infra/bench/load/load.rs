//! The load of one stage: pace, reports per frame, and end.

use crate::args::{Args, MAX_REPORTS};
use crate::plan::share;
use std::time::Duration;
use tokio::time::Instant;

/// Measured seconds by default.
const DEFAULT_SECONDS: u32 = 10;

/// Longest run with --reports, in seconds.
const MAX_SECONDS_FOR_REPORTS: u32 = 600;

/// Reports per second of one publisher by default: the library's rate.
const DEFAULT_RATE: f64 = 1.0;

/// Shortest period between frames of a publisher, faster than any network.
const MIN_PERIOD: Duration = Duration::from_micros(1);

/// What determines when reports are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// A fixed rate in reports per second, of all publishers together.
    Rate(f64),
    /// The next frame after each reply, with so many frames in flight per publisher.
    AsAnswered { in_flight: u32 },
}

impl Pace {
    /// The pace that the arguments describe.
    pub(crate) fn of(args: &Args) -> Self {
        if args.as_answered {
            return Self::AsAnswered { in_flight: args.in_flight };
        }
        Self::Rate(args.rate.unwrap_or(DEFAULT_RATE * f64::from(args.publishers)))
    }
}

/// When a publisher sends its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) first: Instant,
    pub(crate) period: Duration,
}

/// One stage of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    /// Reports per frame.
    pub(crate) batch: u64,
    pub(crate) publishers: usize,
    pub(crate) began: Instant,
    pub(crate) duration: Duration,
    /// Reports of all publishers after which the stage ends.
    pub(crate) reports: Option<u64>,
}

impl Load {
    /// The measured stage that the arguments describe.
    pub(crate) fn measured(args: &Args, pace: Pace, began: Instant) -> Self {
        let default = if args.reports.is_some() { MAX_SECONDS_FOR_REPORTS } else { DEFAULT_SECONDS };
        let seconds = args.seconds.unwrap_or(default);
        Self { reports: args.reports, ..Self::of_seconds(args, pace, began, seconds) }
    }

    /// The warm-up.
    pub(crate) fn warm_up(args: &Args, pace: Pace, began: Instant) -> Self {
        Self::of_seconds(args, pace, began, args.warm_up)
    }

    fn of_seconds(args: &Args, pace: Pace, began: Instant, seconds: u32) -> Self {
        Self {
            pace,
            batch: u64::from(args.batch),
            publishers: args.publishers as usize,
            began,
            duration: Duration::from_secs(u64::from(seconds)),
            reports: None,
        }
    }

    /// When the stage ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.began + self.duration
    }

    /// Reports that publisher `index` may send.
    pub(crate) fn allowance(&self, index: usize) -> u64 {
        share(self.reports.unwrap_or(MAX_REPORTS), index, self.publishers)
    }

    /// The frames of publisher `index` at `rate`. Those of all publishers are spread evenly over the period.
    pub(crate) fn schedule(&self, index: usize, rate: f64) -> Schedule {
        let publishers = self.publishers.max(1) as f64;
        let period = Duration::from_secs_f64(self.batch as f64 * publishers / rate);
        let period = period.max(MIN_PERIOD);
        let offset = period.mul_f64(index as f64 / publishers);
        Schedule { first: self.began + offset, period }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn args(arguments: &[&str]) -> Args {
        Args::parse_from([&["nsl-load"], arguments].concat())
    }

    #[test]
    fn publishers_share_the_rate_and_are_spread_evenly() {
        let args = args(&["--publishers", "4", "--rate", "8", "--batch", "2"]);
        let began = Instant::now();
        let load = Load::measured(&args, Pace::of(&args), began);
        let period = Duration::from_secs(1);
        assert_eq!(load.schedule(0, 8.0), Schedule { first: began, period });
        assert_eq!(load.schedule(1, 8.0), Schedule { first: began + Duration::from_millis(250), period });
    }

    #[test]
    fn default_rate_is_one_per_second_and_publisher() {
        assert_eq!(Pace::of(&args(&["--publishers", "7"])), Pace::Rate(7.0));
        assert_eq!(Pace::of(&args(&["--as-answered"])), Pace::AsAnswered { in_flight: 1 });
    }

    #[test]
    fn every_stage_ends() {
        let by_reports = args(&["--reports", "10", "--publishers", "3", "--as-answered"]);
        let load = Load::measured(&by_reports, Pace::of(&by_reports), Instant::now());
        assert_eq!(load.duration, Duration::from_secs(600));
        assert_eq!([0, 1, 2].map(|index| load.allowance(index)), [4, 3, 3]);
        let default = args(&[]);
        let load = Load::measured(&default, Pace::of(&default), Instant::now());
        assert_eq!((load.duration, load.allowance(0)), (Duration::from_secs(10), MAX_REPORTS));
    }

    #[test]
    fn period_is_bounded_at_any_rate() {
        let args = args(&["--rate", "1000000"]);
        let load = Load::measured(&args, Pace::of(&args), Instant::now());
        assert_eq!(load.schedule(0, 1e15).period, MIN_PERIOD);
    }
}
