//! Publishers whose clocks are wrong, in words: their reports are stamped with their arrival, and nobody else tells
//! that to an operator. docs/SEMANTICS.md, "Lateness", says which clocks are wrong.

use nsl_aws::publishers::WrongClock;
use nsl_domain::time::TimestampMs;
use serde_json::{Value, json};

const SECOND_MS: u64 = 1_000;
const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// Such as `started-2026-11-22T13:00:51Z is 7 h ahead, as seen at 2026-11-22T13:01:01.387Z`.
pub(crate) fn in_words(clock: &WrongClock) -> String {
    let side = if clock.ahead_ms > 0 { "ahead" } else { "behind" };
    let off = span(clock.ahead_ms.unsigned_abs() / SECOND_MS);
    format!("{} is {off} {side}, as seen at {}", clock.source, clock.seen)
}

/// The same for programs.
pub(crate) fn documents(clocks: &[WrongClock]) -> Vec<Value> {
    let document = |clock: &WrongClock| {
        let seen = TimestampMs::to_string(&clock.seen);
        json!({"source": clock.source, "aheadMs": clock.ahead_ms, "seen": seen})
    };
    clocks.iter().map(document).collect()
}

/// A span in its largest unit of which it has two.
fn span(seconds: u64) -> String {
    for (unit_s, name) in [(DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min")] {
        if seconds >= 2 * unit_s {
            return format!("{} {name}", seconds / unit_s);
        }
    }
    format!("{seconds} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::ids::Source;

    #[test]
    fn a_wrong_clock_is_told_with_its_side_and_a_unit_that_fits() {
        let told = |ahead_ms| {
            let source = Source::new("web-1").unwrap();
            in_words(&WrongClock { source, ahead_ms, seen: TimestampMs::clamped(0) })
        };
        assert_eq!(told(7 * 3_600_000), "web-1 is 7 h ahead, as seen at 1970-01-01T00:00:00.000Z");
        assert!(told(-301_000).contains("is 5 min behind"));
        assert!(told(-1_795_352_461_387).contains("is 20779 days behind"));
        assert_eq!(span(119), "119 s");
    }
}
