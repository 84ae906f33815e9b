//! Properties of buckets on random samples: exact quantiles, the sketch crate's own store, any order and grouping.

use proptest::prelude::*;
use sketches_ddsketch::{Config, DDSketch};

use super::*;

/// What floating point adds to the documented error.
const ROUNDING: f64 = 1e-9;
const QUANTILES: [f64; 9] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0];

fn at(time: i64, source: &str, hash: u64) -> SampleOrigin {
    SampleOrigin { time: TimestampMs::clamped(time), source: Arc::new(Source::new(source).unwrap()), hash }
}

fn bucket_of(samples: &[(f64, SampleOrigin)]) -> Bucket {
    let (first, rest) = samples.split_first().unwrap();
    let mut bucket = Bucket::of(first.0, &first.1);
    rest.iter().for_each(|(value, at)| bucket.add(*value, at));
    bucket
}

fn bucket_of_values(values: &[f64]) -> Bucket {
    bucket_of(&values.iter().map(|value| (*value, at(0, "s", 0))).collect::<Vec<_>>())
}

/// The sample of the nearest rank, from the samples themselves.
fn exact_quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((q * sorted.len() as f64).ceil() as usize).saturating_sub(1)]
}

fn assert_quantiles_are_accurate(bucket: &Bucket, values: &[f64]) {
    for q in QUANTILES {
        let (found, exact) = (bucket.quantile(q), exact_quantile(values, q));
        let off = (found - exact).abs();
        assert!(off <= exact.abs() * (RELATIVE_ERROR + ROUNDING), "q {q}: {found} for {exact}");
        assert!((bucket.min()..=bucket.max()).contains(&found), "q {q}: {found}");
    }
}

/// Whether two sums of `values` agree as documented on [`Sum`].
fn agree(left: f64, right: f64, values: &[f64]) -> bool {
    let absolute: f64 = values.iter().map(|value| value.abs()).sum();
    (left - right).abs() <= (left.abs() * 1e-9).max(absolute * 1e-20)
}

/// Values of both signs over eighteen decades, zeros, and clusters of near equals.
fn any_value() -> impl Strategy<Value = f64> {
    let wide = (-3.0..15.0_f64).prop_map(|exponent| 10_f64.powf(exponent));
    prop_oneof![
        4 => wide.clone(),
        2 => wide.prop_map(|value| -value),
        1 => Just(0.0),
        2 => 99.0..101.0_f64,
        1 => (-5_i32..5).prop_map(f64::from),
    ]
}

fn any_samples() -> impl Strategy<Value = Vec<(f64, SampleOrigin)>> {
    let any_at = (0..40_i64, "[abc]", 0..3_u64).prop_map(|(time, source, hash)| at(time, &source, hash));
    prop::collection::vec((any_value(), any_at), 1..300)
}

#[test]
fn the_last_value_has_the_greatest_time_source_and_hash() {
    let samples = [
        (1.0, at(2, "b", 1)),
        (2.0, at(2, "b", 3)),
        (3.0, at(2, "b", 2)),
        (4.0, at(2, "a", 9)),
        (5.0, at(1, "c", 9)),
    ];
    let bucket = bucket_of(&samples);
    assert_eq!(bucket.last(), 2.0);
    assert_eq!(bucket.last_origin(), &at(2, "b", 3));
}

#[test]
fn a_constant_series_has_exact_quantiles() {
    for (value, count) in [(61.5, 1), (25_274_793_984.0, 100)] {
        let bucket = bucket_of_values(&vec![value; count]);
        assert_eq!((bucket.count(), bucket.sum()), (count as u64, value * count as f64));
        assert_eq!([bucket.min(), bucket.max(), bucket.average(), bucket.last()], [value; 4]);
        assert_eq!(QUANTILES.map(|q| bucket.quantile(q)), [value; QUANTILES.len()]);
    }
}

#[test]
fn extreme_floats_keep_all_figures_finite() {
    let values = [f64::MAX, f64::MAX, f64::MAX, f64::MIN, 5e-324, -0.0, f64::MAX];
    let bucket = bucket_of_values(&values);
    assert_eq!((bucket.sum(), bucket.min(), bucket.max()), (f64::MAX, f64::MIN, f64::MAX));
    assert!((bucket.average() / (f64::MAX / 7.0 * 3.0) - 1.0).abs() < 1e-12);
    assert!(QUANTILES.iter().all(|q| bucket.quantile(*q).is_finite()));
}

