//! What is sent in one stage: how fast, how much at a time, until when. Pure but for the clock that it is given.

use crate::args::{Args, MAX_REPORTS};
use crate::plan::share;
use std::time::Duration;
use tokio::time::Instant;

/// Measured seconds where nothing else is said.
const USUAL_SECONDS: u32 = 10;

/// Longest that a run which ends by its number of reports may take, in seconds.
const SECONDS_FOR_REPORTS: u32 = 600;

/// Reports a second of one publisher where nothing else is said: the library's own rate.
const USUAL_RATE: f64 = 1.0;

/// Shortest time from one frame of a publisher to the next: what is faster than any network needs no clock.
const SHORTEST_BEAT: Duration = Duration::from_micros(1);

/// How fast reports are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// That many reports a second by all publishers together, whatever comes back.
    Rate(f64),
    /// The next frame as soon as one of so many is answered.
    AsAnswered { in_flight: u32 },
}

impl Pace {
    /// The pace that the arguments ask for.
    pub(crate) fn of(args: &Args) -> Self {
        if args.as_answered {
            return Self::AsAnswered { in_flight: args.in_flight };
        }
        Self::Rate(args.rate.unwrap_or(USUAL_RATE * f64::from(args.publishers)))
    }
}

/// One stage of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    /// Reports in a frame.
    pub(crate) batch: u64,
    pub(crate) publishers: usize,
    pub(crate) began: Instant,
    pub(crate) duration: Duration,
    /// Reports of all publishers after which the stage ends.
    pub(crate) reports: Option<u64>,
}

impl Load {
    /// The measured stage that the arguments ask for, at `pace`, beginning at `began`.
    pub(crate) fn measured(args: &Args, pace: Pace, began: Instant) -> Self {
        let usual = if args.reports.is_some() { SECONDS_FOR_REPORTS } else { USUAL_SECONDS };
        let seconds = args.seconds.unwrap_or(usual);
        Self { reports: args.reports, ..Self::lasting(args, pace, began, seconds) }
    }

    /// The stage before the measured ones.
    pub(crate) fn warm_up(args: &Args, pace: Pace, began: Instant) -> Self {
        Self::lasting(args, pace, began, args.warm_up)
    }

    fn lasting(args: &Args, pace: Pace, began: Instant, seconds: u32) -> Self {
        Self {
            pace,
            batch: u64::from(args.batch),
            publishers: args.publishers as usize,
            began,
            duration: Duration::from_secs(u64::from(seconds)),
            reports: None,
        }
    }

    /// The instant after which nothing is sent.
    pub(crate) fn deadline(&self) -> Instant {
        self.began + self.duration
    }

    /// Reports that publisher `index` may send.
    pub(crate) fn allowance(&self, index: usize) -> u64 {
        share(self.reports.unwrap_or(MAX_REPORTS), index, self.publishers)
    }

    /// When publisher `index` sends its first frame at `rate`, and the time from one to the next. Publishers begin
    /// evenly spread over one such time, so that they do not all send at once.
    pub(crate) fn beat(&self, index: usize, rate: f64) -> (Instant, Duration) {
        let publishers = self.publishers.max(1) as f64;
        let between = Duration::from_secs_f64(self.batch as f64 * publishers / rate);
        let between = between.max(SHORTEST_BEAT);
        let offset = between.mul_f64(index as f64 / publishers);
        (self.began + offset, between)
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
    fn publishers_share_the_rate_and_begin_apart() {
        let args = args(&["--publishers", "4", "--rate", "8", "--batch", "2"]);
        let began = Instant::now();
        let load = Load::measured(&args, Pace::of(&args), began);
        assert_eq!(load.beat(0, 8.0), (began, Duration::from_secs(1)));
        assert_eq!(load.beat(1, 8.0), (began + Duration::from_millis(250), Duration::from_secs(1)));
    }

    #[test]
    fn without_a_rate_each_publisher_sends_once_a_second() {
        assert_eq!(Pace::of(&args(&["--publishers", "7"])), Pace::Rate(7.0));
        assert_eq!(Pace::of(&args(&["--as-answered"])), Pace::AsAnswered { in_flight: 1 });
    }

    #[test]
    fn every_stage_ends() {
        let by_reports = args(&["--reports", "10", "--publishers", "3", "--as-answered"]);
        let load = Load::measured(&by_reports, Pace::of(&by_reports), Instant::now());
        assert_eq!(load.duration, Duration::from_secs(600));
        assert_eq!([0, 1, 2].map(|index| load.allowance(index)), [4, 3, 3]);
        let usual = args(&[]);
        let load = Load::measured(&usual, Pace::of(&usual), Instant::now());
        assert_eq!((load.duration, load.allowance(0)), (Duration::from_secs(10), MAX_REPORTS));
    }

    #[test]
    fn no_rate_is_too_high_for_the_clock() {
        let args = args(&["--rate", "1000000"]);
        let load = Load::measured(&args, Pace::of(&args), Instant::now());
        assert_eq!(load.beat(0, 1e15).1, SHORTEST_BEAT);
    }
}
