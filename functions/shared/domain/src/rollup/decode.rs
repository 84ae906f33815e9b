//! Decodes a rollup from bytes that may be damaged.
//!
//! Rejects bytes that the encoder does not write, and takes no more memory than the length of the input justifies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bits::BitReader;
use super::decode_error::DecodeError;
use super::format::{
    CHECK_BYTES, COUNT_ORDER_WIDTH, ENCODING, GAP_ORDER_WIDTH, HASH_WIDTH, LAST_IS_MAX, LAST_IS_MIN,
    LAST_IS_OWN, LAST_WIDTH, check_of, order,
};
use super::{Rollup, RollupSpan, Sources, names, number};
use crate::bucket::{Bucket, BucketParts, MAX_LEVEL, SampleOrigin, Sketch, Sum, ZERO_TOLERANCE};
use crate::ids::{MAX_ID_BYTES, Source};
use crate::time::TimestampMs;

/// Largest count of one rollup: far above what a write shard takes in a day, and below what overflows when all rollups of
/// a window are merged.
const MAX_COUNT: u64 = 1 << 48;

/// Bins of a sketch for which memory is reserved at once: most have fewer, and a forged length costs no more.
const RESERVED_BINS: usize = 64;

impl Rollup {
    /// Decodes the rollup of `span`, which covers it up to `through`.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that [`Rollup::to_bytes`] does not write.
    pub fn from_bytes(span: RollupSpan, through: TimestampMs, bytes: &[u8]) -> Result<Self, DecodeError> {
        let version = bytes.first().ok_or(DecodeError::Corrupt("no bytes"))?;
        if *version > ENCODING {
            return Err(DecodeError::Newer(*version));
        }
        let (body, check) =
            bytes.split_last_chunk::<CHECK_BYTES>().ok_or(DecodeError::Corrupt("the end is missing"))?;
        if !check_of(body).eq(check.iter().copied()) {
            return Err(DecodeError::Corrupt("the check does not match"));
        }
        read_body(span, through, body)
    }
}

/// Decodes what is left without the check. Separate for tests of damage that the check would catch.
pub(super) fn read_body(span: RollupSpan, through: TimestampMs, body: &[u8]) -> Result<Rollup, DecodeError> {
    let mut bits = BitReader::new(body);
    if bits.take(u8::BITS)? != u64::from(ENCODING) {
        return Err(DecodeError::Corrupt("unknown version"));
    }
    let reports = read_count(&mut bits, order::REPORTS)?;
    let is_truncated = bits.flag()?;
    let (sources, all_sources) = read_sources(&mut bits)?;
    let origins = bits.length(order::ORIGINS)?;
    let origins: Vec<SampleOrigin> =
        (0..origins).map(|_| read_origin(&mut bits, span.start(), &all_sources)).collect::<Result<_, _>>()?;
    let mut series = BTreeMap::new();
    let mut previous = String::new();
    for index in 0..bits.length(order::SERIES)? {
        let name = names::read(&mut bits, &previous)?;
        if index > 0 && name <= previous {
            return Err(DecodeError::Corrupt("the series are out of order"));
        }
        let bucket = read_bucket(&mut bits, reports, &origins)?;
        previous.clone_from(&name);
        series.insert(name, bucket);
    }
    if !bits.is_at_end() {
        return Err(DecodeError::Corrupt("bytes follow the end"));
    }
    Ok(Rollup { span, through, reports, sources, series, is_truncated })
}

/// The sources that the rollup lists, and all that its last values may refer to.
fn read_sources(bits: &mut BitReader<'_>) -> Result<(Sources, Vec<Arc<Source>>), DecodeError> {
    let mut sources = Sources { has_more: bits.flag()?, ..Sources::default() };
    let mut all: Vec<Arc<Source>> = Vec::new();
    for _ in 0..bits.length(order::SOURCES)? {
        let is_listed = bits.flag()?;
        let shared = usize::try_from(bits.golomb(order::SOURCE)?).unwrap_or(usize::MAX);
        let own = names::read_text(bits)?;
        let previous = all.last().map_or("", |source| source.as_str());
        let shared_bytes =
            previous.get(..shared).filter(|shared_bytes| shared_bytes.len() + own.len() <= MAX_ID_BYTES);
        let shared_bytes = shared_bytes
            .ok_or(DecodeError::Corrupt("a source shares more bytes than the previous one has"))?;
        let source = Source::new(format!("{shared_bytes}{own}"))
            .map_err(|_| DecodeError::Corrupt("a source is not an id"))?;
        if source.as_str() <= previous {
            return Err(DecodeError::Corrupt("the sources are out of order"));
        }
        let source = Arc::new(source);
        if is_listed {
            sources.names.insert(Arc::clone(&source));
        }
        all.push(source);
    }
    Ok((sources, all))
}

fn read_origin(
    bits: &mut BitReader<'_>,
    start: TimestampMs,
    sources: &[Arc<Source>],
) -> Result<SampleOrigin, DecodeError> {
    let time = start.plus_ms(bits.signed_golomb(order::TIME)?);
    let source = pick(sources, bits.golomb(order::SOURCE)?)?;
    Ok(SampleOrigin { time, source: Arc::clone(source), hash: bits.take(HASH_WIDTH)? })
}

