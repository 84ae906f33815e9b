//! Deduplicates reports by id: one that is delivered live may also be part of a replay.

use std::collections::{HashSet, VecDeque};

/// Ids that are kept. A replay starts five seconds before the last report, so this is enough for 2,000 reports a second.
const MAX_IDS: usize = 10_000;

/// The ids of the latest reports.
#[derive(Debug, Default)]
pub(crate) struct SeenReports {
    ids: HashSet<String>,
    oldest_first: VecDeque<String>,
}

impl SeenReports {
    /// Records the report's id; false if it was recorded before. A report without an id is always new.
    pub(crate) fn insert(&mut self, id: Option<&str>) -> bool {
        let Some(id) = id else { return true };
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.oldest_first.push_back(id.to_owned());
        if self.oldest_first.len() > MAX_IDS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_no_id_is_always_new() {
        let mut seen = SeenReports::default();
        assert!(seen.insert(Some("a")) && seen.insert(Some("b")));
        assert!(!seen.insert(Some("a")));
        assert!(seen.insert(None) && seen.insert(None));
    }

    #[test]
    fn the_oldest_id_is_evicted() {
        let mut seen = SeenReports::default();
        for number in 0..=MAX_IDS {
            assert!(seen.insert(Some(&number.to_string())));
        }
        assert_eq!(seen.ids.len(), MAX_IDS);
        assert!(!seen.insert(Some("1")));
        assert!(seen.insert(Some("0")));
    }
}
