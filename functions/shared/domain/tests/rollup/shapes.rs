//! Values that are meant to hurt a quantile sketch, and how far its percentiles are from the exact ones.

use nsl_domain::bucket::Bucket;
use nsl_domain::report::Document;
use serde_json::{Map, json};

/// Names of the shapes, in the order of [`Shapes::next_values`].
pub(crate) const SHAPES: [&str; 6] =
    ["bimodal", "heavy-tailed", "constant", "negative", "zero", "of both signs"];

/// The percentiles that are compared.
const QUANTILES: [f64; 6] = [0.01, 0.25, 0.5, 0.95, 0.99, 0.999];

/// The promise, as a part of the exact value, and what rounding may add.
const RELATIVE_ERROR: f64 = 0.01 + 1e-9;

/// The shapes in the course of being drawn, the same in every run.
pub(crate) struct Shapes {
    seed: u64,
}

impl Shapes {
    pub(crate) fn new() -> Self {
        Self { seed: 7 }
    }

    /// A number from 0 to 1 (Knuth's MMIX generator; its high bits are good enough for shapes).
    fn chance(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next value of each shape.
    pub(crate) fn next_values(&mut self) -> [f64; 6] {
        let bimodal = if self.chance() < 0.5 { 1.0 + self.chance() } else { 1e6 + 1e3 * self.chance() };
        let heavy = (1.0 - self.chance()).max(1e-12).powf(-2.0);
        let negative = -(self.chance() * 20.0).exp();
        let both = (self.chance() - 0.5) * (self.chance() * 12.0).exp();
        [bimodal, heavy, 42.195, negative, 0.0, both]
    }
}

/// The document of such values.
pub(crate) fn document(values: [f64; 6]) -> Document {
    let members = SHAPES.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value)));
    Document::accept(&serde_json::to_string(&Map::from_iter(members)).unwrap()).unwrap()
}

/// The greatest error of the percentiles of `whole`, as a part of the exact ones, held to the promise.
pub(crate) fn greatest_error(name: &str, whole: &Bucket, mut values: Vec<f64>) -> f64 {
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
