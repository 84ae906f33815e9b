//! Making rollups: a minute from its reports, any wider span from the finer rollups.
//!
//! Owns the memory of a fold, which the series bound, not the number of reports. Ruled by design.md §6.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{MAX_ROLLUP_SERIES, Rollup, RollupSpan};
use crate::bucket::{Bucket, SampleOrigin};
use crate::ids::Source;
use crate::rejection::Rejection;
use crate::series::for_each_sample;
use crate::time::TimestampMs;

/// Series that a fold holds before it leaves some out: twice what a rollup may have, so that leaving out is rare.
const MAX_FOLDED_SERIES: usize = 2 * MAX_ROLLUP_SERIES;

/// Finer rollups that have to be computed anew before the span above them can be: they are over, and do not cover
/// their own span yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteSpans(pub Vec<RollupSpan>);

impl Rollup {
    /// The rollup of `span` from the next finer ones, of which those that are settled at `now` are counted in.
    ///
    /// It covers its span up to the end of the newest one counted in, and wholly once it is settled itself.
    ///
    /// # Errors
    /// [`IncompleteSpans`] where a settled one does not cover its own span.
    pub fn from_finer(span: RollupSpan, finer: &[Self], now: TimestampMs) -> Result<Self, IncompleteSpans> {
        let settled = || finer.iter().filter(|below| below.span.is_settled(now));
        let unfinished: Vec<RollupSpan> =
            settled().filter(|below| !below.is_complete()).map(|below| below.span).collect();
        if !unfinished.is_empty() {
            return Err(IncompleteSpans(unfinished));
        }
        let mut rollup = Self::empty(span);
        for below in settled() {
            rollup.merge(below);
            rollup.through = rollup.through.max(below.span.end());
        }
        if span.is_settled(now) {
            rollup.through = span.end();
        }
        Ok(rollup)
    }
}

/// The rollup of one minute in the course of being made.
#[derive(Debug)]
pub struct MinuteBuilder {
    span: RollupSpan,
    reports: u64,
    known: BTreeSet<Arc<Source>>,
    rows: Vec<Row>,
    /// Place in `rows` by name.
    places: HashMap<String, usize>,
    /// Places of the rows that the report being read has a number for.
    noted: Vec<usize>,
    is_truncated: bool,
}

#[derive(Debug)]
struct Row {
    name: String,
    /// The number of the report being read.
    noted: Option<f64>,
    bucket: Option<Bucket>,
}

impl MinuteBuilder {
    /// The fold of no report yet.
    pub fn new(span: RollupSpan) -> Self {
        Self {
            span,
            reports: 0,
            known: BTreeSet::new(),
            rows: Vec::new(),
            places: HashMap::new(),
            noted: Vec::new(),
            is_truncated: false,
        }
    }

    /// Adds one report, in any order; `hash` is the first 64 bits of the SHA-256 of its document. A report outside
    /// the span changes nothing. Of two numbers of the document with one path, the last in its text counts.
    ///
    /// # Errors
    /// The rejection of a document that should never have been stored. The report is left out entirely.
    pub fn add(
        &mut self,
        timestamp: TimestampMs,
        source: &Source,
        hash: u64,
        document: &str,
    ) -> Result<(), Rejection> {
        if !self.span.contains(timestamp) {
            return Ok(());
        }
        let outcome = for_each_sample(document, |name, value| self.note(name, value));
        match &outcome {
            Ok(_) => {
                self.reports += 1;
                let at = SampleOrigin { time: timestamp, source: self.shared(source), hash };
                self.settle(&at);
            }
            Err(_) => self.forget_noted(),
        }
        if self.rows.len() > MAX_FOLDED_SERIES {
            self.cut();
        }
        outcome.map(|_| ())
    }

    /// The rollup, which covers the whole minute as far as its reports were added.
    pub fn finish(mut self) -> Rollup {
        let mut rollup = Rollup::empty(self.span);
        rollup.through = self.span.end();
        rollup.reports = self.reports;
        rollup.is_truncated = self.is_truncated;
        self.known.into_iter().for_each(|source| rollup.sources.note(source));
        let filled = self.rows.drain(..).filter_map(|row| Some((row.name, row.bucket?)));
        rollup.series.extend(filled);
        rollup.cut_to(MAX_ROLLUP_SERIES);
        rollup
    }

    fn shared(&mut self, source: &Source) -> Arc<Source> {
        if let Some(known) = self.known.get(source) {
            return Arc::clone(known);
        }
        let shared = Arc::new(source.clone());
        self.known.insert(Arc::clone(&shared));
        shared
    }

    fn note(&mut self, name: &str, value: f64) {
        let place = self.places.get(name).copied().unwrap_or_else(|| self.add_row(name));
        if let Some(row) = self.rows.get_mut(place)
            && row.noted.replace(value).is_none()
        {
            self.noted.push(place);
        }
    }

    fn add_row(&mut self, name: &str) -> usize {
        let place = self.rows.len();
        self.rows.push(Row { name: name.to_owned(), noted: None, bucket: None });
        self.places.insert(name.to_owned(), place);
        place
    }

    fn forget_noted(&mut self) {
        for place in self.noted.drain(..) {
            if let Some(row) = self.rows.get_mut(place) {
                row.noted = None;
            }
        }
    }

    fn settle(&mut self, at: &SampleOrigin) {
        for place in self.noted.drain(..) {
            let Some(row) = self.rows.get_mut(place) else {
                continue;
            };
            if let Some(value) = row.noted.take() {
                match &mut row.bucket {
                    Some(bucket) => bucket.add(value, at),
                    none => *none = Some(Bucket::of(value, at)),
                }
            }
        }
    }

    /// Leaves out all but the first [`MAX_ROLLUP_SERIES`] by name. One that was left out has that many before it for
    /// ever, so that it does not come back half empty: which are left is the same in any order of the reports.
    fn cut(&mut self) {
        self.rows.retain(|row| row.bucket.is_some());
        self.rows.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        self.is_truncated |= self.rows.len() > MAX_ROLLUP_SERIES;
        self.rows.truncate(MAX_ROLLUP_SERIES);
        let places = self.rows.iter().enumerate().map(|(place, row)| (row.name.clone(), place));
        self.places = places.collect();
    }
}
