//! Encodes a rollup, and shrinks it first if it would not fit an item.
//!
//! The bytes are not compressed any further: what is left after these codes is noise, and a general compressor would
//! make it longer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bits::{BitWriter, golomb_width};
use super::encode_error::EncodeError;
use super::format::{
    COUNT_ORDER_WIDTH, ENCODING, GAP_ORDER_WIDTH, HASH_WIDTH, LAST_IS_MAX, LAST_IS_MIN, LAST_IS_OWN,
    LAST_WIDTH, MAX_BYTES, check_of, order,
};
use super::{Rollup, names, number};
use crate::bucket::{Bucket, SampleOrigin, Sketch, Sum};
use crate::ids::Source;
use crate::time::TimestampMs;

/// Sketches of at most this many bins are not coarsened: little would be saved.
const MIN_COARSENED_BINS: usize = 32;

impl Rollup {
    /// Its bytes, at most [`MAX_BYTES`].
    ///
    /// Where there would be more, the rollup is made smaller first: the sketches are coarsened level by level, then the
    /// series that are last by name are dropped and the rollup marked as truncated.
    ///
    /// # Errors
    /// [`EncodeError`] if the rollup contradicts itself; the bytes would decode to something else.
    pub fn to_bytes(&mut self) -> Result<Vec<u8>, EncodeError> {
        loop {
            let bytes = encode(self)?;
            if bytes.len() <= MAX_BYTES {
                return Ok(bytes);
            }
            if !self.coarsen() {
                // A tenth below the target, so that a few rounds are enough.
                self.truncate(self.series.len() * MAX_BYTES / bytes.len() * 9 / 10);
            }
        }
    }

    /// Coarsens the large sketches by one level; whether there were any.
    fn coarsen(&mut self) -> bool {
        let is_large = |bucket: &Bucket| bin_count(bucket.sketch()) > MIN_COARSENED_BINS;
        let mut large: Vec<&mut Bucket> =
            self.series.values_mut().filter(|bucket| is_large(bucket)).collect();
        large.iter_mut().for_each(|bucket| bucket.coarsen());
        !large.is_empty()
    }
}

fn bin_count(sketch: &Sketch) -> usize {
    sketch.bins().iter().map(|bins| bins.len()).sum()
}

fn encode(rollup: &Rollup) -> Result<Vec<u8>, EncodeError> {
    let mut bits = BitWriter::default();
    bits.put(u64::from(ENCODING), u8::BITS);
    bits.golomb(rollup.reports, order::REPORTS);
    bits.flag(rollup.is_truncated);
    let origins: BTreeSet<&SampleOrigin> = rollup.series.values().map(Bucket::last_origin).collect();
    let origins: Vec<&SampleOrigin> = origins.into_iter().collect();
    let sources = write_sources(&mut bits, rollup, &origins);
    bits.golomb(origins.len() as u64, order::ORIGINS);
    for origin in &origins {
        write_origin(&mut bits, origin, rollup.span.start(), &sources)?;
    }
    bits.golomb(rollup.series.len() as u64, order::SERIES);
    let mut previous = "";
    for (name, bucket) in &rollup.series {
        names::write(&mut bits, name, previous);
        write_bucket(&mut bits, bucket, rollup.reports, &origins)?;
        previous = name;
    }
    let mut bytes = bits.finish();
    bytes.extend(check_of(&bytes));
    Ok(bytes)
}

/// Writes the sources that the rollup lists and those that only a last value refers to, each marked as one or the
/// other.
fn write_sources<'r>(
    bits: &mut BitWriter,
    rollup: &'r Rollup,
    origins: &[&'r SampleOrigin],
) -> Vec<&'r Source> {
    let mut sources: BTreeSet<&Source> = rollup.sources.names.iter().map(Arc::as_ref).collect();
    sources.extend(origins.iter().map(|origin| origin.source.as_ref()));
    bits.flag(rollup.sources.has_more);
    bits.golomb(sources.len() as u64, order::SOURCES);
    let mut previous = "";
    for source in &sources {
        let name = source.as_str();
        let shared = name.bytes().zip(previous.bytes()).take_while(|(left, right)| left == right).count();
        bits.flag(rollup.sources.names.contains(*source));
        bits.golomb(shared as u64, order::SOURCE);
        // `shared` bytes are there, and ids are ASCII, so the cut is between two characters.
        names::write_text(bits, name.get(shared..).unwrap_or_default());
        previous = name;
    }
    sources.into_iter().collect()
}

fn write_origin(
    bits: &mut BitWriter,
    origin: &SampleOrigin,
    start: TimestampMs,
    sources: &[&Source],
) -> Result<(), EncodeError> {
    bits.signed_golomb(origin.time.ms_since(start), order::TIME);
    let index = sources.binary_search(&origin.source.as_ref()).map_err(|_| EncodeError::SourceNotListed)?;
    bits.golomb(index as u64, order::SOURCE);
    bits.put(origin.hash, HASH_WIDTH);
    Ok(())
}

fn write_bucket(
    bits: &mut BitWriter,
    bucket: &Bucket,
    reports: u64,
    origins: &[&SampleOrigin],
) -> Result<(), EncodeError> {
    bits.flag(bucket.count() == reports);
    if bucket.count() != reports {
        bits.golomb(bucket.count(), order::COUNT);
    }
    let index = origins.binary_search(&bucket.last_origin()).map_err(|_| EncodeError::OriginNotListed)?;
    bits.golomb(index as u64, order::ORIGINS);
    let is_constant = bucket.min() == bucket.max();
    bits.flag(is_constant);
    number::write(bits, bucket.min());
    if !is_constant {
        number::write(bits, bucket.max());
        write_last(bits, bucket);
    }
    write_sum(bits, bucket, is_constant);
    write_sketch(bits, bucket, is_constant)
}

