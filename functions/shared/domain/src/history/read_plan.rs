//! Which stored rollups and raw reports answer a window, and in which order to ask for them.
//!
//! Owns the plan of a read: wide rollups for what they cover, finer ones where they do not, raw reports for the last
//! minutes. Refuses to ask itself: it says what it wants, is given it, and says what counts. At most two rounds.
//! Ruled by design.md §6, "Reads".

use std::collections::{BTreeMap, BTreeSet};

use crate::resolution::Resolution;
use crate::rollup::{Rollup, RollupSpan};
use crate::time::{MINUTE_MS, TimestampMs};
use crate::time_span::TimeSpan;
use crate::window::Window;

/// How far back raw reports stand in for rollups that are not there yet: design.md §6.
pub const MAX_TAIL_MS: i64 = 5 * MINUTE_MS;

/// How far back raw reports are read whatever rollups are there: a minute may be computed before a report of the one
/// before it is stored, and what is stamped this lately is promised as soon as it is acknowledged. design.md §6.
const MIN_TAIL_MS: i64 = 2 * MINUTE_MS;

/// How long after its end a minute that has no rollup is overdue: reports wait in the stream for one minute by default
/// and are rolled up within seconds. It leaves two minutes of the tail in which one may be found.
const OVERDUE_MS: i64 = 3 * MINUTE_MS;

/// Rollups of one resolution whose spans start in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRequest {
    /// Their width.
    pub resolution: Resolution,
    /// The earliest start.
    pub from: TimestampMs,
    /// The first start that is too late.
    pub to: TimestampMs,
}

/// One resolution of one write shard.
#[derive(Debug)]
struct Level {
    resolution: Resolution,
    /// From where on it is asked for in the first round, in the hope that everything before is covered.
    hoped_from: TimestampMs,
    rollups: BTreeMap<TimestampMs, Rollup>,
}

/// The read of one write shard for one window.
#[derive(Debug)]
pub struct ReadPlan {
    window: Window,
    now: TimestampMs,
    /// The window's own resolution first, then each finer one down to the minute.
    levels: Vec<Level>,
    rounds: usize,
}

impl ReadPlan {
    /// The read of `window` at `now`.
    pub fn new(window: Window, now: TimestampMs) -> Self {
        let mut levels = Vec::new();
        let mut span = Some(RollupSpan::containing(window.step(), now));
        let mut hoped_from = window.from();
        while let Some(running) = span {
            levels.push(Level { resolution: running.resolution(), hoped_from, rollups: BTreeMap::new() });
            // An application that reports has its last but one span finished, as a rule.
            let last_but_one = running.start().plus_ms(-running.resolution().ms());
            hoped_from = last_but_one.max(hoped_from);
            span = running.finer().map(|finer| RollupSpan::containing(finer, now));
        }
        Self { window, now, levels, rounds: 0 }
    }

    /// What to ask for next, all at once; nothing once everything is there.
    pub fn wanted(&mut self) -> Vec<ReadRequest> {
        self.rounds += 1;
        match self.rounds {
            1 => self
                .levels
                .iter()
                .filter_map(|level| self.within(level.resolution, level.hoped_from, self.window.to()))
                .collect(),
            2 => self.missed(),
            _ => Vec::new(),
        }
    }

    /// Takes what was asked for.
    pub fn take(&mut self, rollups: impl IntoIterator<Item = Rollup>) {
        for rollup in rollups {
            let level = self.levels.iter_mut().find(|level| level.resolution == rollup.span().resolution());
            if let Some(level) = level {
                level.rollups.insert(rollup.span().start(), rollup);
            }
        }
    }

    /// The rollups that count, each part of the window in at most one of them.
    pub fn counted(&self) -> impl Iterator<Item = &Rollup> {
        let tail_from = self.tail_from();
        self.levels.iter().enumerate().flat_map(move |(depth, level)| {
            level.rollups.values().filter(move |rollup| {
                let start = rollup.span().start();
                // The tail stands for the newest minutes, which the table may hold by halves.
                let is_minute = rollup.span().resolution() == Resolution::Minute;
                let in_tail = is_minute && tail_from.is_some_and(|from| start >= from);
                !in_tail && (is_minute || self.through(rollup) > start) && !self.is_covered(start, depth)
            })
        })
    }

    /// The same, taken out.
    pub fn into_counted(mut self) -> Vec<Rollup> {
        let counted: BTreeSet<RollupSpan> = self.counted().map(Rollup::span).collect();
        let levels = self.levels.drain(..).flat_map(|level| level.rollups.into_values());
        levels.filter(|rollup| counted.contains(&rollup.span())).collect()
    }

