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
}

/// Everything that is cut.
pub type Truncations = BTreeSet<Truncated>;
