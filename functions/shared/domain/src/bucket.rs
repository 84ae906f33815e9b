//! Count, sum, extremes, last value and quantile sketch of one series over one span.
//!
//! Owns the laws of aggregation: any grouping and any order of the same samples gives the same bucket. Refuses
//! nothing: values are finite, which [`crate::series`] sees to. Ruled by design.md §6.

use std::sync::Arc;

use crate::ids::Source;
use crate::time::TimestampMs;

mod sketch;
mod sum;
#[cfg(test)]
mod tests;

pub(crate) use sketch::MAX_LEVEL;
pub use sketch::{RELATIVE_ERROR, Sketch, ZERO_TOLERANCE};
pub use sum::Sum;

/// Where a sample comes from. The greatest `(time, source, hash)` of a span holds its last value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleOrigin {
    /// The instant of its report.
    pub time: TimestampMs,
    /// Who reported it; shared, for one report has many samples.
    pub source: Arc<Source>,
    /// First 64 bits of the SHA-256 of the report's document.
    pub hash: u64,
}

/// The samples of one series in one span, at least one.
///
/// Merging is commutative and associative and equals adding all samples to one bucket: exactly so for everything but
/// the sum, which agrees within a few roundings ([`Sum`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    count: u64,
    sum: Sum,
    min: f64,
    max: f64,
    last: f64,
    last_origin: SampleOrigin,
    sketch: Sketch,
}

/// What a bucket is made of, where it is read back.
#[derive(Debug)]
pub(crate) struct BucketParts {
    pub(crate) count: u64,
    pub(crate) sum: Sum,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) last: f64,
    pub(crate) last_origin: SampleOrigin,
    pub(crate) sketch: Sketch,
}

impl Bucket {
    /// The bucket of one sample. `value` must be finite.
    pub fn of(value: f64, at: &SampleOrigin) -> Self {
        let value = without_negative_zero(value);
        let mut bucket = Self {
            count: 1,
            sum: Sum::default(),
            min: value,
            max: value,
            last: value,
            last_origin: at.clone(),
            sketch: Sketch::default(),
        };
        bucket.sum.add(value);
        bucket.sketch.add(value);
        bucket
    }

    /// Adds one sample. `value` must be finite.
    pub fn add(&mut self, value: f64, at: &SampleOrigin) {
        let value = without_negative_zero(value);
        self.count += 1;
        self.sum.add(value);
        self.widen(value, value);
        self.succeed(value, at);
        self.sketch.add(value);
    }

    /// Adds all samples of `other`, which must not be in here already.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.widen(other.min, other.max);
        self.succeed(other.last, &other.last_origin);
        self.sketch.merge(&other.sketch);
    }

    /// The bucket with these parts, or `None` where no samples could have made them.
    pub(crate) fn from_parts(parts: BucketParts) -> Option<Self> {
        let BucketParts { count, sum, min, max, last, last_origin, sketch } = parts;
        let ordered = min <= last && last <= max;
        (count > 0 && ordered && min.is_finite() && max.is_finite()).then_some(Self {
            count,
            sum,
            min,
            max,
            last,
            last_origin,
            sketch,
        })
    }

    /// The distribution of its samples.
    pub fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// Whether its quantiles are within [`RELATIVE_ERROR`]: its sketch never had to be made coarser.
    pub fn is_precise(&self) -> bool {
        self.sketch.level() == 0
    }

    /// Makes its sketch coarser by one level, to take less room.
    pub(crate) fn coarsen(&mut self) {
        self.sketch.coarsen_to(self.sketch.level() + 1);
    }

    /// Takes the sum of `other`, for tests that compare everything else.
    #[cfg(test)]
    pub(crate) fn take_sum(&mut self, other: &Self) {
        self.sum = other.sum;
    }

    fn widen(&mut self, min: f64, max: f64) {
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    /// Takes over `value` as the last where `at` is greater. Two values of one report and series cannot be told
    /// apart by it, then the greater value is the last, so that order does not matter.
    fn succeed(&mut self, value: f64, at: &SampleOrigin) {
        let order = at.cmp(&self.last_origin).then(value.total_cmp(&self.last));
        if order.is_gt() {
            self.last = value;
            self.last_origin.clone_from(at);
        }
    }

    /// How many samples it has, at least 1.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of its samples, held within what an `f64` can say.
    pub fn sum(&self) -> f64 {
        self.sum.total()
    }

    /// The sum of its samples with what an `f64` would round away, to be merged with others.
    pub fn compensated_sum(&self) -> &Sum {
        &self.sum
    }

    /// The arithmetic mean of its samples.
    pub fn average(&self) -> f64 {
        self.within_extremes(self.sum.divided_by(self.count))
    }

    /// Its smallest sample, exactly.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Its greatest sample, exactly.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The value of its last sample, exactly.
    pub fn last(&self) -> f64 {
        self.last
    }

    /// Where its last sample comes from.
    pub fn last_origin(&self) -> &SampleOrigin {
        &self.last_origin
    }

    /// The sample of rank `ceil(q * count)` in ascending order, counted from 1: nearest rank, no interpolation, the
    /// smallest sample that at least the part `q` of all samples lie at or below. Within [`RELATIVE_ERROR`] of that
    /// sample, exact at the lowest and the highest rank, 0 for one within [`ZERO_TOLERANCE`] of 0, and never outside the
    /// extremes. `q` is held within 0 to 1.
    pub fn quantile(&self, q: f64) -> f64 {
        let highest = self.count - 1;
        // A rank is a whole number, and a count is far below 2^53.
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).saturating_sub(1);
        if rank == 0 {
            return self.min;
        }
        if rank >= highest {
            return self.max;
        }
        self.within_extremes(self.sketch.value_at_rank(rank))
    }

    fn within_extremes(&self, value: f64) -> f64 {
        value.max(self.min).min(self.max)
    }
}

/// `-0.0` as `0.0`: they are equal, so which of them is the extreme would depend on the order of the samples.
fn without_negative_zero(value: f64) -> f64 {
    value + 0.0
}
