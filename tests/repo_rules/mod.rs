//! Rules of the repository that no lint can express, each as one test whose name is the rule.
//! A rule is a function from text to findings; its test first shows that it finds a fault in a sample, then that the
//! repository has none. Rules read files and `cargo metadata`, and build nothing.

mod arrows;
mod circles;
mod documents;
mod files;
mod markdown;
mod names;
mod pinned;
mod repository;
mod template;
mod translations;
mod vocabulary;

use repository::{Findings, assert_none};
