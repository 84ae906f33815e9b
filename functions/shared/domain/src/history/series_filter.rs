//! What of the rollups that are read an answer needs.
//!
//! Owns leaving out the series that a query does not ask for as soon as a rollup is read, so that the memory of an
//! answer depends on what it tells and not on what an application reports. Refuses where a query asks for too much.

use std::collections::HashSet;

use super::HistoryQuery;
use super::quota::Quota;
use super::selection::Selection;
use crate::rejection::Rejection;
use crate::rollup::Rollup;

/// The series that a query asks for, as they turn up in what is read.
#[derive(Debug)]
pub struct SeriesFilter<'q> {
    selection: &'q Selection,
    quota: Quota,
    /// The names that are kept.
    kept: HashSet<String>,
}

impl<'q> SeriesFilter<'q> {
    /// That of rollups which answer `query`.
    pub fn new(query: &'q HistoryQuery) -> Self {
        Self { selection: &query.selection, quota: query.quota(), kept: HashSet::new() }
    }

    /// Leaves out of `rollup` what is not asked for, and what is too much.
    pub fn apply(&mut self, rollup: &mut Rollup) {
        rollup.retain(|name| self.keeps(name));
    }

    fn keeps(&mut self, name: &str) -> bool {
        if self.kept.contains(name) {
            return true;
        }
        let is_kept = self.selection.chooses(name).is_some_and(|chosen| self.quota.admits(chosen));
        if is_kept {
            self.kept.insert(name.to_owned());
        }
        is_kept
    }

    /// Passes where nothing was too much.
    ///
    /// # Errors
    /// `too_many_series`, blaming `series`.
    pub fn check(&self) -> Result<(), Rejection> {
        self.quota.check()
    }
}
