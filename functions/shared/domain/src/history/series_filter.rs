//! Removes the series that a query does not select from each rollup as soon as it is read.

use std::collections::HashSet;

use super::query::HistoryQuery;
use super::quota::Quota;
use super::selection::Selection;
use crate::rejection::Rejection;
use crate::rollup::Rollup;

/// The filter of all rollups that one query reads: memory depends on the answer, not on what an application reports.
#[derive(Debug)]
pub struct SeriesFilter<'q> {
    selection: &'q Selection,
    quota: Quota,
    accepted: HashSet<String>,
}

impl<'q> SeriesFilter<'q> {
    /// The filter of `query`.
    pub fn new(query: &'q HistoryQuery) -> Self {
        Self { selection: &query.selection, quota: query.quota(), accepted: HashSet::new() }
    }

    /// Removes the series of `rollup` that are not selected, or exceed what an answer may have.
    pub fn apply(&mut self, rollup: &mut Rollup) {
        rollup.retain(|name| self.accepts(name));
    }

    fn accepts(&mut self, name: &str) -> bool {
        if self.accepted.contains(name) {
            return true;
        }
        let is_accepted = self.selection.select(name).is_some_and(|selected| self.quota.admit(selected));
        if is_accepted {
            self.accepted.insert(name.to_owned());
        }
        is_accepted
    }

    /// Fails if the selected series were more than an answer may have.
    ///
    /// # Errors
    /// `too_many_series` of the field `series`.
    pub fn check(&self) -> Result<(), Rejection> {
        self.quota.check()
    }
}
