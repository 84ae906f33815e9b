//! Which series a query asks for.
//!
//! Owns the words of `series=`: names, and patterns in which `*` stands for any characters, and how many there may be.
//! How many series an answer may have is `quota`'s matter. Ruled by protocol.md §3.

use std::collections::HashSet;

use crate::rejection::Rejection;
use crate::series::{MAX_NAME_BYTES, MAX_SERIES};

/// Most series that an answer tells without being asked for each by its name.
pub const MAX_PATTERN_SERIES: usize = 64;

/// The series that a query asks for: those that it names, and those that match one of its patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    names: HashSet<String>,
    patterns: Vec<String>,
}

/// Why a series is in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The query names it.
    ByName,
    /// It matches a pattern, and so counts towards [`MAX_PATTERN_SERIES`].
    ByPattern,
}

impl Selection {
    /// Reads a comma-separated list such as `cpu.usage,memory.*`; every series is meant where there is none. `*` stands
    /// for any characters, dots included, and for none. A name that holds a comma can be had through a pattern only.
    ///
    /// # Errors
    /// `invalid_field`, blaming `series`, for an empty entry, one longer than a name can be, or more entries than a
    /// document has series.
    pub fn read(text: Option<&str>) -> Result<Self, Rejection> {
        let entries: Vec<&str> = text.unwrap_or("*").split(',').collect();
        if entries.len() > MAX_SERIES {
            return Err(Rejection::invalid("series", format!("must have at most {MAX_SERIES} entries")));
        }
        if entries.iter().any(|entry| entry.is_empty() || entry.len() > MAX_NAME_BYTES) {
            let demand = format!("must be a list of names or patterns of 1 to {MAX_NAME_BYTES} bytes");
            return Err(Rejection::invalid("series", demand));
        }
        let (patterns, names): (Vec<&str>, Vec<&str>) =
            entries.into_iter().partition(|entry| entry.contains('*'));
        Ok(Self {
            names: names.into_iter().map(str::to_owned).collect(),
            patterns: patterns.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Whether the query asks for the series `name`, and how.
    pub fn chooses(&self, name: &str) -> Option<Chosen> {
        if self.names.contains(name) {
            return Some(Chosen::ByName);
        }
        self.patterns.iter().any(|pattern| matches(pattern, name)).then_some(Chosen::ByPattern)
    }
}

/// Whether `name` is `pattern` with characters in the place of each `*`. The first place that fits each piece between
/// two stars is as good as any other, so nothing is ever tried twice.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = left.split_once(piece) else {
            return false;
        };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Code;
    use proptest::prelude::*;

    #[test]
    fn names_and_patterns_choose_their_series() {
        let selection = Selection::read(Some("cpu.usage,memory.*,network.*.bytesSent")).unwrap();
        assert_eq!(selection.chooses("cpu.usage"), Some(Chosen::ByName));
        for name in ["memory.used", "memory.", "memory.a.b", "network.interfaces.eth0.bytesSent"] {
            assert_eq!(selection.chooses(name), Some(Chosen::ByPattern), "{name}");
        }
        for name in ["cpu.usage2", "cpu", "memory", "network.bytesSent", "network.a.bytesSents", ""] {
            assert_eq!(selection.chooses(name), None, "{name}");
        }
    }

    #[test]
    fn without_a_list_every_series_is_chosen() {
        let selection = Selection::read(None).unwrap();
        assert!(["", "a", "é,*"].iter().all(|name| selection.chooses(name) == Some(Chosen::ByPattern)));
    }

    #[test]
    fn a_list_that_means_nothing_is_refused() {
        let crowd = vec!["a"; MAX_SERIES + 1].join(",");
        for text in ["", "a,,b", "a,", &"x".repeat(MAX_NAME_BYTES + 1), &crowd] {
            let refused = Selection::read(Some(text)).unwrap_err();
            assert_eq!(
                (refused.code, refused.field.as_deref()),
                (Code::InvalidField, Some("series")),
                "{text}"
            );
        }
        assert!(Selection::read(Some(&vec!["a"; MAX_SERIES].join(","))).is_ok());
    }

    /// The definition of a pattern, in exponential time.
    fn naively_matches(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|taken| naively_matches(rest, &name[taken..])),
            Some((character, rest)) => name.first() == Some(character) && naively_matches(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab*]{0,7}", name in "[ab]{0,8}") {
            let (pattern_characters, characters): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches(&pattern, &name), naively_matches(&pattern_characters, &characters));
        }
    }
}