fn pick<T>(list: &[T], index: u64) -> Result<&T, DecodeError> {
    let found = usize::try_from(index).ok().and_then(|index| list.get(index));
    found.ok_or(DecodeError::Corrupt("an index is out of range"))
}

/// A number of reports or samples. So many that merging rollups could overflow are rejected.
fn read_count(bits: &mut BitReader<'_>, order: u32) -> Result<u64, DecodeError> {
    let count = bits.golomb(order)?;
    if count > MAX_COUNT { Err(DecodeError::Corrupt("a count is too large")) } else { Ok(count) }
}

fn read_bucket(
    bits: &mut BitReader<'_>,
    reports: u64,
    origins: &[SampleOrigin],
) -> Result<Bucket, DecodeError> {
    let is_in_every_report = bits.flag()?;
    let count = if is_in_every_report { reports } else { read_count(bits, order::COUNT)? };
    let last_origin = pick(origins, bits.golomb(order::ORIGINS)?)?.clone();
    let is_constant = bits.flag()?;
    let min = number::read(bits)?;
    let (max, last) = if is_constant { (min, min) } else { read_max_and_last(bits, min)? };
    if !is_constant && min == max {
        return Err(DecodeError::Corrupt("a constant series is not marked"));
    }
    let sum = read_sum(bits, is_constant.then_some((min, count)))?;
    let sketch = read_sketch(bits, count, is_constant.then_some(min))?;
    Bucket::from_parts(BucketParts { count, sum, min, max, last, last_origin, sketch })
        .ok_or(DecodeError::Corrupt("a bucket contradicts itself"))
}

fn read_max_and_last(bits: &mut BitReader<'_>, min: f64) -> Result<(f64, f64), DecodeError> {
    let max = number::read(bits)?;
    let last = match bits.take(LAST_WIDTH)? {
        LAST_IS_MAX => max,
        LAST_IS_MIN => min,
        LAST_IS_OWN => number::read(bits)?,
        _ => return Err(DecodeError::Corrupt("unknown mark of a last value")),
    };
    Ok((max, last))
}

fn read_sum(bits: &mut BitReader<'_>, constant: Option<(f64, u64)>) -> Result<Sum, DecodeError> {
    if let Some((value, count)) = constant
        && bits.flag()?
    {
        return Ok(Sum::of_repeated(value, count));
    }
    let is_unscaled = bits.flag()?;
    let rounded = number::read(bits)?;
    let rounded = if is_unscaled { Sum::scaled(rounded) } else { rounded };
    let has_no_rest = bits.flag()?;
    let rest = if has_no_rest { 0.0 } else { number::read(bits)? };
    Ok(Sum::from_parts([rounded, rest]))
}

fn read_sketch(bits: &mut BitReader<'_>, count: u64, constant: Option<f64>) -> Result<Sketch, DecodeError> {
    let level = u8::try_from(bits.golomb(order::LEVEL)?).ok().filter(|level| *level <= MAX_LEVEL);
    let level = level.ok_or(DecodeError::Corrupt("a sketch is too coarse"))?;
    let bins = match constant {
        Some(value) => constant_bins(bits, value, count)?,
        None => [read_bins(bits)?, read_bins(bits)?],
    };
    let counted = bins.iter().flatten().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
    let zeros = counted.and_then(|counted| count.checked_sub(counted));
    let zeros = zeros.ok_or(DecodeError::Corrupt("the bins count more than the bucket"))?;
    Ok(Sketch::from_parts(level, bins, zeros))
}

fn constant_bins(
    bits: &mut BitReader<'_>,
    value: f64,
    count: u64,
) -> Result<[Vec<(i32, u64)>; 2], DecodeError> {
    if value.abs() <= ZERO_TOLERANCE {
        return Ok([Vec::new(), Vec::new()]);
    }
    let bin = vec![(bin(bits.signed_golomb(order::FIRST_BIN)?)?, count)];
    Ok(if value < 0.0 { [bin, Vec::new()] } else { [Vec::new(), bin] })
}

fn bin(number: i64) -> Result<i32, DecodeError> {
    i32::try_from(number).map_err(|_| DecodeError::Corrupt("a bin is out of range"))
}

fn read_bins(bits: &mut BitReader<'_>) -> Result<Vec<(i32, u64)>, DecodeError> {
    let length = bits.length(order::BINS)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let mut next = bits.signed_golomb(order::FIRST_BIN)?;
    let count_order = order_of(bits, COUNT_ORDER_WIDTH)?;
    let gap_order = if length > 1 { order_of(bits, GAP_ORDER_WIDTH)? } else { 0 };
    let mut bins = Vec::with_capacity(length.min(RESERVED_BINS));
    for index in 0..length {
        let count = bits.golomb(count_order)?.checked_add(1);
        bins.push((bin(next)?, count.ok_or(DecodeError::Corrupt("the count of a bin is too large"))?));
        if index + 1 < length {
            let gap = i64::try_from(bits.golomb(gap_order)?).ok();
            let after = gap.and_then(|gap| next.checked_add(gap)).and_then(|bin| bin.checked_add(1));
            next = after.ok_or(DecodeError::Corrupt("a bin is out of range"))?;
        }
    }
    Ok(bins)
}

fn order_of(bits: &mut BitReader<'_>, width: u32) -> Result<u32, DecodeError> {
    Ok(u32::try_from(bits.take(width)?).unwrap_or_default())
}
