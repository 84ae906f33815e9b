//! Joins text that the build compressed and text that is known only now into one gzip member (RFC 1951, RFC 1952).
//! Several members would be shorter code, but browsers read only the first.

use crc32fast::Hasher;

/// No name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A compressed part of the page.
#[derive(Debug)]
pub(super) struct Part {
    /// Whole blocks, the last of which may end the stream.
    pub(super) deflated: &'static [u8],
    /// CRC-32 of its text.
    pub(super) crc: u32,
    /// Bytes of its text.
    pub(super) bytes: u64,
}

/// `before`, `text` and `after`, the last of which ends the stream. Text beyond the 65,535 bytes of a block is left out.
pub(super) fn joined(before: &Part, text: &str, after: &Part) -> Vec<u8> {
    let text = text.get(..text.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut crc = Hasher::new_with_initial_len(before.crc, before.bytes);
    crc.update(text.as_bytes());
    crc.combine(&Hasher::new_with_initial_len(after.crc, after.bytes));
    // The size is stored modulo 2^32.
    let size = (before.bytes + u64::from(length) + after.bytes) as u32;
    let stored_block = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), text.as_bytes()].concat();
    let trailer = [crc.finalize().to_le_bytes(), size.to_le_bytes()].concat();
    [&HEADER[..], before.deflated, &stored_block, after.deflated, &trailer].concat()
}
