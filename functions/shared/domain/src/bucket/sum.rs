//! A compensated sum: hardly depends on the order of values, and never overflows.
//!
//! Neumaier's algorithm (Zeitschrift für Angewandte Mathematik und Mechanik 54, 1974) keeps in a second number what
//! each addition rounds away.

/// Sums are stored divided by this, 2^64: no count of finite values overflows, and a power of two costs no precision
/// (above 1e-289).
const SCALE: f64 = 18_446_744_073_709_551_616.0;

/// A sum of finite values. Two sums of the same values, added in any order and grouping, agree within 1e-9 of their
/// total, unless the values cancel out to less than 1e-11 of their absolute total.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    rounded: f64,
    rest: f64,
}

impl Sum {
    /// Adds one finite value.
    pub fn add(&mut self, value: f64) {
        self.add_scaled(value / SCALE);
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.add_scaled(other.rounded);
        self.rest += other.rest;
    }

    /// The rounded sum and what was rounded away, both divided by 2^64.
    pub(crate) fn parts(&self) -> [f64; 2] {
        [self.rounded, self.rest]
    }

    /// The sum of these parts.
    pub(crate) fn from_parts([rounded, rest]: [f64; 2]) -> Self {
        Self { rounded, rest }
    }

    /// `count` times `value`, which equals adding it that often if nothing is rounded, as for whole numbers.
    pub(crate) fn of_repeated(value: f64, count: u64) -> Self {
        Self { rounded: value / SCALE * count as f64, rest: 0.0 }
    }

    /// Whether both have the same bits.
    pub(crate) fn is_bitwise_equal(&self, other: &Self) -> bool {
        self.parts().map(f64::to_bits) == other.parts().map(f64::to_bits)
    }

    /// A part multiplied by 2^64, if [`Self::scaled`] restores it exactly.
    pub(crate) fn unscaled(part: f64) -> Option<f64> {
        let value = part * SCALE;
        (value.is_finite() && Self::scaled(value).to_bits() == part.to_bits()).then_some(value)
    }

    /// `value` divided by 2^64.
    pub(crate) fn scaled(value: f64) -> f64 {
        value / SCALE
    }

    fn add_scaled(&mut self, value: f64) {
        let total = self.rounded + value;
        self.rest += if self.rounded.abs() >= value.abs() {
            (self.rounded - total) + value
        } else {
            (value - total) + self.rounded
        };
        self.rounded = total;
    }

    /// The total, clamped to the range of `f64`.
    pub fn total(&self) -> f64 {
        ((self.rounded + self.rest) * SCALE).clamp(f64::MIN, f64::MAX)
    }

    /// The total divided by `count`, the number of values: finite even if the total overflows.
    pub fn divided_by(&self, count: u64) -> f64 {
        (self.rounded + self.rest) / count as f64 * SCALE
    }
}
