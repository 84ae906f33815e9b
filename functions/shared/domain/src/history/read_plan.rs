//! Plans which stored rollups and raw reports answer a window: coarse rollups for what they cover, finer ones for the
//! rest, raw reports for the last minutes. The caller reads what the plan requests, in at most two rounds.

use std::collections::{BTreeMap, BTreeSet};

use crate::resolution::Resolution;
use crate::rollup::{Rollup, RollupSpan};
use crate::time::{MINUTE_MS, TimestampMs};
use crate::time_span::TimeSpan;
use crate::window::Window;

/// Longest raw tail: the span before now whose raw reports are read instead of rollups.
pub const MAX_TAIL_MS: i64 = 5 * MINUTE_MS;

/// Shortest such tail. Reports this recent must be in an answer as soon as they are acknowledged
/// (docs/SEMANTICS.md, "Lateness"), but the rollup of a minute may have been computed before one of its reports was
/// stored.
const MIN_TAIL_MS: i64 = 2 * MINUTE_MS;

/// How long after its end a minute without a rollup is overdue. Reports wait in the stream for one minute by default
/// and are rolled up within seconds; this leaves two minutes of the tail in which an overdue one can be found.
const OVERDUE_MS: i64 = 3 * MINUTE_MS;

/// A request for the rollups of one resolution that start in `starts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRequest {
    /// Their width.
    pub resolution: Resolution,
    /// Where they start.
    pub starts: TimeSpan,
}

/// One resolution of one write shard.
#[derive(Debug)]
struct Level {
    resolution: Resolution,
    /// The first round reads from here on, because coarser rollups usually cover everything before.
    first_round_from: TimestampMs,
    rollups: BTreeMap<TimestampMs, Rollup>,
}

/// The read of one write shard for one window.
#[derive(Debug)]
pub struct ReadPlan {
    window: Window,
    now: TimestampMs,
    /// The resolution of the window first, then each finer one down to the minute.
    levels: Vec<Level>,
    rounds: usize,
}

impl ReadPlan {
    /// The plan for `window` at `now`.
    pub fn new(window: Window, now: TimestampMs) -> Self {
        let mut levels = Vec::new();
        let mut span = Some(RollupSpan::containing(window.step(), now));
        let mut first_round_from = window.from();
        while let Some(running) = span {
            let resolution = running.resolution();
            levels.push(Level { resolution, first_round_from, rollups: BTreeMap::new() });
            // While an application reports, the rollup before the last one is usually complete.
            first_round_from = running.start().plus_ms(-resolution.ms()).max(first_round_from);
            span = running.finer().map(|finer| RollupSpan::containing(finer, now));
        }
        Self { window, now, levels, rounds: 0 }
    }

    /// What to read next, all at once; empty when the plan is complete.
    pub fn next_requests(&mut self) -> Vec<ReadRequest> {
        self.rounds += 1;
        match self.rounds {
            1 => self
                .levels
                .iter()
                .filter_map(|level| self.request(level.resolution, level.first_round_from, self.window.to()))
                .collect(),
            2 => self.second_round(),
            _ => Vec::new(),
        }
    }

    /// Adds the rollups that were read.
    pub fn add(&mut self, rollups: impl IntoIterator<Item = Rollup>) {
        for rollup in rollups {
            let level = self.levels.iter_mut().find(|level| level.resolution == rollup.span().resolution());
            if let Some(level) = level {
                level.rollups.insert(rollup.span().start(), rollup);
            }
        }
    }

    /// The rollups that answer the window, each part of it covered at most once.
    pub fn into_selected(mut self) -> Vec<Rollup> {
        let selected: BTreeSet<RollupSpan> = self.selected().collect();
        let levels = self.levels.drain(..).flat_map(|level| level.rollups.into_values());
        levels.filter(|rollup| selected.contains(&rollup.span())).collect()
    }

    fn selected(&self) -> impl Iterator<Item = RollupSpan> {
        let tail_from = self.tail_from();
        self.levels.iter().enumerate().flat_map(move |(depth, level)| {
            level.rollups.values().filter_map(move |rollup| {
                let start = rollup.span().start();
                // The raw tail replaces the newest minutes, whose rollups may be incomplete.
                let is_minute = level.resolution == Resolution::Minute;
                let in_tail = is_minute && tail_from.is_some_and(|from| start >= from);
                let counts = is_minute || self.covered_to(rollup) > start;
                (counts && !in_tail && !self.is_covered(start, depth)).then(|| rollup.span())
            })
        })
    }