    /// The span of raw reports that count besides, `[from, to)`; none where the window ended before it.
    pub fn tail(&self) -> Option<TimeSpan> {
        self.tail_from().map(|from| TimeSpan::new(from, self.window.to()))
    }

    /// Where the answer ends because something before the raw tail or in it is missing; `tail` are the stamps of its
    /// reports, or nothing where it had to be left out.
    ///
    /// Between the newest rollup and the tail nothing is read. An application that goes on reporting while its rollups
    /// lag so far behind has a report in the tail whose own rollup is overdue; one that was silent has none, and then
    /// nothing is missing.
    pub fn ends_at(&self, tail: Option<impl IntoIterator<Item = TimestampMs>>) -> Option<TimestampMs> {
        let tail_from = self.tail_from()?;
        let known_to = self.known_to().min(tail_from);
        let Some(stamps) = tail else { return Some(known_to) };
        let overdue_before = self.now.plus_ms(-OVERDUE_MS).aligned_to(MINUTE_MS);
        let lags = known_to < tail_from && stamps.into_iter().any(|stamp| stamp < overdue_before);
        lags.then_some(known_to)
    }

    /// The end of the newest that any rollup says, at least the window's start.
    fn known_to(&self) -> TimestampMs {
        let newest = self.levels.iter().flat_map(|level| level.rollups.values().next_back());
        newest.map(Rollup::through).fold(self.window.from(), TimestampMs::max)
    }

    /// From the newest minute rollup on, at least [`MIN_TAIL_MS`] and at most [`MAX_TAIL_MS`] back, but never into what
    /// a wider rollup covers.
    fn tail_from(&self) -> Option<TimestampMs> {
        let earliest = self.now.plus_ms(-MAX_TAIL_MS).aligned_to(MINUTE_MS).max(self.window.from());
        let minutes = self.levels.last()?;
        let promised = self.promised_from();
        let newest = minutes.rollups.keys().next_back().copied().unwrap_or(earliest).min(promised);
        let wider = self.levels.iter().filter(|level| level.resolution != Resolution::Minute);
        let covered = wider.flat_map(|level| level.rollups.values().next_back()).map(Rollup::through);
        let covered = covered.filter(|through| *through <= promised).max();
        let from = newest.max(earliest).max(covered.unwrap_or(earliest));
        (from < self.window.to()).then_some(from)
    }

    /// From where on reports are promised at once.
    fn promised_from(&self) -> TimestampMs {
        self.now.plus_ms(-MIN_TAIL_MS).aligned_to(MINUTE_MS)
    }

    /// The end of what a wide rollup counts for. One that reaches into what is promised at once counts for nothing: it
    /// is the running span's or the one's before, below which the first round asks anyway.
    fn through(&self, wide: &Rollup) -> TimestampMs {
        if wide.through() > self.promised_from() { wide.span().start() } else { wide.through() }
    }

    /// Whether a rollup wider than the level `depth` covers the instant `start`.
    fn is_covered(&self, start: TimestampMs, depth: usize) -> bool {
        self.levels.iter().take(depth).any(|wider| {
            let holding = RollupSpan::containing(wider.resolution, start);
            wider.rollups.get(&holding.start()).is_some_and(|rollup| self.through(rollup) > start)
        })
    }

    /// What the first round hoped to be covered and is not: where a wide rollup covers its span in part only. A wide
    /// rollup that is not stored has nothing below it.
    fn missed(&self) -> Vec<ReadRequest> {
        let Some((widest, finer)) = self.levels.split_first() else { return Vec::new() };
        let mut unfinished = widest.rollups.values().filter(|rollup| !rollup.is_complete());
        let Some(first) = unfinished.next() else { return Vec::new() };
        let end = unfinished.next_back().unwrap_or(first).span().end();
        let wanted =
            |level: &Level| self.within(level.resolution, first.through(), end.min(level.hoped_from));
        finer.iter().filter_map(wanted).collect()
    }

    /// A question about spans that start in `[from, to)` and in the window; `None` where that is empty.
    fn within(&self, resolution: Resolution, from: TimestampMs, to: TimestampMs) -> Option<ReadRequest> {
        let (from, to) = (from.max(self.window.from()), to.min(self.window.to()));
        (from < to).then_some(ReadRequest { resolution, from, to })
    }
}

#[cfg(test)]
mod tests;