#[test]
fn negative_zero_equals_zero() {
    let (there, back) = (bucket_of_values(&[0.0, -0.0]), bucket_of_values(&[-0.0, 0.0]));
    assert_eq!(there, back);
    assert!(
        [there.min(), there.max(), there.last(), there.sum()].iter().all(|value| value.is_sign_positive())
    );
}

#[test]
fn percentiles_of_few_samples_are_samples() {
    let few = bucket_of_values(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!([0.0, 0.25, 0.95, 0.99, 1.0].map(|q| few.quantile(q)), [1.0, 1.0, 4.0, 4.0, 4.0]);
    assert_eq!(bucket_of_values(&[19.0, 23.0]).quantile(0.95), 23.0);
}

proptest! {
    #[test]
    fn quantiles_are_within_one_percent_of_the_nearest_rank(values in prop::collection::vec(any_value(), 1..500)) {
        assert_quantiles_are_accurate(&bucket_of_values(&values), &values);
    }

    #[test]
    fn the_sketch_agrees_with_the_crates_own_store(values in prop::collection::vec(any_value(), 1..300)) {
        // Bins for 35 decades: the crate's default of 2,048 would merge the lowest of these eighteen.
        let mut reference = DDSketch::new(Config::new(RELATIVE_ERROR, 4_096, ZERO_TOLERANCE));
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| { reference.add(*value); sketch.add(*value) });
        for q in [0.01, 0.25, 0.5, 0.75, 0.95, 0.99] {
            let rank = (q * (values.len() - 1) as f64) as u64;
            prop_assert_eq!(Some(sketch.value_at_rank(rank)), reference.quantile(q).unwrap());
        }
    }

    #[test]
    fn any_order_and_grouping_gives_the_same_bucket(
        samples in any_samples(),
        order in any::<prop::sample::Index>(),
        groups in prop::collection::vec(0..6_usize, 300),
        merges in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 6),
    ) {
        let whole = bucket_of(&samples);
        let mut turned = samples.clone();
        turned.rotate_left(order.index(samples.len()));
        turned.reverse();
        let mut parts: Vec<Bucket> = (0..6).filter_map(|group| {
            let chosen = turned.iter().zip(&groups).filter(|(_, of)| **of == group);
            let members: Vec<_> = chosen.map(|(sample, _)| sample.clone()).collect();
            (!members.is_empty()).then(|| bucket_of(&members))
        }).collect();
        for (left, right) in merges {
            if parts.len() > 1 {
                let taken = parts.remove(left.index(parts.len()));
                let into = right.index(parts.len());
                parts[into].merge(&taken);
            }
        }
        let mut merged = parts.remove(0);
        parts.iter().for_each(|part| merged.merge(part));

        let values: Vec<f64> = samples.iter().map(|(value, _)| *value).collect();
        prop_assert!(agree(merged.sum(), whole.sum(), &values), "{} {}", merged.sum(), whole.sum());
        assert_quantiles_are_accurate(&merged, &values);
        merged.sum = whole.sum;
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn merging_commutes(left in any_samples(), right in any_samples()) {
        let (left, right) = (bucket_of(&left), bucket_of(&right));
        let (mut there, mut back) = (left.clone(), right.clone());
        there.merge(&right);
        back.merge(&left);
        let absolute = left.max().abs().max(left.min().abs()) + right.max().abs().max(right.min().abs());
        prop_assert!(agree(there.sum(), back.sum(), &[absolute]));
        back.sum = there.sum;
        prop_assert_eq!(there, back);
    }

    #[test]
    fn sum_count_and_average_match_the_samples(whole in prop::collection::vec(-1_000_000_i64..1_000_000, 1..300)) {
        // Whole numbers of this size add up exactly, so the naive sum is the true one.
        let values: Vec<f64> = whole.iter().map(|value| *value as f64).collect();
        let bucket = bucket_of_values(&values);
        let (sum, count) = (whole.iter().sum::<i64>() as f64, values.len());
        prop_assert_eq!((bucket.sum(), bucket.count()), (sum, count as u64));
        prop_assert!((bucket.average() - sum / count as f64).abs() <= (sum.abs() * 1e-15));
    }
}
