//! Bits in a row: the writer and the reader under the encoding of rollups.
//!
//! Owns fixed widths and Exp-Golomb codes, most significant bit first. Refuses to read past the end, and to promise
//! more than the input holds. Ruled by docs/ROLLUP_ENCODING.md.

use super::decode::Unreadable;

/// Most significant zeros before an Exp-Golomb code's first 1: its number then has 64 bits.
const MAX_PREFIX: u32 = 63;

/// Appends bits to bytes; the last byte is filled up with zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written.
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

    /// Writes `value`, below 2^63, in the Exp-Golomb code of order `order`: short where it is near `2^order` or below.
    pub(super) fn golomb(&mut self, value: u64, order: u32) {
        let number = (value >> order) + 1;
        let width = number.ilog2() + 1;
        self.put(0, width - 1);
        self.put(number, width);
        self.put(value, order);
    }

    /// The same for a number of either sign.
    pub(super) fn signed_golomb(&mut self, value: i64, order: u32) {
        self.golomb(((value << 1) ^ (value >> 63)).cast_unsigned(), order);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// How many bits [`BitWriter::golomb`] writes.
pub(super) fn golomb_width(value: u64, order: u32) -> u32 {
    2 * ((value >> order) + 1).ilog2() + 1 + order
}

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

    /// The next `width` bits, at most 64, as a number.
    pub(super) fn take(&mut self, width: u32) -> Result<u64, Unreadable> {
        let mut value = 0_u64;
        let mut left = width.min(u64::BITS);
        while left > 0 {
            let (first, rest) = self.bytes.split_first().ok_or(Unreadable::Corrupt("its end is missing"))?;
            let there = u8::BITS - self.used;
            let taken = left.min(there);
            let part = (u64::from(*first) >> (there - taken)) & ((1 << taken) - 1);
            value = (value << taken) | part;
            left -= taken;
            self.used += taken;
            if self.used == u8::BITS {
                (self.bytes, self.used) = (rest, 0);
            }
        }
        Ok(value)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Unreadable> {
        Ok(self.take(1)? == 1)
    }

    pub(super) fn golomb(&mut self, order: u32) -> Result<u64, Unreadable> {
        let mut prefix = 0;
        while !self.flag()? {
            prefix += 1;
            if prefix + order > MAX_PREFIX {
                return Err(Unreadable::Corrupt("a number has too many bits"));
            }
        }
        let number = (1_u64 << prefix) | self.take(prefix)?;
        Ok(((number - 1) << order) | self.take(order)?)
    }

    pub(super) fn signed_golomb(&mut self, order: u32) -> Result<i64, Unreadable> {
        let folded = self.golomb(order)?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// A number that counts things of which each takes at least one more bit of the input.
    pub(super) fn length(&mut self, order: u32) -> Result<usize, Unreadable> {
        let length = self.golomb(order)?;
        let bits_left = 8 * self.bytes.len();
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= bits_left)
            .ok_or(Unreadable::Corrupt("a list is longer than the rest of it"))
    }

    /// Whether nothing is left but the zeros that fill the last byte.
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
        fn what_is_written_is_read(numbers in prop::collection::vec((0..=u64::MAX >> 1, 0..64_u32, 0..20_u32), 0..40)) {
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