    /// The span whose raw reports complete the answer; `None` if the window ends before it.
    pub fn tail(&self) -> Option<TimeSpan> {
        self.tail_from().map(|from| TimeSpan::new(from, self.window.to()))
    }

    /// Where the answer ends because something is missing before or in the raw tail; `tail` has the timestamps of its
    /// reports, or is `None` if it could not be read.
    ///
    /// Nothing is read between the newest rollup and the tail. If rollups lag behind an application that goes on
    /// reporting, the tail has a report whose rollup is overdue. If the application was silent, it has none, and
    /// nothing is missing.
    pub fn incomplete_from(
        &self,
        tail: Option<impl IntoIterator<Item = TimestampMs>>,
    ) -> Option<TimestampMs> {
        let tail_from = self.tail_from()?;
        let rolled_up_to = self.rolled_up_to().min(tail_from);
        let Some(timestamps) = tail else { return Some(rolled_up_to) };
        let overdue_before = self.now.plus_ms(-OVERDUE_MS).aligned_to(MINUTE_MS);
        let lags = rolled_up_to < tail_from && timestamps.into_iter().any(|at| at < overdue_before);
        lags.then_some(rolled_up_to)
    }

    /// The end of what any rollup covers, at least the start of the window.
    fn rolled_up_to(&self) -> TimestampMs {
        let newest = self.levels.iter().flat_map(|level| level.rollups.values().next_back());
        newest.map(Rollup::through).fold(self.window.from(), TimestampMs::max)
    }

    /// The tail begins with the newest minute rollup, between [`MIN_TAIL_MS`] and [`MAX_TAIL_MS`] ago, but not within
    /// what a coarser rollup covers.
    fn tail_from(&self) -> Option<TimestampMs> {
        let earliest = self.now.plus_ms(-MAX_TAIL_MS).aligned_to(MINUTE_MS).max(self.window.from());
        let minutes = self.levels.last()?;
        let min_tail_from = self.min_tail_from();
        let newest = minutes.rollups.keys().next_back().copied().unwrap_or(earliest).min(min_tail_from);
        let coarser = self.levels.iter().filter(|level| level.resolution != Resolution::Minute);
        let covered = coarser.flat_map(|level| level.rollups.values().next_back()).map(Rollup::through);
        let covered = covered.filter(|through| *through <= min_tail_from).max();
        let from = newest.max(earliest).max(covered.unwrap_or(earliest));
        (from < self.window.to()).then_some(from)
    }

    fn min_tail_from(&self) -> TimestampMs {
        self.now.plus_ms(-MIN_TAIL_MS).aligned_to(MINUTE_MS)
    }

    /// The end of what a coarse rollup is used for. One that covers part of the shortest tail is not used: it is the
    /// running span or the one before, below which the first round reads anyway.
    fn covered_to(&self, coarse: &Rollup) -> TimestampMs {
        if coarse.through() > self.min_tail_from() { coarse.span().start() } else { coarse.through() }
    }

    /// Whether a rollup coarser than the level `depth` covers the instant `start`.
    fn is_covered(&self, start: TimestampMs, depth: usize) -> bool {
        self.levels.iter().take(depth).any(|coarser| {
            let containing = RollupSpan::containing(coarser.resolution, start);
            coarser.rollups.get(&containing.start()).is_some_and(|rollup| self.covered_to(rollup) > start)
        })
    }

    /// What the first round did not read below coarse rollups that turned out to be incomplete. A coarse rollup that is
    /// not stored has nothing below it.
    fn second_round(&self) -> Vec<ReadRequest> {
        let Some((coarsest, finer)) = self.levels.split_first() else { return Vec::new() };
        let mut incomplete = coarsest.rollups.values().filter(|rollup| !rollup.is_complete());
        let Some(first) = incomplete.next() else { return Vec::new() };
        let end = incomplete.next_back().unwrap_or(first).span().end();
        let request =
            |level: &Level| self.request(level.resolution, first.through(), end.min(level.first_round_from));
        finer.iter().filter_map(request).collect()
    }

    /// The request for spans that start in `[from, to)` and in the window; `None` if there are none.
    fn request(&self, resolution: Resolution, from: TimestampMs, to: TimestampMs) -> Option<ReadRequest> {
        let starts = TimeSpan::new(from.max(self.window.from()), to.min(self.window.to()));
        (starts.from < starts.to).then_some(ReadRequest { resolution, starts })
    }
}

#[cfg(test)]
mod tests;
