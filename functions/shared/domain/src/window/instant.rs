//! Reads an instant of a query: ISO 8601 or epoch milliseconds, with a hint at what was probably meant.

use crate::epoch_unit::EpochUnit;
use crate::rejection::Rejection;
use crate::time::{MalformedTimestamp, TimestampMs};

/// The instant in the parameter `field`. A number is read as in frames, so that a fraction is cut off.
///
/// # Errors
/// `invalid_field` of `field`.
pub(super) fn instant(field: &str, text: &str) -> Result<TimestampMs, Rejection> {
    let number: Option<f64> = serde_json::from_str(text).ok();
    if let Some(unit) = number.and_then(EpochUnit::guess) {
        return Err(Rejection::invalid(field, unit.demand()));
    }
    if is_offset_after_blank(text) {
        let demand = "must have its + written as %2B, because a + in a query is a blank";
        return Err(Rejection::invalid(field, demand));
    }
    let read = match number {
        Some(_) => serde_json::from_str(text).ok(),
        None => TimestampMs::from_iso(text).ok(),
    };
    read.ok_or_else(|| Rejection::invalid(field, MalformedTimestamp))
}

/// Whether `text` is an instant with a blank in the place of the sign of its offset.
fn is_offset_after_blank(text: &str) -> bool {
    text.trim_end()
        .rsplit_once(' ')
        .is_some_and(|(local, offset)| TimestampMs::from_iso(&format!("{local}+{offset}")).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<i64, String> {
        instant("from", text).map(TimestampMs::ms).map_err(|rejection| {
            assert_eq!(rejection.field.as_deref(), Some("from"));
            rejection.message
        })
    }

    #[test]
    fn milliseconds_are_read_as_in_frames() {
        for text in ["1795348800000", "1795348800000.9", "1.7953488e12", "2026-11-22T13:00:00+01:00"] {
            assert_eq!(read(text), Ok(1_795_348_800_000), "{text}");
        }
        assert_eq!((read("0"), read("1")), (Ok(0), Ok(1)));
    }

    #[test]
    fn other_units_are_rejected_with_a_hint() {
        for (text, unit) in [
            ("1795348800", "seconds"),
            ("1795348800.5", "seconds"),
            ("1795348800000000", "microseconds"),
            ("1795348800000000000", "nanoseconds"),
            ("99999999999999999999", "nanoseconds"),
        ] {
            let expected = format!("from must be milliseconds since 1970, and seems to be {unit}");
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn plus_that_became_a_blank_is_rejected_with_a_hint() {
        for text in ["2026-11-27T10:00:00 02:00", "2026-11-27T10:00:00.5 0200", "2026-11-27 10:00:00 02:00"] {
            assert!(read(text).unwrap_err().contains("%2B"), "{text}");
        }
        for text in ["2026-11-27 10:00:00", "2026-11-27", "yesterday", "", " ", "-1", "-1795348800", "NaN"] {
            assert!(read(text).unwrap_err().contains("must be ISO 8601 with a time zone"), "{text}");
        }
    }
}
