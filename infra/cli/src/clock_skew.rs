//! Publishers with wrong clocks, as text. Their reports are stamped with the time of arrival:
//! docs/SEMANTICS.md, "Lateness".

use nsl_aws::legacy::WrongClock;

/// Such as `web-1 is 7 h ahead, as seen at 2026-11-22T13:01:01.387Z`.
pub(crate) fn line(clock: &WrongClock) -> String {
    let side = if clock.ahead_ms > 0 { "ahead" } else { "behind" };
    let off = duration(clock.ahead_ms.unsigned_abs() / 1_000);
    format!("{} is {off} {side}, as seen at {}", clock.source, clock.seen)
}

/// A duration in the largest unit that makes at least two.
fn duration(seconds: u64) -> String {
    for (unit_seconds, name) in [(86_400, "days"), (3_600, "h"), (60, "min")] {
        if seconds >= 2 * unit_seconds {
            return format!("{} {name}", seconds / unit_seconds);
        }
    }
    format!("{seconds} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::ids::Source;
    use nsl_domain::time::TimestampMs;

    #[test]
    fn line_shows_direction_and_a_fitting_unit() {
        let line = |ahead_ms| {
            let source = Source::new("web-1").unwrap();
            line(&WrongClock { source, ahead_ms, seen: TimestampMs::clamped(0) })
        };
        assert_eq!(line(7 * 3_600_000), "web-1 is 7 h ahead, as seen at 1970-01-01T00:00:00.000Z");
        assert!(line(-301_000).contains("is 5 min behind"));
        assert!(line(-1_795_352_461_387).contains("is 20779 days behind"));
        assert_eq!(duration(119), "119 s");
    }
}
