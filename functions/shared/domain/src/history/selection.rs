//! The series that a query selects: names, and patterns in which `*` matches any characters.

use std::collections::HashSet;

use crate::rejection::Rejection;
use crate::series::{MAX_NAME_BYTES, MAX_SERIES};

/// Most series of an answer that are selected by a pattern and not by name.
pub const MAX_PATTERN_SERIES: usize = 64;

/// The series named by a query, and those that match one of its patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    names: HashSet<String>,
    patterns: Vec<String>,
}

/// How a series is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectedBy {
    /// The query names it.
    Name,
    /// It matches a pattern, and so counts towards [`MAX_PATTERN_SERIES`].
    Pattern,
}

impl Selection {
    /// Reads comma-separated lists such as `cpu.usage,memory.*` as one; without any, every series is selected. `*` matches
    /// any characters, dots included, and none. A list with a comma selects the series of that whole name too, because a
    /// name may contain commas.
    ///
    /// # Errors
    /// `invalid_field` of the field `series` for an empty entry, one longer than a name can be, or more entries than a
    /// document has series.
    pub fn read(lists: &[&str]) -> Result<Self, Rejection> {
        let lists = if lists.is_empty() { &["*"] } else { lists };
        let entries: Vec<&str> = lists.iter().flat_map(|list| list.split(',')).collect();
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
            names: names.iter().chain(lists).copied().map(str::to_owned).collect(),
            patterns: patterns.into_iter().map(str::to_owned).collect(),
        })
    }

    /// How the series `name` is selected; `None` if it is not.
    pub fn select(&self, name: &str) -> Option<SelectedBy> {
        if self.names.contains(name) {
            return Some(SelectedBy::Name);
        }
        self.patterns.iter().any(|pattern| matches(pattern, name)).then_some(SelectedBy::Pattern)
    }
}

/// Whether `name` is `pattern` with characters in the place of each `*`. Matching each piece between two stars at its
/// first position never excludes a match, so there is no backtracking.
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
    fn names_and_patterns_select_their_series() {
        let selection = Selection::read(&["cpu.usage", "memory.*,network.*.bytesSent"]).unwrap();
        assert_eq!(selection.select("cpu.usage"), Some(SelectedBy::Name));
        for name in ["memory.used", "memory.", "memory.a.b", "network.interfaces.eth0.bytesSent"] {
            assert_eq!(selection.select(name), Some(SelectedBy::Pattern), "{name}");
        }
        for name in ["cpu.usage2", "cpu", "memory", "network.bytesSent", "network.a.bytesSents", ""] {
            assert_eq!(selection.select(name), None, "{name}");
        }
        let all = Selection::read(&[]).unwrap();
        assert!(["", "a", "é,*"].iter().all(|name| all.select(name) == Some(SelectedBy::Pattern)));
    }

    #[test]
    fn list_also_selects_the_series_of_its_whole_name() {
        let selection = Selection::read(&["a,b", "c"]).unwrap();
        for name in ["a", "b", "c", "a,b"] {
            assert_eq!(selection.select(name), Some(SelectedBy::Name), "{name}");
        }
        assert!(["a,b,c", "b,c"].iter().all(|name| selection.select(name).is_none()));
    }

    #[test]
    fn invalid_list_is_rejected() {
        let too_many = vec!["a"; MAX_SERIES + 1].join(",");
        for text in ["", "a,,b", "a,", &"x".repeat(MAX_NAME_BYTES + 1), &too_many] {
            let rejected = Selection::read(&[text]).unwrap_err();
            assert_eq!(
                (rejected.code, rejected.field.as_deref()),
                (Code::InvalidField, Some("series")),
                "{text}"
            );
        }
        assert!(Selection::read(&[&vec!["a"; MAX_SERIES].join(",")]).is_ok());
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
