//! A rollup as bytes.
//!
//! Owns the writing half of the encoding and the promise that it fits an item: sketches are coarsened, then series left
//! out, and both are told. Refuses to compress any further: what is left after these codes is noise, of which a general
//! compressor takes less than it adds. Ruled by docs/ROLLUP_ENCODING.md.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::bits::{BitWriter, golomb_width};
use super::{Rollup, names, number};
use crate::bucket::{Bucket, SampleOrigin, Sketch, Sum};
use crate::ids::Source;
use crate::time::TimestampMs;

/// Version of the encoding, the first byte. Any change to what these files write is another version.
pub const ENCODING: u8 = 1;

/// Most bytes of one rollup. DynamoDB takes 400 KB of an item; a third of it is a hundred times an hour of the
/// library's series, and bounds what a query of a week reads and what a hostile publisher makes its owner pay.
pub const MAX_BYTES: usize = 128 * 1_024;

/// Bytes of the SHA-256 that close a rollup, so that garbage and damage are told from data.
pub(super) const CHECK_BYTES: usize = 4;

/// Sketches of at most this many bins are not coarsened: little would be won.
const MIN_COARSENED_BINS: usize = 32;

/// Orders of the Exp-Golomb codes, by what they count. The unit is the bit: 2^order is about what is usual.
pub(super) mod order {
    pub(crate) const REPORTS: u32 = 10;
    pub(crate) const SOURCES: u32 = 1;
    pub(crate) const LAST_PLACES: u32 = 0;
    pub(crate) const TIME: u32 = 16;
    pub(crate) const SOURCE: u32 = 1;
    pub(crate) const SERIES: u32 = 5;
    pub(crate) const COUNT: u32 = 8;
    pub(crate) const LEVEL: u32 = 0;
    pub(crate) const BINS: u32 = 4;
    pub(crate) const FIRST_BIN: u32 = 9;
}

/// Bits that tell the order of the counts of a sketch's bins, and that of the gaps between them.
pub(super) const COUNT_ORDER_WIDTH: u32 = 5;
pub(super) const GAP_ORDER_WIDTH: u32 = 3;

/// Bits of the hash of a report.
pub(super) const HASH_WIDTH: u32 = 64;

/// Where the last value of a series is found: at its maximum (rising counters), at its minimum, or on its own.
pub(super) const LAST_WIDTH: u32 = 2;
pub(super) const LAST_IS_MAX: u64 = 0;
pub(super) const LAST_IS_MIN: u64 = 1;
pub(super) const LAST_IS_OWN: u64 = 2;

impl Rollup {
    /// Its bytes, at most [`MAX_BYTES`]. Where they would be more, it is made smaller first, which it then tells: the
    /// sketches are coarsened step by step, and in the end the series that are last by name left out.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        loop {
            let bytes = written(self);
            if bytes.len() <= MAX_BYTES {
                return bytes;
            }
            if !self.coarsen() {
                // Some more than the surplus goes, so that a few rounds are enough.
                self.cut_to(self.series.len() * MAX_BYTES / bytes.len() * 9 / 10);
            }
        }
    }

    /// Coarsens the sketches by one level and tells whether any had bins enough for it to matter.
    fn coarsen(&mut self) -> bool {
        let is_wide = |bucket: &Bucket| bin_count(bucket.sketch()) > MIN_COARSENED_BINS;
        let mut wide: Vec<&mut Bucket> = self.series.values_mut().filter(|bucket| is_wide(bucket)).collect();
        wide.iter_mut().for_each(|bucket| bucket.coarsen());
        !wide.is_empty()
    }
}

fn bin_count(sketch: &Sketch) -> usize {
    sketch.bins().iter().map(|bins| bins.len()).sum()
}

fn written(rollup: &Rollup) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(u64::from(ENCODING), u8::BITS);
    bits.golomb(rollup.reports, order::REPORTS);
    bits.flag(rollup.is_truncated);
    let last_places: BTreeSet<&SampleOrigin> = rollup.series.values().map(Bucket::last_origin).collect();
    let last_places: Vec<&SampleOrigin> = last_places.into_iter().collect();
    let sources = write_sources(&mut bits, rollup, &last_places);
    bits.golomb(last_places.len() as u64, order::LAST_PLACES);
    for at in &last_places {
        write_at(&mut bits, at, rollup.span.start(), &sources);
    }
    bits.golomb(rollup.series.len() as u64, order::SERIES);
    let mut before = "";
    for (name, bucket) in &rollup.series {
        names::write(&mut bits, name, before);
        let place = last_places.binary_search(&bucket.last_origin()).unwrap_or_default();
        write_bucket(&mut bits, bucket, rollup.reports, place);
        before = name;
    }
    let mut bytes = bits.finish();
    bytes.extend(check_of(&bytes));
    bytes
}

