//! Instants: whole milliseconds since 1970, in UTC.
//!
//! Read from ISO 8601 or epoch milliseconds, written as ISO 8601 with milliseconds and `Z`. Nothing here reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// How far the clock of an issuer of tokens may differ from ours, in milliseconds.
pub const CLOCK_SKEW_MS: i64 = 30 * SECOND_MS;

/// The last instant: the last start of a day that `jiff` can format, 9999-12-30T00:00:00Z. A whole day, so that an instant
/// rounded up to any step is in the range too; its milliseconds fit the fifteen digits that sort keys are padded to.
const LAST_MS: i64 = 253_402_128_000_000;

/// An instant in milliseconds since 1970, from 1970-01-01T00:00:00Z to 9999-12-30T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "IsoOrMs")]
pub struct TimestampMs(i64);

/// The forms in which clients send an instant.
#[derive(Deserialize)]
#[serde(untagged)]
enum IsoOrMs {
    Ms(i64),
    FractionalMs(f64),
    Iso(String),
}

/// A text or number that is not an instant of the range of [`TimestampMs`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be ISO 8601 with a time zone, or milliseconds since 1970, and not after 9999-12-30T00:00:00Z")]
pub struct MalformedTimestamp;

impl TimestampMs {
    /// A fixed instant for tests and documentation: 2026-11-22T13:01:01.387Z.
    pub const EXAMPLE: Self = Self(1_795_352_461_387);

    /// The instant `ms` milliseconds after 1970, clamped to the range.
    pub fn clamped(ms: i64) -> Self {
        Self(ms.clamp(0, LAST_MS))
    }

    /// The instant of `text` in ISO 8601, with `Z` or an offset; finer than a millisecond is cut off.
    ///
    /// # Errors
    /// [`MalformedTimestamp`] when it is not an ISO 8601 instant, has no time zone, or lies outside the range.
    pub fn from_iso(text: &str) -> Result<Self, MalformedTimestamp> {
        let instant: jiff::Timestamp = text.trim().parse().map_err(|_| MalformedTimestamp)?;
        Self::try_from(instant.as_millisecond())
    }

    /// Milliseconds since 1970.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    /// The instant `ms` milliseconds later, or earlier if it is negative, clamped to the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::clamped(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant, negative when it is in fact later.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The start of the span of `width_ms` that contains this instant; spans are counted from 1970.
    #[must_use]
    pub fn aligned_to(self, width_ms: i64) -> Self {
        Self(self.0 - self.0.rem_euclid(width_ms.max(1)))
    }
}

impl TryFrom<IsoOrMs> for TimestampMs {
    type Error = MalformedTimestamp;

    fn try_from(sent: IsoOrMs) -> Result<Self, MalformedTimestamp> {
        match sent {
            IsoOrMs::Ms(ms) => Self::try_from(ms),
            // The cast truncates the fraction and saturates, so that a number out of range stays out of range.
            IsoOrMs::FractionalMs(ms) => Self::try_from(ms as i64),
            IsoOrMs::Iso(text) => Self::from_iso(&text),
        }
    }
}

impl TryFrom<i64> for TimestampMs {
    type Error = MalformedTimestamp;
    fn try_from(ms: i64) -> Result<Self, MalformedTimestamp> {
        if (0..=LAST_MS).contains(&ms) { Ok(Self(ms)) } else { Err(MalformedTimestamp) }
    }
}

/// Writes ISO 8601 with exactly three digits of a second, as `Date.prototype.toISOString` does.
impl fmt::Display for TimestampMs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every instant of the range is one of `jiff`; the fallback only spares callers an error that cannot occur.
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        write!(formatter, "{instant:.3}")
    }
}

