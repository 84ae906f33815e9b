//! API keys, `nehonix@` + 64 hexadecimal digits + `.nsl`: generation, syntax, and comparison in constant time.

use nsl_domain::app::{App, KeyRecord};
use nsl_domain::ids::KeyHash;
use std::collections::BTreeSet;
use subtle::ConstantTimeEq;

const PREFIX: &str = "nehonix@";

const SUFFIX: &str = ".nsl";

/// Random bytes of a key: 256 bits cannot be guessed.
const SECRET_BYTES: usize = 32;

/// Fewest different digits of a key that was chosen at random: one in 10^12 such keys has fewer.
const MIN_DIFFERENT_DIGITS: usize = 10;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes for a key")]
pub struct NoRandomness(#[source] getrandom::Error);

/// A new key's text, from the operating system's random generator. It is shown once and never stored.
///
/// # Errors
/// [`NoRandomness`] when the operating system gives no random bytes.
pub fn generate() -> Result<String, NoRandomness> {
    let mut secret = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(NoRandomness)?;
    Ok(format!("{PREFIX}{}{SUFFIX}", KeyHash(secret).to_hex()))
}

/// Whether `text` has the syntax of a key. Anything else is rejected without reading a table.
pub fn is_well_formed(text: &str) -> bool {
    digits(text).is_some_and(|digits| {
        digits.len() == 2 * SECRET_BYTES
            && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether a well-formed key was typed rather than drawn at random: it has few different digits, or repeats a shorter
/// sequence of them. For keys that this service did not generate.
pub fn is_guessable(text: &str) -> bool {
    let digits = digits(text).unwrap_or_default().as_bytes();
    let different: BTreeSet<&u8> = digits.iter().collect();
    let repeats = |period: usize| digits.iter().skip(period).eq(digits.iter().take(digits.len() - period));
    different.len() < MIN_DIFFERENT_DIGITS || (1..=digits.len() / 2).any(repeats)
}

fn digits(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX))
}

/// The key of `app` whose text is `text`. Every key is compared, each in constant time.
pub fn find<'a>(app: &'a App, text: &str) -> Option<&'a KeyRecord> {
    let offered = KeyHash::of(text);
    let mut found = None;
    for key in &app.keys {
        if bool::from(key.hash.0.ct_eq(&offered.0)) {
            found = Some(key);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_key_is_well_formed_and_unique() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert!(is_well_formed(&first), "{first}");
        assert_ne!(first, second);
    }

    #[test]
    fn other_text_is_not_a_key() {
        let key = format!("{PREFIX}{}{SUFFIX}", "0a".repeat(SECRET_BYTES));
        assert!(is_well_formed(&key));
        for text in ["", "nehonix@.nsl", &key.to_uppercase(), &key.replace('a', "g"), &format!("{key} ")] {
            assert!(!is_well_formed(text), "{text:?}");
        }
    }

    #[test]
    fn repeated_digits_are_guessable_and_random_ones_are_not() {
        let key = |digits: &str| format!("{PREFIX}{digits}{SUFFIX}");
        let all = "0123456789abcdef";
        for digits in ["0".repeat(64), "0a".repeat(32), all.repeat(4), format!("{}7", "0".repeat(63))] {
            let key = key(&digits);
            assert!(is_well_formed(&key) && is_guessable(&key), "{key}");
        }
        assert!((0..1_000).all(|_| !is_guessable(&generate().unwrap())));
    }
}