/// What closes a rollup of these bytes.
pub(super) fn check_of(bytes: &[u8]) -> impl Iterator<Item = u8> + use<> {
    <[u8; 32]>::from(Sha256::digest(bytes)).into_iter().take(CHECK_BYTES)
}

/// Writes the sources that the rollup names and, each with a mark, those that only a last value needs.
fn write_sources<'r>(
    bits: &mut BitWriter,
    rollup: &'r Rollup,
    last_places: &[&'r SampleOrigin],
) -> Vec<&'r Source> {
    let mut sources: BTreeSet<&Source> = rollup.sources.names.iter().map(Arc::as_ref).collect();
    sources.extend(last_places.iter().map(|at| at.source.as_ref()));
    bits.flag(rollup.sources.has_more);
    bits.golomb(sources.len() as u64, order::SOURCES);
    let mut before = "";
    for source in &sources {
        let name = source.as_str();
        let shared = name.bytes().zip(before.bytes()).take_while(|(left, right)| left == right).count();
        bits.flag(rollup.sources.names.contains(*source));
        bits.golomb(shared as u64, order::SOURCE);
        // Ids are ASCII, so any cut is between two characters.
        names::write_text(bits, name.get(shared..).unwrap_or_default());
        before = name;
    }
    sources.into_iter().collect()
}

fn write_at(bits: &mut BitWriter, at: &SampleOrigin, start: TimestampMs, sources: &[&Source]) {
    bits.signed_golomb(at.time.ms_since(start), order::TIME);
    let place = sources.binary_search(&at.source.as_ref()).unwrap_or_default();
    bits.golomb(place as u64, order::SOURCE);
    bits.put(at.hash, HASH_WIDTH);
}

fn write_bucket(bits: &mut BitWriter, bucket: &Bucket, reports: u64, place: usize) {
    bits.flag(bucket.count() == reports);
    if bucket.count() != reports {
        bits.golomb(bucket.count(), order::COUNT);
    }
    bits.golomb(place as u64, order::LAST_PLACES);
    let is_constant = bucket.min() == bucket.max();
    bits.flag(is_constant);
    number::write(bits, bucket.min());
    if !is_constant {
        number::write(bits, bucket.max());
        write_last(bits, bucket);
    }
    write_sum(bits, bucket, is_constant);
    write_sketch(bits, bucket, is_constant);
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

/// Writes the sum: nothing but a mark where it is the count times the one value, as that of whole numbers is.
fn write_sum(bits: &mut BitWriter, bucket: &Bucket, is_constant: bool) {
    let sum = bucket.compensated_sum();
    if is_constant {
        let is_product = sum.is_exactly(&Sum::of_repeated(bucket.min(), bucket.count()));
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

/// Writes the bins. Those of a constant are one, and the zeros are what the bins leave of the count.
fn write_sketch(bits: &mut BitWriter, bucket: &Bucket, is_constant: bool) {
    let sketch = bucket.sketch();
    bits.golomb(u64::from(sketch.level()), order::LEVEL);
    let [negative, positive] = sketch.bins();
    if is_constant {
        // A constant within the zero's reach has no bin.
        if let Some((bin, _)) = negative.iter().chain(positive).next() {
            bits.signed_golomb(i64::from(*bin), order::FIRST_BIN);
        }
        return;
    }
    write_bins(bits, negative);
    write_bins(bits, positive);
}

fn write_bins(bits: &mut BitWriter, bins: &[(i32, u64)]) {
    bits.golomb(bins.len() as u64, order::BINS);
    let Some((first, _)) = bins.first() else {
        return;
    };
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
}

/// How many bins lie between two.
fn gap(left: i32, right: i32) -> u64 {
    u64::try_from(i64::from(right) - i64::from(left) - 1).unwrap_or_default()
}

/// The order, of `width` bits, in which the numbers take the fewest bits.
fn best_order<N: Iterator<Item = u64>>(numbers: impl Fn() -> N, width: u32) -> u32 {
    let bits_in = |order: &u32| numbers().map(|number| u64::from(golomb_width(number, *order))).sum::<u64>();
    (0..1 << width).min_by_key(bits_in).unwrap_or_default()
}
