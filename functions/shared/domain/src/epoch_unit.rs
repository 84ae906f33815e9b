//! Recognises epoch seconds, microseconds and nanoseconds where milliseconds are meant.
//! The four do not overlap for the instants that anyone stores: those of the years after 2001.

/// 1973-03-03 in seconds. Smaller numbers may be meant as the beginning of 1970.
const LEAST_S: f64 = 1e8;
/// 1973-03-03 in milliseconds, and the year 5138 in seconds.
const LEAST_MS: f64 = 1e11;
/// 2001-09-09 in microseconds, and beyond the last instant in milliseconds.
const LEAST_US: f64 = 1e15;
/// 2001-09-09 in nanoseconds.
const LEAST_NS: f64 = 1e18;

/// A unit that is not milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// As `date +%s` and most languages' standard libraries return it.
    Seconds,
    /// As Python's and PostgreSQL's tools write it.
    Microseconds,
    /// As Go and InfluxDB write it.
    Nanoseconds,
}

impl EpochUnit {
    /// The unit that `number` seems to be in; `None` if it is an instant in milliseconds, or no instant at all.
    pub fn guess(number: f64) -> Option<Self> {
        if (LEAST_S..LEAST_MS).contains(&number) {
            Some(Self::Seconds)
        } else if (LEAST_US..LEAST_NS).contains(&number) {
            Some(Self::Microseconds)
        } else {
            (number >= LEAST_NS).then_some(Self::Nanoseconds)
        }
    }

    /// What the caller must do, as in "must be ...".
    pub fn demand(self) -> String {
        format!("must be milliseconds since 1970, and seems to be {}", self.as_str())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_guessed_by_magnitude() {
        use EpochUnit::{Microseconds, Nanoseconds, Seconds};
        for (number, unit) in [
            (0.0, None),
            (99_999_999.0, None),
            (100_000_000.0, Some(Seconds)),
            (1_000_000_000.0, Some(Seconds)),
            (1_795_771_979.0, Some(Seconds)),
            (99_999_999_999.9, Some(Seconds)),
            (100_000_000_000.0, None),
            (1_795_771_979_000.0, None),
            (253_402_300_799_999.0, None),
            (1_795_771_979_000_000.0, Some(Microseconds)),
            (1_795_771_979_000_000_000.0, Some(Nanoseconds)),
            (-1_795_771_979.0, None),
        ] {
            assert_eq!(EpochUnit::guess(number), unit, "{number}");
        }
    }
}
