//! A rollup out of its bytes.
//!
//! Owns the reading half of the encoding. Trusts nothing: bytes that no rollup has are refused, and no more memory is
//! taken than the input is worth. Tells what a newer version wrote from what is damaged. Ruled by
//! docs/ROLLUP_ENCODING.md.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bits::BitReader;
use super::encode::{
    CHECK_BYTES, COUNT_ORDER_WIDTH, ENCODING, GAP_ORDER_WIDTH, HASH_WIDTH, LAST_IS_MAX, LAST_IS_MIN,
    LAST_IS_OWN, LAST_WIDTH, check_of, order,
};
use super::{Rollup, RollupSpan, Sources, names, number};
use crate::bucket::{Bucket, BucketParts, MAX_LEVEL, SampleOrigin, Sketch, Sum, ZERO_TOLERANCE};
use crate::ids::{MAX_ID_BYTES, Source};
use crate::time::TimestampMs;

/// Bins of a sketch for which room is made at once: most have fewer, and a length that is a lie costs no more.
const USUAL_BINS: usize = 64;

/// Why bytes are no rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A newer program wrote it in this version of the encoding. It must not be overwritten.
    #[error("the rollup has encoding {0}, which is newer than {ENCODING}")]
    Newer(u8),
    /// It is damaged, and can be computed anew from what is below it.
    #[error("the rollup is corrupt: {0}")]
    Corrupt(&'static str),
}

impl Rollup {
    /// The rollup of `span` up to `through` that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Rollup::to_bytes`] does not write.
    pub fn from_bytes(span: RollupSpan, through: TimestampMs, bytes: &[u8]) -> Result<Self, DecodeError> {
        let version = bytes.first().ok_or(DecodeError::Corrupt("it is empty"))?;
        if *version > ENCODING {
            return Err(DecodeError::Newer(*version));
        }
        let (body, check) =
            bytes.split_last_chunk::<CHECK_BYTES>().ok_or(DecodeError::Corrupt("its end is missing"))?;
        if !check_of(body).eq(check.iter().copied()) {
            return Err(DecodeError::Corrupt("its check does not agree"));
        }
        read_body(span, through, body)
    }
}

/// Reads what the check has found undamaged. Tests come here with damaged bodies, which no check can be trusted to
/// find for ever.
pub(super) fn read_body(span: RollupSpan, through: TimestampMs, body: &[u8]) -> Result<Rollup, DecodeError> {
    let mut bits = BitReader::new(body);
    if bits.take(u8::BITS)? != u64::from(ENCODING) {
        return Err(DecodeError::Corrupt("its version was never written"));
    }
    let reports = bits.golomb(order::REPORTS)?;
    let is_truncated = bits.flag()?;
    let (sources, all_sources) = read_sources(&mut bits)?;
    let last_places = bits.length(order::LAST_PLACES)?;
    let last_places: Vec<SampleOrigin> =
        (0..last_places).map(|_| read_at(&mut bits, span.start(), &all_sources)).collect::<Result<_, _>>()?;
    let mut series = BTreeMap::new();
    let mut before = String::new();
    for index in 0..bits.length(order::SERIES)? {
        let name = names::read(&mut bits, &before)?;
        if index > 0 && name <= before {
            return Err(DecodeError::Corrupt("its series are out of order"));
        }
        let bucket = read_bucket(&mut bits, reports, &last_places)?;
        before.clone_from(&name);
        series.insert(name, bucket);
    }
    if !bits.is_at_end() {
        return Err(DecodeError::Corrupt("it goes on after its end"));
    }
    Ok(Rollup { span, through, reports, sources, series, is_truncated })
}

/// The sources that the rollup names, and all that its last values may refer to.
fn read_sources(bits: &mut BitReader<'_>) -> Result<(Sources, Vec<Arc<Source>>), DecodeError> {
    let mut sources = Sources { has_more: bits.flag()?, ..Sources::default() };
    let mut all: Vec<Arc<Source>> = Vec::new();
    for _ in 0..bits.length(order::SOURCES)? {
        let is_named = bits.flag()?;
        let shared = usize::try_from(bits.golomb(order::SOURCE)?).unwrap_or(usize::MAX);
        let own = names::read_text(bits)?;
        let before = all.last().map_or("", |source| source.as_str());
        let kept = before.get(..shared).filter(|kept| kept.len() + own.len() <= MAX_ID_BYTES);
        let kept = kept.ok_or(DecodeError::Corrupt("a source shares more than there is"))?;
        let source =
            Source::new(format!("{kept}{own}")).map_err(|_| DecodeError::Corrupt("a source is no id"))?;
        if source.as_str() <= before {
            return Err(DecodeError::Corrupt("its sources are out of order"));
        }
        let source = Arc::new(source);
        if is_named {
            sources.names.insert(Arc::clone(&source));
        }
        all.push(source);
    }
    Ok((sources, all))
}

fn read_at(
    bits: &mut BitReader<'_>,
    start: TimestampMs,
    sources: &[Arc<Source>],
) -> Result<SampleOrigin, DecodeError> {
    let time = start.plus_ms(bits.signed_golomb(order::TIME)?);
    let source = pick(sources, bits.golomb(order::SOURCE)?)?;
    Ok(SampleOrigin { time, source: Arc::clone(source), hash: bits.take(HASH_WIDTH)? })
}

fn pick<T>(list: &[T], place: u64) -> Result<&T, DecodeError> {
    let found = usize::try_from(place).ok().and_then(|place| list.get(place));
    found.ok_or(DecodeError::Corrupt("it refers to what is not there"))
}

fn read_bucket(
    bits: &mut BitReader<'_>,
    reports: u64,
    last_places: &[SampleOrigin],
) -> Result<Bucket, DecodeError> {
    let is_in_every_report = bits.flag()?;
    let count = if is_in_every_report { reports } else { bits.golomb(order::COUNT)? };
    let last_origin = pick(last_places, bits.golomb(order::LAST_PLACES)?)?.clone();
    let is_constant = bits.flag()?;
    let min = number::read(bits)?;
    let (max, last) = if is_constant { (min, min) } else { read_max_and_last(bits, min)? };
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
        _ => return Err(DecodeError::Corrupt("a last value is nowhere")),
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
    let is_whole = bits.flag()?;
    let rest = if is_whole { 0.0 } else { number::read(bits)? };
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
    let zeros = zeros.ok_or(DecodeError::Corrupt("a sketch counts more than there is"))?;
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
    let mut place = bits.signed_golomb(order::FIRST_BIN)?;
    let count_order = order_of(bits, COUNT_ORDER_WIDTH)?;
    let gap_order = if length > 1 { order_of(bits, GAP_ORDER_WIDTH)? } else { 0 };
    let mut bins = Vec::with_capacity(length.min(USUAL_BINS));
    for index in 0..length {
        let count = bits.golomb(count_order)?.checked_add(1);
        bins.push((bin(place)?, count.ok_or(DecodeError::Corrupt("a bin counts too much"))?));
        if index + 1 < length {
            let gap = i64::try_from(bits.golomb(gap_order)?).ok();
            let next = gap.and_then(|gap| place.checked_add(gap)).and_then(|place| place.checked_add(1));
            place = next.ok_or(DecodeError::Corrupt("a bin is out of range"))?;
        }
    }
    Ok(bins)
}

fn order_of(bits: &mut BitReader<'_>, width: u32) -> Result<u32, DecodeError> {
    Ok(u32::try_from(bits.take(width)?).unwrap_or_default())
}
