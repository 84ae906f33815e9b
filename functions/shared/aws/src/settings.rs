//! Named settings from the environment, read once before the runtime starts.
//!
//! All faults are reported in one message. What must be set has no default.

use std::str::FromStr;

use crate::origin_secret::{MIN_LENGTH, OriginSecret};

/// All faults of the settings.
#[derive(Debug, thiserror::Error)]
#[error("misconfigured: {}", faults.join("; "))]
pub struct Misconfigured {
    faults: Vec<String>,
}

/// The environment variable `name`.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Which tokens are trusted: the settings of every function that checks credentials.
pub struct TokenSettings {
    /// Secret of HS256 tokens; empty trusts none.
    pub secret: String,
    /// JWKS document of RS256 and ES256 tokens; empty trusts none.
    pub keys: String,
    /// The audience that tokens must have.
    pub audience: String,
}

/// Never shows the secret.
impl std::fmt::Debug for TokenSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TokenSettings(audience {:?})", self.audience)
    }
}

/// Reads settings one by one and collects their faults.
#[derive(Debug)]
pub struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    /// Reads from `lookup`: the environment, or a map in tests.
    pub fn new(lookup: L) -> Self {
        Self { lookup, faults: Vec::new() }
    }

    /// The text of `name`, which must be set and not empty.
    pub fn text(&mut self, name: &str) -> String {
        let found = (self.lookup)(name).filter(|text| !text.is_empty());
        found.unwrap_or_else(|| {
            self.faults.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// The text of `name`, empty if it is not set.
    fn optional(&mut self, name: &str) -> String {
        (self.lookup)(name).unwrap_or_default()
    }

    /// Which tokens are trusted. Only the audience must be set; without secret and keys no token is trusted.
    pub fn tokens(&mut self) -> TokenSettings {
        TokenSettings {
            secret: self.optional("TOKEN_SECRET"),
            keys: self.optional("TOKEN_KEYS"),
            audience: self.text("TOKEN_AUDIENCE"),
        }
    }

    /// The accepted origin secrets, between commas; none if they are not set.
    pub fn origin_secret(&mut self) -> OriginSecret {
        let accepted = self.list("ORIGIN_SECRET");
        if accepted.iter().any(|secret| secret.len() < MIN_LENGTH) {
            self.faults.push(format!("ORIGIN_SECRET has fewer than {MIN_LENGTH} characters"));
        }
        OriginSecret::new(accepted)
    }

    /// The parts of `name` between commas, trimmed, without empty ones; none if it is not set.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let text = (self.lookup)(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The number `name`, which must be set and lie in `range`.
    pub fn number<N>(&mut self, name: &str, range: std::ops::RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        let text = self.text(name);
        let parsed = text.parse().ok().filter(|number| range.contains(number));
        parsed.unwrap_or_else(|| {
            if !text.is_empty() {
                let (low, high) = (range.start(), range.end());
                self.faults.push(format!("{name} is {text:?}, must be a number from {low} to {high}"));
            }
            *range.start()
        })
    }

    /// `settings`, if they have no fault.
    ///
    /// # Errors
    /// [`Misconfigured`] with every fault in one message.
    pub fn finish<S>(self, settings: S) -> Result<S, Misconfigured> {
        if self.faults.is_empty() { Ok(settings) } else { Err(Misconfigured { faults: self.faults }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader<impl Fn(&str) -> Option<String>> {
        Reader::new(|name: &str| match name {
            "TABLE" => Some("reports".to_owned()),
            "HOURS" => Some("many".to_owned()),
            "ORIGINS" => Some("http://a, http://b,".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn every_fault_is_in_one_message() {
        let mut reader = reader();
        let table = reader.text("TABLE");
        reader.text("EMPTY");
        reader.text("ABSENT");
        reader.number("HOURS", 1..=72);
        let faults = reader.finish(table).unwrap_err().to_string();
        assert_eq!(
            faults,
            "misconfigured: EMPTY is not set; ABSENT is not set; HOURS is \"many\", must be a number from 1 to 72"
        );
    }

    #[test]
    fn debug_output_gives_no_secret_away() {
        let tokens = Reader::new(|name: &str| Some(format!("the {name}"))).tokens();
        assert_eq!(tokens.secret, "the TOKEN_SECRET");
        assert!(!format!("{tokens:?}").contains("TOKEN_SECRET"));
    }

    #[test]
    fn short_origin_secret_is_a_fault_that_does_not_show_it() {
        let mut reader = Reader::new(|_: &str| Some(format!("{},guessable", "s".repeat(MIN_LENGTH))));
        let secret = reader.origin_secret();
        let faults = reader.finish(secret).unwrap_err().to_string();
        assert_eq!(faults, "misconfigured: ORIGIN_SECRET has fewer than 32 characters");
    }

    #[test]
    fn a_list_is_trimmed() {
        assert_eq!(reader().list("ORIGINS"), ["http://a", "http://b"]);
        assert!(reader().list("ABSENT").is_empty());
    }
}
