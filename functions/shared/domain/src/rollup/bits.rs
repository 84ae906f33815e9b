//! Writes and reads single bits, fixed widths and Exp-Golomb codes, most significant bit first.

use super::decode_error::DecodeError;

/// Most zeros at the start of an Exp-Golomb code: its number then has 64 bits.
const MAX_PREFIX: u32 = 63;

/// Appends bits to bytes; the last byte is padded with zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl BitWriter {
    /// Writes the lowest `width` bits of `value`, at most 64.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        let mut left = width.min(u64::BITS);
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = u8::BITS;
            }
            let taken = left.min(self.free);
            left -= taken;
            self.free -= taken;
            let [.., part] = ((value >> left) & ((1 << taken) - 1)).to_be_bytes();
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << self.free;
            }
        }
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.put(u64::from(value), 1);
    }

    /// Writes `value`, below 2^63, in the Exp-Golomb code of order `order`, which is short for values up to about `2^order`.
    pub(super) fn golomb(&mut self, value: u64, order: u32) {
        let number = (value >> order) + 1;
        let width = number.ilog2() + 1;
        self.put(0, width - 1);
        self.put(number, width);
        self.put(value, order);
    }

    /// The same for a signed value.
    pub(super) fn signed_golomb(&mut self, value: i64, order: u32) {
        self.golomb(((value << 1) ^ (value >> 63)).cast_unsigned(), order);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// How many bits [`BitWriter::golomb`] writes for `value`.
pub(super) fn golomb_width(value: u64, order: u32) -> u32 {
    2 * ((value >> order) + 1).ilog2() + 1 + order
}

/// Bits that [`BitReader::peek`] returns at least: a word less the used bits of its first byte.
const WINDOW: u32 = u64::BITS - u8::BITS + 1;

/// Reads what a [`BitWriter`] wrote.
#[derive(Debug)]
pub(super) struct BitReader<'b> {
    bytes: &'b [u8],
    /// Bits of the first byte that are read already.
    used: u32,
}

impl<'b> BitReader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, used: 0 }
    }

    /// The next bits, at least [`WINDOW`], from the most significant on; zeros past the end.
    fn peek(&self) -> u64 {
        let word = self.bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut padded = [0; size_of::<u64>()];
            padded.iter_mut().zip(self.bytes).for_each(|(place, byte)| *place = *byte);
            padded
        });
        u64::from_be_bytes(word) << self.used
    }

    fn bits_left(&self) -> usize {
        8 * self.bytes.len() - self.used as usize
    }

    /// Skips `width` bits. The caller has checked that there are as many.
    fn skip(&mut self, width: u32) {
        let used = self.used + width;
        self.bytes = self.bytes.get((used / u8::BITS) as usize..).unwrap_or_default();
        self.used = used % u8::BITS;
    }

    /// The next `width` bits, at most 64, as a number.
    pub(super) fn take(&mut self, width: u32) -> Result<u64, DecodeError> {
        if width >= WINDOW {
            let upper = self.take(width - u32::BITS)?;
            return Ok((upper << u32::BITS) | self.take(u32::BITS)?);
        }
        if self.bits_left() < width as usize {
            return Err(DecodeError::Corrupt("the end is missing"));
        }
        let value = self.peek().checked_shr(u64::BITS - width).unwrap_or(0);
        self.skip(width);
        Ok(value)
    }

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(self.take(1)? == 1)
    }

    pub(super) fn golomb(&mut self, order: u32) -> Result<u64, DecodeError> {
        let prefix = self.zeros(MAX_PREFIX.saturating_sub(order))?;
        let number = self.take(prefix + 1)?;
        Ok(((number - 1) << order) | self.take(order)?)
    }

    /// Skips the zeros before the next 1 and counts them, at most `max`.
    fn zeros(&mut self, max: u32) -> Result<u32, DecodeError> {
        let mut skipped = 0;
        loop {
            let left = u32::try_from(self.bits_left()).unwrap_or(WINDOW).min(WINDOW);
            let zeros = self.peek().leading_zeros().min(left);
            if skipped + zeros > max {
                return Err(DecodeError::Corrupt("a number has too many bits"));
            }
            self.skip(zeros);
            skipped += zeros;
            if zeros < left {
                return Ok(skipped);
            }
            if self.bytes.is_empty() {
                return Err(DecodeError::Corrupt("the end is missing"));
            }
        }
    }

    pub(super) fn signed_golomb(&mut self, order: u32) -> Result<i64, DecodeError> {
        let folded = self.golomb(order)?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// The length of a list whose items take at least one bit each, so that a forged length is rejected.
    pub(super) fn length(&mut self, order: u32) -> Result<usize, DecodeError> {
        let length = self.golomb(order)?;
        let bits_left = 8 * self.bytes.len();
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= bits_left)
            .ok_or(DecodeError::Corrupt("a list is longer than the rest of the input"))
    }

    /// Whether only the padding zeros of the last byte are left.
    pub(super) fn is_at_end(&self) -> bool {
        match self.bytes {
            [] => true,
            [last] => self.used > 0 && u32::from(*last) & (0xFF >> self.used) == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_values_are_read_back(numbers in prop::collection::vec((0..=u64::MAX >> 1, 0..64_u32, 0..20_u32), 0..40)) {
            let mut writer = BitWriter::default();
            let mut width = 0;
            for (number, shift, order) in &numbers {
                let number = number >> shift;
                writer.golomb(number, *order);
                width += golomb_width(number, *order);
                writer.put(number, 63);
                writer.signed_golomb((number >> 1).cast_signed(), *order);
                writer.signed_golomb(-(number >> 1).cast_signed(), *order);
                width += 63 + golomb_width(number & !1, *order);
                width += golomb_width(((number >> 1) * 2).saturating_sub(1), *order);
            }
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len(), width.div_ceil(8) as usize);
            let mut reader = BitReader::new(&bytes);
            for (number, shift, order) in &numbers {
                let number = number >> shift;
                prop_assert_eq!(reader.golomb(*order), Ok(number));
                prop_assert_eq!(reader.take(63), Ok(number));
                prop_assert_eq!(reader.signed_golomb(*order), Ok((number >> 1).cast_signed()));
                prop_assert_eq!(reader.signed_golomb(*order), Ok(-(number >> 1).cast_signed()));
            }
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn no_input_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), order in 0..64_u32) {
            let mut reader = BitReader::new(&bytes);
            while reader.golomb(order).is_ok() {}
            while BitReader::new(&bytes).length(order).is_ok_and(|length| length > 8 * bytes.len()) {}
        }
    }
}
