//! The repository's rules that no lint can state, each as one test whose name is the rule.
//! Every rule is a function from text to findings; its test first shows that it would catch a violation, then
//! that the repository has none. They read files and `cargo metadata`, and build nothing.

mod arrows;
mod circles;
mod documents;
mod files;
mod names;
mod policies;
mod repository;
mod template;

use repository::{Findings, assert_none};