impl Serialize for TimestampMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn library_timestamps_are_read_and_written_alike() {
        let text = "2026-11-22T13:01:01.387Z";
        let instant = TimestampMs::from_iso(text).unwrap();
        assert_eq!(instant, TimestampMs::EXAMPLE);
        assert_eq!(instant.to_string(), text);
    }

    #[test]
    fn time_zone_is_applied_and_required() {
        assert_eq!(TimestampMs::from_iso("1970-01-01T01:00:00+01:00").unwrap().ms(), 0);
        for text in ["", "2026-11-22", "2026-11-22T13:01:01", "yesterday", "1969-12-31T23:59:59Z", "NaN"] {
            assert_eq!(TimestampMs::from_iso(text), Err(MalformedTimestamp), "{text:?}");
        }
    }

    #[test]
    fn json_instants_are_iso_or_milliseconds() {
        for (json, ms) in [
            ("1795352461387", Some(1_795_352_461_387)),
            ("1795352461387.9", Some(1_795_352_461_387)),
            ("\"2026-11-22T13:01:01.387Z\"", Some(1_795_352_461_387)),
            ("0", Some(0)),
            ("\"1795352461387\"", None),
            ("-1", None),
            ("1e300", None),
            ("253402128000000", Some(253_402_128_000_000)),
            ("253402128000001", None),
            ("253402300799999", None),
            ("\"9999-12-30T00:00:00Z\"", Some(253_402_128_000_000)),
            ("\"9999-12-31T23:59:59.999Z\"", None),
            ("true", None),
            ("{}", None),
        ] {
            let read: Result<TimestampMs, _> = serde_json::from_str(json);
            assert_eq!(read.ok().map(TimestampMs::ms), ms, "{json}");
        }
    }

    /// Milliseconds in and around the range, and near each of its ends.
    fn any_ms() -> impl Strategy<Value = i64> {
        let near = |ms: i64| (-DAY_MS..=DAY_MS).prop_map(move |offset| ms.saturating_add(offset));
        prop_oneof![0..=LAST_MS, any::<i64>(), near(0), near(LAST_MS), near(i64::MAX), near(i64::MIN)]
    }

    fn assert_in_range(instant: TimestampMs) -> Result<(), TestCaseError> {
        prop_assert!((0..=LAST_MS).contains(&instant.ms()));
        let text = instant.to_string();
        prop_assert_eq!(text.len(), "2026-11-22T13:01:01.387Z".len());
        prop_assert_eq!(serde_json::to_string(&instant).unwrap(), format!("\"{text}\""));
        prop_assert_eq!(TimestampMs::from_iso(&text), Ok(instant));
        Ok(())
    }

    #[test]
    fn range_ends_with_the_last_day_that_can_be_written() {
        assert_eq!(LAST_MS, jiff::Timestamp::MAX.as_millisecond() / DAY_MS * DAY_MS);
        assert_eq!(TimestampMs::clamped(i64::MAX).to_string(), "9999-12-30T00:00:00.000Z");
        assert_eq!(TimestampMs::clamped(i64::MIN).to_string(), "1970-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn every_clamped_instant_is_written_and_read_back(ms in any_ms()) {
            assert_in_range(TimestampMs::clamped(ms))?;
        }

        #[test]
        fn arithmetic_stays_in_the_range(ms in any_ms(), other in any_ms(), width_ms in any_ms()) {
            let (instant, other) = (TimestampMs::clamped(ms), TimestampMs::clamped(other));
            assert_in_range(instant.plus_ms(width_ms))?;
            assert_in_range(instant.aligned_to(width_ms))?;
            prop_assert_eq!(other.plus_ms(instant.ms_since(other)), instant);
        }

        #[test]
        fn instants_outside_the_range_are_refused(ms in any_ms()) {
            let is_valid = (0..=LAST_MS).contains(&ms);
            prop_assert_eq!(TimestampMs::try_from(ms).is_ok(), is_valid);
            prop_assert_eq!(serde_json::from_str::<TimestampMs>(&ms.to_string()).is_ok(), is_valid);
        }

        #[test]
        fn alignment_is_idempotent_and_never_later(ms in 0..=LAST_MS, width_ms in 1..DAY_MS) {
            let start = TimestampMs::clamped(ms).aligned_to(width_ms);
            prop_assert_eq!(start.aligned_to(width_ms), start);
            prop_assert!((0..width_ms).contains(&(ms - start.ms())));
        }
    }
}
