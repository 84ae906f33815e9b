//! Builds the rollup of a minute from its reports. Memory is bounded by the series, not by the number of reports.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::activity::{Activity, ActivityBuilder, Usage};
use super::{MAX_ROLLUP_SERIES, Rollup, RollupSpan};
use crate::bucket::{Bucket, SampleOrigin};
use crate::ids::Source;
use crate::rejection::Rejection;
use crate::series::for_each_sample;
use crate::time::TimestampMs;

/// Series held before the last by name are dropped: twice the limit of a rollup, so that dropping is rare.
const MAX_BUILT_SERIES: usize = 2 * MAX_ROLLUP_SERIES;

/// Builds the rollup of one minute.
#[derive(Debug)]
pub struct MinuteBuilder {
    span: RollupSpan,
    reports: u64,
    sources: BTreeSet<Arc<Source>>,
    rows: Vec<Row>,
    /// Index in `rows` by name.
    row_by_name: HashMap<String, usize>,
    /// Row index and value of each sample of the current report.
    pending: Vec<(usize, f64)>,
    activity: ActivityBuilder,
    is_truncated: bool,
}

#[derive(Debug)]
struct Row {
    name: String,
    bucket: Option<Bucket>,
}

impl MinuteBuilder {
    /// A builder without reports.
    pub fn new(span: RollupSpan) -> Self {
        Self {
            span,
            reports: 0,
            sources: BTreeSet::new(),
            rows: Vec::new(),
            row_by_name: HashMap::new(),
            pending: Vec::new(),
            activity: ActivityBuilder::default(),
            is_truncated: false,
        }
    }

    /// Adds one report, in any order; `hash` is the first 64 bits of the SHA-256 of its document. A report outside
    /// the span is ignored. Where a document has the same path twice, the last value in its text counts.
    ///
    /// # Errors
    /// The rejection of a document that should never have been stored. Nothing of the report is added then.
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
        let mut usage = Usage::default();
        let outcome = for_each_sample(document, |name, value| {
            usage.note(name, value);
            self.add_pending(name, value);
        });
        match &outcome {
            Ok(_) => {
                self.reports += 1;
                let origin = SampleOrigin::sharing(&mut self.sources, timestamp, source, hash);
                self.commit_pending(&origin);
                self.activity.add(&origin, usage);
            }
            Err(_) => self.pending.clear(),
        }
        if self.rows.len() > MAX_BUILT_SERIES {
            self.truncate();
        }
        outcome.map(|_| ())
    }

    /// What the sources of all added reports last reported; `None` without a report.
    pub fn activity(&self) -> Option<Activity> {
        self.activity.finish()
    }

    /// The rollup of all added reports. It covers the whole minute.
    pub fn finish(mut self) -> Rollup {
        let mut rollup = Rollup::empty(self.span).into_complete();
        rollup.reports = self.reports;
        rollup.is_truncated = self.is_truncated;
        self.sources.into_iter().for_each(|source| rollup.sources.insert(source));
        let filled = self.rows.drain(..).filter_map(|row| Some((row.name, row.bucket?)));
        rollup.series.extend(filled);
        rollup.truncate(MAX_ROLLUP_SERIES);
        rollup
    }

    fn add_pending(&mut self, name: &str, value: f64) {
        let index = self.row_by_name.get(name).copied().unwrap_or_else(|| self.add_row(name));
        self.pending.push((index, value));
    }

    fn add_row(&mut self, name: &str) -> usize {
        let index = self.rows.len();
        self.rows.push(Row { name: name.to_owned(), bucket: None });
        self.row_by_name.insert(name.to_owned(), index);
        index
    }

    /// Adds the samples of a report that was read completely. Of several with one name, the last counts.
    fn commit_pending(&mut self, origin: &SampleOrigin) {
        self.pending.reverse();
        self.pending.sort_by_key(|(index, _)| *index);
        self.pending.dedup_by_key(|(index, _)| *index);
        for (index, value) in self.pending.drain(..) {
            match self.rows.get_mut(index).map(|row| &mut row.bucket) {
                Some(Some(bucket)) => bucket.add(value, origin),
                Some(none) => *none = Some(Bucket::of(value, origin)),
                None => {}
            }
        }
    }

    /// Keeps the first [`MAX_ROLLUP_SERIES`] by name. At least that many names sort before a dropped one from now on,
    /// so it is never in the rollup, and the order of the reports does not matter.
    fn truncate(&mut self) {
        self.rows.retain(|row| row.bucket.is_some());
        self.rows.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        self.is_truncated |= self.rows.len() > MAX_ROLLUP_SERIES;
        self.rows.truncate(MAX_ROLLUP_SERIES);
        let indexes = self.rows.iter().enumerate().map(|(index, row)| (row.name.clone(), index));
        self.row_by_name = indexes.collect();
    }
}