fn write_last(bits: &mut BitWriter, bucket: &Bucket) {
    let last = bucket.last();
    if last == bucket.max() {
        bits.put(LAST_IS_MAX, LAST_WIDTH);
    } else if last == bucket.min() {
        bits.put(LAST_IS_MIN, LAST_WIDTH);
    } else {
        bits.put(LAST_IS_OWN, LAST_WIDTH);
        number::write(bits, last);
    }
}

/// Writes the sum: only a flag if it is exactly the count times the one value, as for whole numbers.
fn write_sum(bits: &mut BitWriter, bucket: &Bucket, is_constant: bool) {
    let sum = bucket.compensated_sum();
    if is_constant {
        let is_product = sum.is_bitwise_equal(&Sum::of_repeated(bucket.min(), bucket.count()));
        bits.flag(is_product);
        if is_product {
            return;
        }
    }
    let [rounded, rest] = sum.parts();
    let unscaled = Sum::unscaled(rounded);
    bits.flag(unscaled.is_some());
    number::write(bits, unscaled.unwrap_or(rounded));
    bits.flag(rest.to_bits() == 0);
    if rest.to_bits() != 0 {
        number::write(bits, rest);
    }
}

/// Writes the bins. A constant has one bin, or none near zero; the count of zeros is what the bins leave of the total.
fn write_sketch(bits: &mut BitWriter, bucket: &Bucket, is_constant: bool) -> Result<(), EncodeError> {
    let sketch = bucket.sketch();
    bits.golomb(u64::from(sketch.level()), order::LEVEL);
    let [negative, positive] = sketch.bins();
    if is_constant {
        if let Some((bin, _)) = negative.iter().chain(positive).next() {
            bits.signed_golomb(i64::from(*bin), order::FIRST_BIN);
        }
        return Ok(());
    }
    write_bins(bits, negative)?;
    write_bins(bits, positive)
}

fn write_bins(bits: &mut BitWriter, bins: &[(i32, u64)]) -> Result<(), EncodeError> {
    bits.golomb(bins.len() as u64, order::BINS);
    let Some((first, _)) = bins.first() else {
        return Ok(());
    };
    let is_ascending = bins.is_sorted_by(|(left, _), (right, _)| left < right);
    if !is_ascending || bins.iter().any(|(_, count)| *count == 0) {
        return Err(EncodeError::InvalidBins);
    }
    let gaps = || bins.iter().zip(bins.iter().skip(1)).map(|((left, _), (right, _))| gap(*left, *right));
    let counts = || bins.iter().map(|(_, count)| count - 1);
    let (count_order, gap_order) = (best_order(counts, COUNT_ORDER_WIDTH), best_order(gaps, GAP_ORDER_WIDTH));
    bits.signed_golomb(i64::from(*first), order::FIRST_BIN);
    bits.put(u64::from(count_order), COUNT_ORDER_WIDTH);
    if bins.len() > 1 {
        bits.put(u64::from(gap_order), GAP_ORDER_WIDTH);
    }
    let mut gaps = gaps();
    for count in counts() {
        bits.golomb(count, count_order);
        if let Some(gap) = gaps.next() {
            bits.golomb(gap, gap_order);
        }
    }
    Ok(())
}

/// How many empty bins lie between two ascending ones.
fn gap(left: i32, right: i32) -> u64 {
    u64::from(left.abs_diff(right).saturating_sub(1))
}

/// The order, below 2^`width`, in which `values` take the fewest bits.
fn best_order<N: Iterator<Item = u64>>(values: impl Fn() -> N, width: u32) -> u32 {
    let bits_in = |order: &u32| values().map(|value| u64::from(golomb_width(value, *order))).sum::<u64>();
    (0..1 << width).min_by_key(bits_in).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_or_not_ascending_is_an_error() {
        let source = |name: &str| Arc::new(Source::new(name).unwrap());
        let origin = SampleOrigin { time: TimestampMs::clamped(0), source: source("b"), hash: 1 };
        let bucket = Bucket::of(1.0, &origin);
        let mut bits = BitWriter::default();
        for listed in [vec![], vec![source("a")], vec![source("a"), source("c")]] {
            let listed: Vec<&Source> = listed.iter().map(Arc::as_ref).collect();
            let written = write_origin(&mut bits, &origin, origin.time, &listed);
            assert_eq!(written, Err(EncodeError::SourceNotListed));
            let others: Vec<SampleOrigin> = listed
                .iter()
                .map(|name| SampleOrigin { source: source(name.as_str()), ..origin.clone() })
                .collect();
            let others: Vec<&SampleOrigin> = others.iter().collect();
            assert_eq!(write_bucket(&mut bits, &bucket, 1, &others), Err(EncodeError::OriginNotListed));
        }
        assert_eq!(write_bucket(&mut bits, &bucket, 1, &[&origin]), Ok(()));
        for bins in [[(2, 1), (1, 1)], [(1, 1), (1, 1)], [(1, 1), (2, 0)]] {
            assert_eq!(write_bins(&mut bits, &bins), Err(EncodeError::InvalidBins));
        }
    }
}
