//! What a rollup contains, and how rollups are merged into a wider one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::RollupSpan;
use crate::bucket::Bucket;
use crate::ids::Source;
use crate::time::TimestampMs;

/// Most sources that a rollup lists, so that a day's rollup costs the same for one source and for a thousand. The
/// full list is in the last reports.
pub const MAX_ROLLUP_SOURCES: usize = 16;

/// Most series of a rollup, four times what one report may have.
pub const MAX_ROLLUP_SERIES: usize = 2_048;

/// The sources that reported within a span: the first [`MAX_ROLLUP_SOURCES`] by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub(super) names: BTreeSet<Arc<Source>>,
    pub(super) has_more: bool,
}

impl Sources {
    pub(super) fn insert(&mut self, source: Arc<Source>) {
        if self.names.insert(source) && self.names.len() > MAX_ROLLUP_SOURCES {
            self.names.pop_last();
            self.has_more = true;
        }
    }

    fn merge(&mut self, other: &Self) {
        other.names.iter().for_each(|source| self.insert(Arc::clone(source)));
        self.has_more |= other.has_more;
    }

    /// The names, ascending.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<Source>> {
        self.names.iter()
    }

    /// Whether more sources reported than are listed.
    pub fn has_more(&self) -> bool {
        self.has_more
    }
}

/// The buckets of every series within one span, of one write shard of one application.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    pub(super) span: RollupSpan,
    pub(super) through: TimestampMs,
    pub(super) reports: u64,
    pub(super) sources: Sources,
    pub(super) series: BTreeMap<String, Bucket>,
    pub(super) is_truncated: bool,
}

/// Finer rollups that have ended but do not cover their whole span yet. They must be recomputed before the span above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteSpans(pub Vec<RollupSpan>);

impl Rollup {
    /// The rollup of no report, which covers nothing of its span.
    pub fn empty(span: RollupSpan) -> Self {
        Self {
            span,
            through: span.start(),
            reports: 0,
            sources: Sources::default(),
            series: BTreeMap::new(),
            is_truncated: false,
        }
    }

    /// The rollup of `span`, merged from those of the next finer rollups that are settled at `now`.
    ///
    /// It covers its span up to the end of the newest one merged, and all of it once the span itself is settled.
    ///
    /// # Errors
    /// [`IncompleteSpans`] if a settled one does not cover its own span.
    pub fn from_finer(span: RollupSpan, finer: &[Self], now: TimestampMs) -> Result<Self, IncompleteSpans> {
        let settled = || finer.iter().filter(|below| below.span.is_settled(now));
        let incomplete: Vec<RollupSpan> =
            settled().filter(|below| !below.is_complete()).map(|below| below.span).collect();
        if !incomplete.is_empty() {
            return Err(IncompleteSpans(incomplete));
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

    /// Its span.
    pub fn span(&self) -> RollupSpan {
        self.span
    }

    /// The end of what it covers. From there to the end of its span, finer rollups may have more.
    pub fn through(&self) -> TimestampMs {
        self.through
    }

    /// Whether it covers its whole span.
    pub fn is_complete(&self) -> bool {
        self.through >= self.span.end()
    }

    /// How many reports it covers.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// The sources of these reports.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The series, by name.
    pub fn series(&self) -> impl ExactSizeIterator<Item = (&str, &Bucket)> {
        self.series.iter().map(|(name, bucket)| (name.as_str(), bucket))
    }

    /// Whether series were dropped, the last by name, because there were more than fit.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The same rollup, marked as covering its whole span: what it is computed from has expired.
    #[must_use]
    pub fn into_complete(mut self) -> Self {
        self.through = self.span.end();
        self
    }

    /// Adds what `other` covers, which must not be included already. Commutative and associative.
    pub fn merge(&mut self, other: &Self) {
        self.reports += other.reports;
        self.sources.merge(&other.sources);
        self.is_truncated |= other.is_truncated;
        for (name, bucket) in &other.series {
            match self.series.get_mut(name) {
                Some(own) => own.merge(bucket),
                None => {
                    self.series.insert(name.clone(), bucket.clone());
                }
            }
        }
        self.truncate(MAX_ROLLUP_SERIES);
    }

    /// Drops the series for which `keep` is false, without marking the rollup: it must not be stored afterwards.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.series.retain(|name, _| keep(name));
    }

    /// Drops the series that are last by name until `max_series` are left.
    pub(super) fn truncate(&mut self, max_series: usize) {
        while self.series.len() > max_series {
            self.series.pop_last();
            self.is_truncated = true;
        }
    }
}
