//! Random names, from the operating system's randomness.

use anyhow::Context as _;

/// A random UUID (version 4, RFC 9562), the form of the ids that the library's own server gives out.
pub(crate) fn uuid() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    let random = u128::from_be_bytes(bytes);
    let version_4 = random & !(0xf << 76) | (0x4 << 76);
    let variant_10 = version_4 & !(0b11 << 62) | (0b10 << 62);
    let digits = format!("{variant_10:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| digits.get(group).unwrap_or_default());
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_says_its_version_and_is_never_the_same() {
        let (first, second) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(first, second);
        let groups: Vec<&str> = first.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{first}");
    }
}
