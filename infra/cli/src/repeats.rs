//! Which reports were seen already. A report may come live and in a replay; its id says that it is the same one.

use std::collections::{HashSet, VecDeque};

/// Ids kept. A replay reaches back five seconds beyond the last report seen: two thousand reports a second fit.
const KEPT_IDS: usize = 10_000;

/// The ids of the latest reports.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    known: HashSet<String>,
    oldest_first: VecDeque<String>,
}

impl Repeats {
    /// Whether a report with this id was asked about before; remembers it. A report without an id is never a repeat.
    pub(crate) fn is_repeat(&mut self, id: Option<&str>) -> bool {
        let Some(id) = id else { return false };
        if !self.known.insert(id.to_owned()) {
            return true;
        }
        self.oldest_first.push_back(id.to_owned());
        if self.oldest_first.len() > KEPT_IDS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_sight_is_a_repeat() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_repeat(Some("a")));
        assert!(!repeats.is_repeat(Some("b")));
        assert!(repeats.is_repeat(Some("a")));
    }

    #[test]
    fn reports_without_id_are_all_shown() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_repeat(None));
        assert!(!repeats.is_repeat(None));
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut repeats = Repeats::default();
        for number in 0..=KEPT_IDS {
            assert!(!repeats.is_repeat(Some(&number.to_string())));
        }
        assert_eq!(repeats.known.len(), KEPT_IDS);
        assert!(repeats.is_repeat(Some("1")));
        assert!(!repeats.is_repeat(Some("0")));
    }
}
