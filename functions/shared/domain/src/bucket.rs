//! Count, sum, minimum, maximum, last value and quantile sketch of one series over one span.

use std::collections::BTreeSet;
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

/// The report of a sample. The sample with the greatest `(time, source, hash)` is the last of its span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleOrigin {
    /// The timestamp of the report.
    pub time: TimestampMs,
    /// The source of the report; shared, because a report has many samples.
    pub source: Arc<Source>,
    /// First 64 bits of the SHA-256 of the report's document.
    pub hash: u64,
}

impl SampleOrigin {
    /// The origin of a report whose source is shared with the others in `sources`.
    pub(crate) fn sharing(
        sources: &mut BTreeSet<Arc<Source>>,
        time: TimestampMs,
        source: &Source,
        hash: u64,
    ) -> Self {
        let source = sources.get(source).map_or_else(|| Arc::new(source.clone()), Arc::clone);
        sources.insert(Arc::clone(&source));
        Self { time, source, hash }
    }
}

/// The samples of one series in one span, at least one.
///
/// Merging is commutative and associative and equals adding all samples to one bucket: exactly,
/// except for the sum, which agrees within a few roundings ([`Sum`]).
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

/// The fields of a decoded bucket.
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
    pub fn of(value: f64, origin: &SampleOrigin) -> Self {
        let value = without_negative_zero(value);
        let mut bucket = Self {
            count: 1,
            sum: Sum::default(),
            min: value,
            max: value,
            last: value,
            last_origin: origin.clone(),
            sketch: Sketch::default(),
        };
        bucket.sum.add(value);
        bucket.sketch.add(value);
        bucket
    }

    /// Adds one sample. `value` must be finite.
    pub fn add(&mut self, value: f64, origin: &SampleOrigin) {
        let value = without_negative_zero(value);
        self.count += 1;
        self.sum.add(value);
        self.widen(value, value);
        self.update_last(value, origin);
        self.sketch.add(value);
    }

    /// Adds all samples of `other`, which must not be included already.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.widen(other.min, other.max);
        self.update_last(other.last, &other.last_origin);
        self.sketch.merge(&other.sketch);
    }

    /// The bucket of these parts, or `None` if no samples could have produced them.
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

    /// Whether its quantiles are within [`RELATIVE_ERROR`]: its sketch was never coarsened.
    pub fn is_precise(&self) -> bool {
        self.sketch.level() == 0
    }

    /// Makes its sketch coarser by one level, which takes fewer bytes.
    pub(crate) fn coarsen(&mut self) {
        self.sketch.coarsen_to(self.sketch.level() + 1);
    }

    /// Copies the sum of `other`, for tests that compare everything else.
    #[cfg(test)]
    pub(crate) fn copy_sum(&mut self, other: &Self) {
        self.sum = other.sum;
    }

    fn widen(&mut self, min: f64, max: f64) {
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    /// Replaces the last value if `origin` is greater, or equal with a greater value: so the order of samples does
    /// not matter.
    fn update_last(&mut self, value: f64, origin: &SampleOrigin) {
        let order = origin.cmp(&self.last_origin).then(value.total_cmp(&self.last));
        if order.is_gt() {
            self.last = value;
            self.last_origin.clone_from(origin);
        }
    }

    /// How many samples it has, at least 1.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of its samples, clamped to the range of `f64`.
    pub fn sum(&self) -> f64 {
        self.sum.total()
    }

    /// The sum of its samples before rounding, to be merged with others.
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

    /// The report of its last sample.
    pub fn last_origin(&self) -> &SampleOrigin {
        &self.last_origin
    }

    /// The sample of rank `ceil(q * count)` in ascending order, counted from 1: nearest rank, no interpolation, the
    /// smallest sample that is greater than or equal to a fraction `q` of all samples. Within [`RELATIVE_ERROR`] of that
    /// sample, exact at the lowest and the highest rank, 0 for one within [`ZERO_TOLERANCE`] of 0, and never outside
    /// the extremes. `q` is clamped to 0 to 1.
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
