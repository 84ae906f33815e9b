//! What one write shard of an application reported within one aligned span, as it is stored.
//!
//! Owns the contents of a rollup and the law that it is a pure function of what is below it: a minute of its reports,
//! any wider span of the next finer ones. Bounded whatever is reported: what does not fit is left out and told.
//! Refuses to read a table or a clock. Ruled by design.md §6; its bytes by docs/ROLLUP_ENCODING.md.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::ids::Source;
use crate::time::TimestampMs;

mod bits;
mod decode;
mod encode;
mod fold;
mod names;
mod number;
mod retention;
mod span;
#[cfg(test)]
mod tests;
mod touched;

pub use decode::DecodeError;
pub use encode::{ENCODING, MAX_BYTES};
pub use fold::{IncompleteSpans, MinuteBuilder};
pub use retention::{AppRetention, InvalidRetention, MAX_RAW_HOURS, RAW_GRACE_MS, Retention};
pub use span::{CLOCK_SKEW_MS, RollupSpan};
pub use touched::{AppShard, DirtyMinutes, due_coarser};

/// Most sources that a rollup names. A day's rollup costs the same whether one source reports or a thousand; who
/// needs every name reads the last reports.
pub const MAX_ROLLUP_SOURCES: usize = 16;

/// Most series that a rollup holds, four times what one report may have.
pub const MAX_ROLLUP_SERIES: usize = 2_048;

/// Who reported within a span: the first [`MAX_ROLLUP_SOURCES`] by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    names: BTreeSet<Arc<Source>>,
    has_more: bool,
}

impl Sources {
    /// Adds one, and gives the shared name of it.
    fn note(&mut self, source: Arc<Source>) {
        if self.names.insert(source) && self.names.len() > MAX_ROLLUP_SOURCES {
            self.names.pop_last();
            self.has_more = true;
        }
    }

    fn merge(&mut self, other: &Self) {
        other.names.iter().for_each(|source| self.note(Arc::clone(source)));
        self.has_more |= other.has_more;
    }

    /// The names, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<Source>> {
        self.names.iter()
    }

    /// Whether others reported too.
    pub fn has_more(&self) -> bool {
        self.has_more
    }
}

/// The buckets of every series within one span, of one write shard of one application.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    span: RollupSpan,
    through: TimestampMs,
    reports: u64,
    sources: Sources,
    series: BTreeMap<String, Bucket>,
    is_truncated: bool,
}

impl Rollup {
    /// The rollup of nothing, which covers nothing of its span.
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

    /// Its span.
    pub fn span(&self) -> RollupSpan {
        self.span
    }

    /// The end of what it covers. From here to the end of its span the finer rollups, where there are any, say more.
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

    /// Who sent them.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The series, by name.
    pub fn series(&self) -> impl ExactSizeIterator<Item = (&str, &Bucket)> {
        self.series.iter().map(|(name, bucket)| (name.as_str(), bucket))
    }

    /// Whether there were more series than it may hold: those last by name are left out then.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// It as all there will ever be of its span, for what is below it is gone.
    #[must_use]
    pub fn into_complete(mut self) -> Self {
        self.through = self.span.end();
        self
    }

    /// Adds what `other` covers, which must not be in here already. Commutative and associative.
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
        self.cut_to(MAX_ROLLUP_SERIES);
    }

    /// Leaves out the series that are not to be `kept`. What is left says nothing of them, so it is not to be stored.
    pub fn retain(&mut self, mut kept: impl FnMut(&str) -> bool) {
        self.series.retain(|name, _| kept(name));
    }

    /// Leaves out the series that are last by name until `most` are left.
    fn cut_to(&mut self, most: usize) {
        while self.series.len() > most {
            self.series.pop_last();
            self.is_truncated = true;
        }
    }
}
