//! Codes of finite `f64`s: whole numbers, multiples of a power of two, short decimals, or all 64 bits.

use super::bits::{BitReader, BitWriter};
use super::decode_error::DecodeError;

const WHOLE: u64 = 0;
const BINARY: u64 = 1;
const DECIMAL: u64 = 2;
const BITS: u64 = 3;

const FORM_WIDTH: u32 = 2;
/// Bits of the length of a mantissa.
const LENGTH_WIDTH: u32 = 6;
const BINARY_POWER_WIDTH: u32 = 6;
const DECIMAL_POWER_WIDTH: u32 = 4;

/// Mantissas below this are exact in an `f64`: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Greatest power of ten that is tried: more digits take more bits than all 64 bits of the number.
const MAX_DECIMALS: u32 = 15;

/// A number in one of the short forms.
#[derive(Debug, Clone, Copy)]
struct ShortForm {
    form: u64,
    power: u32,
    power_width: u32,
    mantissa: i64,
}

impl ShortForm {
    fn width(self) -> u32 {
        let length = magnitude_width(self.mantissa);
        FORM_WIDTH + self.power_width + LENGTH_WIDTH + length + u32::from(length > 0)
    }
}

fn magnitude_width(mantissa: i64) -> u32 {
    u64::BITS - mantissa.unsigned_abs().leading_zeros()
}

/// `value` as an integer if that is exact; not for a negative zero.
fn whole(value: f64) -> Option<i64> {
    let fits = value.abs() < EXACT && value.fract() == 0.0 && !(value == 0.0 && value.is_sign_negative());
    // A whole number below 2^53, so the cast is exact.
    fits.then_some(value as i64)
}

fn power_of_ten(power: u32) -> f64 {
    10_f64.powi(power.cast_signed())
}

fn decimal(value: f64) -> Option<ShortForm> {
    (1..=MAX_DECIMALS).find_map(|power| {
        let mantissa = whole((value * power_of_ten(power)).round())?;
        let same = (mantissa as f64 / power_of_ten(power)).to_bits() == value.to_bits();
        same.then_some(ShortForm { form: DECIMAL, power, power_width: DECIMAL_POWER_WIDTH, mantissa })
    })
}

/// The shortest of the short forms, if there is any.
fn shortest(value: f64) -> Option<ShortForm> {
    let Some(mantissa) = whole(value) else {
        return decimal(value);
    };
    let plain = ShortForm { form: WHOLE, power: 0, power_width: 0, mantissa };
    let power = mantissa.trailing_zeros().min(u64::BITS - 1);
    let odd = mantissa >> power;
    let binary = ShortForm { form: BINARY, power, power_width: BINARY_POWER_WIDTH, mantissa: odd };
    Some(if binary.width() < plain.width() { binary } else { plain })
}

/// Writes the finite `value`.
pub(super) fn write(bits: &mut BitWriter, value: f64) {
    let Some(written) = shortest(value).filter(|written| written.width() < FORM_WIDTH + u64::BITS) else {
        bits.put(BITS, FORM_WIDTH);
        bits.put(value.to_bits(), u64::BITS);
        return;
    };
    bits.put(written.form, FORM_WIDTH);
    bits.put(u64::from(written.power), written.power_width);
    let length = magnitude_width(written.mantissa);
    bits.put(u64::from(length), LENGTH_WIDTH);
    if length > 0 {
        bits.flag(written.mantissa < 0);
        bits.put(written.mantissa.unsigned_abs(), length);
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(bits: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    let form = bits.take(FORM_WIDTH)?;
    if form == BITS {
        return finite(f64::from_bits(bits.take(u64::BITS)?));
    }
    let power = match form {
        BINARY => bits.take(BINARY_POWER_WIDTH)?,
        DECIMAL => bits.take(DECIMAL_POWER_WIDTH)?,
        _ => 0,
    };
    let power = u32::try_from(power).unwrap_or(0);
    let mantissa = mantissa(bits)?;
    finite(match form {
        BINARY => mantissa * 2_f64.powi(power.cast_signed()),
        DECIMAL => mantissa / power_of_ten(power),
        _ => mantissa,
    })
}

fn mantissa(bits: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    let length = u32::try_from(bits.take(LENGTH_WIDTH)?).unwrap_or(0);
    if length == 0 {
        return Ok(0.0);
    }
    let is_negative = bits.flag()?;
    let magnitude = bits.take(length)? as f64;
    if magnitude >= EXACT {
        return Err(DecodeError::Corrupt("a number has too many digits"));
    }
    Ok(if is_negative { -magnitude } else { magnitude })
}

fn finite(value: f64) -> Result<f64, DecodeError> {
    if value.is_finite() { Ok(value) } else { Err(DecodeError::Corrupt("a number is not finite")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn width_and_value(value: f64) -> (usize, f64) {
        let mut bits = BitWriter::default();
        write(&mut bits, value);
        let bytes = bits.finish();
        (bytes.len(), read(&mut BitReader::new(&bytes)).unwrap())
    }

    #[test]
    fn usual_metric_values_take_few_bytes() {
        for (value, bytes) in
            [(0.0, 1), (2.0, 2), (0.23, 3), (664_764_416.0, 4), (25_274_793_984.0, 5), (-61.5, 3), (1e300, 9)]
        {
            assert_eq!(width_and_value(value), (bytes, value));
        }
    }

    proptest! {
        #[test]
        fn every_finite_number_is_read_back(bits in any::<u64>(), whole in -(1_i64 << 60)..1_i64 << 60, decimals in 0..18_i32) {
            let candidates = [f64::from_bits(bits), whole as f64, whole as f64 / 10_f64.powi(decimals), -0.0];
            for value in candidates.into_iter().filter(|value| value.is_finite()) {
                let (bytes, read) = width_and_value(value);
                prop_assert_eq!(read.to_bits(), value.to_bits());
                prop_assert!(bytes <= 9);
            }
        }
    }
}
