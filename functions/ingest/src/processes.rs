//! Which process speaks on a legacy connection, as far as this instance has met it.
//!
//! A connection's process never changes, so what is known does not age; only that its clock is wrong is to be noted
//! anew from time to time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::time::{HOUR_MS, TimestampMs};

/// Most connections whose process is remembered; beyond it all is forgotten, which costs each a write.
const MAX_REMEMBERED: usize = 10_000;

/// Least distance between two notes of one connection's wrong clock.
const NOTE_EVERY_MS: i64 = HOUR_MS;

/// A connection and the application that it reports for.
pub(crate) type Speaker = (ConnectionId, AppId);

#[derive(Debug)]
struct Known {
    source: Source,
    /// When its clock was last noted as wrong.
    noted: Option<TimestampMs>,
}

/// The processes of legacy connections.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    known: Mutex<HashMap<Speaker, Known>>,
}

impl Processes {
    /// The process of `speaker`, unless it is unknown here, or its clock is wrong and that is to be noted.
    pub(crate) fn known(&self, speaker: &Speaker, is_wrong: bool, now: TimestampMs) -> Option<Source> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.get(speaker)?;
        let is_noted = held.noted.is_some_and(|noted| (0..NOTE_EVERY_MS).contains(&now.ms_since(noted)));
        (!is_wrong || is_noted).then(|| held.source.clone())
    }

    /// Remembers `source`, and whether its clock was noted as wrong at `now`.
    pub(crate) fn keep(&self, speaker: Speaker, source: Source, is_wrong: bool, now: TimestampMs) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(speaker, Known { source, noted: is_wrong.then_some(now) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(connection: &str) -> Speaker {
        (ConnectionId::new(connection), AppId::new("shop").unwrap())
    }

    #[test]
    fn a_wrong_clock_is_noted_once_an_hour_and_a_right_one_never() {
        let processes = Processes::default();
        let (source, start) = (Source::new("s").unwrap(), TimestampMs::clamped(1_000_000));
        let known =
            |is_wrong, later_ms| processes.known(&speaker("a="), is_wrong, start.plus_ms(later_ms)).is_some();
        assert!(!known(false, 0));
        processes.keep(speaker("a="), source.clone(), false, start);
        assert!(known(false, 10 * HOUR_MS) && !known(true, 0));
        processes.keep(speaker("a="), source, true, start);
        assert_eq!([0, HOUR_MS - 1, HOUR_MS].map(|later_ms| known(true, later_ms)), [true, true, false]);
        assert!(known(false, HOUR_MS));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let processes = Processes::default();
        for index in 0..2 * MAX_REMEMBERED {
            let source = Source::new("s").unwrap();
            processes.keep(speaker(&format!("{index}=")), source, false, TimestampMs::clamped(0));
            assert!(processes.known.lock().unwrap().len() <= MAX_REMEMBERED);
        }
    }
}
