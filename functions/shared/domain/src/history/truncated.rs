//! The member `truncated` of an answer: what is incomplete in it (docs/PROTOCOL.md, "HTTP").

use std::collections::BTreeSet;

use serde::Serialize;

/// One kind of incompleteness, in the order of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncated {
    /// More sources exist than are listed.
    Sources,
    /// More series exist than are listed.
    Series,
    /// Percentiles may be more than 1 % off.
    Precision,
    /// Only the first of the default aggregates fit.
    Aggregates,
}

/// Everything that is incomplete in an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Truncations(BTreeSet<Truncated>);

impl Truncations {
    /// Adds `what` if `is_truncated`.
    pub fn note(&mut self, what: Truncated, is_truncated: bool) {
        if is_truncated {
            self.0.insert(what);
        }
    }

    /// The same without `what`.
    #[must_use]
    pub(super) fn without(mut self, what: Truncated) -> Self {
        self.0.remove(&what);
        self
    }

    /// Whether the answer is complete.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
