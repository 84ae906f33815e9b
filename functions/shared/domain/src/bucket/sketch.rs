//! A DDSketch: counts of values in bins that grow by a constant factor, one set of bins for each sign.
//!
//! Only the mapping between values and bins is that of `sketches-ddsketch` (its `Config`). Its store (0.4.2) is dense:
//! 1 KB for one value, 16 KB for two far apart; it merges its lowest bins beyond 17.8 decades, and its encoding merges
//! with few other sketches. Sparse bins take 16 bytes each and never lose a rank.

use std::sync::LazyLock;

use sketches_ddsketch::Config;

/// Greatest relative distance of a quantile from the sample of its rank (docs/SEMANTICS.md, "Accuracy").
pub const RELATIVE_ERROR: f64 = 0.01;

/// Values this close to 0, inclusive, count as 0: otherwise each rounding residue like `1e-17` would get a bin.
pub const ZERO_TOLERANCE: f64 = 1e-9;

/// A limit for the crate's own store, which is not used.
const UNUSED_BIN_LIMIT: u32 = 2_048;

static BINS: LazyLock<Config> =
    LazyLock::new(|| Config::new(RELATIVE_ERROR, UNUSED_BIN_LIMIT, ZERO_TOLERANCE));

/// Most times that a sketch is coarsened: then one bin contains every `f64` of a sign above 1.
pub(crate) const MAX_LEVEL: u8 = 16;

/// How many values fell into each bin. The same values give equal sketches in any order and grouping. It has at most
/// as many bins as values, and at most 36,600 of each sign.
///
/// A sketch that is too large to store is coarsened: two neighbouring bins become one, which about doubles the relative
/// error at all ranks (the uniform collapse of Epicoco, Melle, Cafaro and Pulimeno, "UDDSketch", 2020). When two
/// sketches are merged, the finer one is coarsened first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    level: u8,
    negative: Bins,
    zeros: u64,
    positive: Bins,
}

impl Sketch {
    /// Counts one finite value.
    pub fn add(&mut self, value: f64) {
        if value > ZERO_TOLERANCE {
            self.positive.add(BINS.key(value) >> self.level);
        } else if value < -ZERO_TOLERANCE {
            self.negative.add(BINS.key(-value) >> self.level);
        } else {
            self.zeros += 1;
        }
    }

    /// Counts all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.coarsen_to(other.level);
        if other.level < self.level {
            let mut coarse = other.clone();
            coarse.coarsen_to(self.level);
            return self.merge(&coarse);
        }
        self.negative.merge(&other.negative);
        self.zeros += other.zeros;
        self.positive.merge(&other.positive);
    }

    /// Makes bins `2^level` times as wide as the finest, if they are not that wide already.
    pub(crate) fn coarsen_to(&mut self, level: u8) {
        let steps = level.min(MAX_LEVEL).saturating_sub(self.level);
        if steps > 0 {
            self.level += steps;
            self.negative.coarsen(steps);
            self.positive.coarsen(steps);
        }
    }

    /// How often it was coarsened: at 0 the error is [`RELATIVE_ERROR`], and each level about doubles it.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Bins of the absolute values below zero and of the values above, ascending, with their counts.
    pub(crate) fn bins(&self) -> [&[(i32, u64)]; 2] {
        [&self.negative.0, &self.positive.0]
    }

    /// The sketch of these bins, both ascending, without empty ones.
    pub(crate) fn from_parts(level: u8, [negative, positive]: [Vec<(i32, u64)>; 2], zeros: u64) -> Self {
        Self { level, negative: Bins(negative), zeros, positive: Bins(positive) }
    }

    /// The representative value of the bin of the `rank`-th smallest value, from 0; past the last rank that of the
    /// last. It may lie up to [`RELATIVE_ERROR`] beyond any added value, and be infinite if values come close to
    /// the largest `f64`.
    pub fn value_at_rank(&self, rank: u64) -> f64 {
        let negatives = self.negative.count();
        if rank < negatives {
            return -self.negative.value_at_rank(negatives - 1 - rank, self.level);
        }
        match (rank - negatives).checked_sub(self.zeros) {
            None => 0.0,
            Some(rank) => self.positive.value_at_rank(rank, self.level),
        }
    }
}

/// The representative value of `bin`: at the same relative distance from both bounds.
fn value_of(bin: i32, level: u8) -> f64 {
    if level == 0 {
        return BINS.value(bin);
    }
    let growth = BINS.pow_gamma(1 << level);
    let lower = BINS.pow_gamma(bin.saturating_mul(1 << level));
    if growth.is_finite() { lower * (2.0 * growth / (1.0 + growth)) } else { lower * 2.0 }
}

/// Counts by bin of the absolute values of one sign, ascending by bin, none of them 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bins(Vec<(i32, u64)>);

impl Bins {
    fn add(&mut self, bin: i32) {
        match self.0.binary_search_by_key(&bin, |(other, _)| *other) {
            Ok(index) => self.0.get_mut(index).into_iter().for_each(|(_, count)| *count += 1),
            Err(index) => self.0.insert(index, (bin, 1)),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
        // A stable sort merges two sorted runs in linear time.
        self.0.sort_by_key(|(bin, _)| *bin);
        self.unite_equal();
    }

    /// Makes each run of entries for the same bin one entry.
    fn unite_equal(&mut self) {
        self.0.dedup_by(|(bin, count), (kept, total)| {
            *total += if bin == kept { *count } else { 0 };
            bin == kept
        });
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Merges each `2^steps` neighbouring bins into one.
    fn coarsen(&mut self, steps: u8) {
        self.0.iter_mut().for_each(|(bin, _)| *bin >>= steps);
        self.unite_equal();
    }

    fn value_at_rank(&self, rank: u64, level: u8) -> f64 {
        let mut counted = 0;
        for (bin, count) in &self.0 {
            counted += count;
            if counted > rank {
                return value_of(*bin, level);
            }
        }
        self.0.last().map_or(0.0, |(bin, _)| value_of(*bin, level))
    }
}
