//! A hash whose algorithm never changes, for entity tags: the standard library leaves that of its own hasher open.

use sha2::{Digest, Sha256};

/// Parts that are hashed one after the other, so that no two sequences of parts are hashed alike.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint(Sha256);

/// The hash of all parts.
pub(crate) type FingerprintBytes = [u8; 16];

impl Fingerprint {
    /// Adds bytes, and before them their number.
    pub(crate) fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// Adds a number.
    pub(crate) fn add_number(&mut self, number: i64) {
        self.add(number.to_be_bytes());
    }

    /// The hash of the parts.
    pub(crate) fn finish(self) -> FingerprintBytes {
        let bytes: [u8; 32] = self.0.finalize().into();
        let (half, _) = bytes.split_at(bytes.len() / 2);
        half.try_into().unwrap_or_default()
    }
}

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: FingerprintBytes) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> String {
        let mut fingerprint = Fingerprint::default();
        parts.iter().for_each(|part| fingerprint.add(part));
        hex(fingerprint.finish())
    }

    #[test]
    fn fingerprint_is_the_same_in_every_build() {
        assert_eq!(of(&[]), "e3b0c44298fc1c149afbf4c8996fb924");
        assert_eq!(of(&["a", "b"]), "3c9d591045bc8876f9d0399bbfb05c6a");
    }

    #[test]
    fn parts_do_not_merge() {
        let all = [of(&["ab"]), of(&["a", "b"]), of(&["", "ab"]), of(&["ab", ""]), of(&["a#b"])];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one), "{one}");
        }
    }
}
