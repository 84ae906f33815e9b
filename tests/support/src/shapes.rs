//! Values that are difficult for a quantile sketch, and a comparison of its percentiles with the exact ones.

use nsl_domain::bucket::Bucket;
use nsl_domain::report::Document;
use serde_json::{Map, json};

/// Names of the shapes, in the order of [`Shapes::next_values`].
pub const SHAPES: [&str; 6] = ["bimodal", "heavy-tailed", "constant", "negative", "zero", "of both signs"];

/// The percentiles that are compared.
const QUANTILES: [f64; 6] = [0.01, 0.25, 0.5, 0.95, 0.99, 0.999];

/// The documented relative error, and what rounding may add.
const RELATIVE_ERROR: f64 = 0.01 + 1e-9;

/// Draws values of each shape, the same in every run.
#[derive(Debug)]
pub struct Shapes {
    rng: fastrand::Rng,
}

impl Default for Shapes {
    fn default() -> Self {
        Self { rng: fastrand::Rng::with_seed(7) }
    }
}

impl Shapes {
    /// The next value of each shape.
    pub fn next_values(&mut self) -> [f64; 6] {
        let bimodal = if self.rng.f64() < 0.5 { 1.0 + self.rng.f64() } else { 1e6 + 1e3 * self.rng.f64() };
        let heavy = (1.0 - self.rng.f64()).max(1e-12).powf(-2.0);
        let negative = -(self.rng.f64() * 20.0).exp();
        let both = (self.rng.f64() - 0.5) * (self.rng.f64() * 12.0).exp();
        [bimodal, heavy, 42.195, negative, 0.0, both]
    }
}

/// The document of such values.
pub fn document(values: [f64; 6]) -> Document {
    let members = SHAPES.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value)));
    Document::accept(&serde_json::to_string(&Map::from_iter(members)).unwrap()).unwrap()
}

/// Asserts that the percentiles of `whole` are within the documented error of the exact ones; returns the greatest
/// relative error.
pub fn assert_accurate_percentiles(name: &str, whole: &Bucket, mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    assert_eq!(whole.count(), values.len() as u64, "{name}");
    let error = |q: &f64| {
        let exact = values[(q * values.len() as f64).ceil() as usize - 1];
        let off = (whole.quantile(*q) - exact).abs();
        if off == 0.0 { 0.0 } else { off / exact.abs() }
    };
    let greatest = QUANTILES.iter().map(error).fold(0.0, f64::max);
    assert!(greatest <= RELATIVE_ERROR, "{name}: {greatest}");
    greatest
}
