//! What an answer does not tell whole.
//!
//! Owns the words of `truncated`, which stands in an answer only where there is something to say. Ruled by
//! docs/PROTOCOL.md, "HTTP".

use std::collections::BTreeSet;

use serde::Serialize;

/// One thing that is cut, in the order of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncated {
    /// There are more sources than are told.
    Sources,
    /// There are more series than are told.
    Series,
    /// Percentiles may lie further than 1 % off.
    Precision,
    /// Of the default aggregates only the first are told.
    Aggregates,
}

/// Everything that is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Truncations(BTreeSet<Truncated>);

impl Truncations {
    /// Notes `what` where it is cut.
    pub fn note(&mut self, what: Truncated, is_cut: bool) {
        if is_cut {
            self.0.insert(what);
        }
    }

    /// The same without `what`, which the answer does not tell of.
    #[must_use]
    pub(super) fn without(mut self, what: Truncated) -> Self {
        self.0.remove(&what);
        self
    }

    /// Whether everything is told whole.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
