//! A report: one metrics message with its app, source, timestamp and document.

use sha2::{Digest, Sha256};

use crate::epoch_unit::EpochUnit;
use crate::ids::{AppId, Source};
use crate::rejection::{Code, Rejection};
use crate::series;
use crate::time::{HOUR_MS, MINUTE_MS, TimestampMs};

/// Largest document in bytes of minified JSON. A frame for the library's dashboard has it twice, in at most 30 KB.
pub const MAX_DOCUMENT_BYTES: usize = 14 * 1024;

/// Age of the oldest report that is accepted, in milliseconds.
pub const MAX_LATENESS_MS: i64 = 48 * HOUR_MS;

/// How far in the future a report may be, in milliseconds: clocks of hosts differ.
pub const MAX_AHEAD_MS: i64 = 5 * MINUTE_MS;

/// A metrics document: a JSON object as it was sent, without white space outside strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(String);

impl Document {
    /// Minifies a valid JSON text and checks its limits.
    ///
    /// # Errors
    /// `too_large`, `too_deep`, `too_many_series`, `invalid_json` or `invalid_field`, with `metrics` or a part of it as field.
    pub fn accept(json: &str) -> Result<Self, Rejection> {
        let minified = minified(json);
        if minified.len() > MAX_DOCUMENT_BYTES {
            let message =
                format!("metrics has {} bytes, at most {MAX_DOCUMENT_BYTES} are accepted", minified.len());
            return Err(Rejection::new(Code::TooLarge, message).at("metrics"));
        }
        series::check_new(&minified)?;
        Ok(Self(minified))
    }

    /// A document that was accepted before, as the table has it.
    pub fn stored(minified: String) -> Self {
        Self(minified)
    }

    /// The minified JSON object.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Passes each sample to `visit`, as [`series::for_each_sample`] does. An accepted document cannot fail.
    pub(crate) fn for_each_sample(&self, visit: impl FnMut(&str, f64)) {
        drop(series::for_each_sample(&self.0, visit));
    }

    /// First 64 bits of the SHA-256 of the minified text.
    pub fn hash(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(self.0.as_bytes()));
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// `json` without the white space outside its strings; numbers keep their digits.
fn minified(json: &str) -> String {
    let mut kept = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        kept.push(character);
    }
    kept
}

/// An accepted report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The app that it is about.
    pub app: AppId,
    /// The process that sent it.
    pub source: Source,
    /// The instant that it describes, not that of its arrival.
    pub timestamp: TimestampMs,
    /// The document.
    pub document: Document,
}

/// Recent reports of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentReports {
    /// The reports.
    pub reports: Vec<Report>,
    /// Whether there are no others in the requested time.
    pub is_complete: bool,
}

/// Digits of a timestamp in a report's id: enough for the year 9999, so that ids sort by time as text.
const TIMESTAMP_DIGITS: usize = 15;

impl Report {
    /// The report's id, unique in its app: `{timestamp ms, zero padded}#{source}#{hash}`. The same report sent again has
    /// the same id. Reports are stored under it, except those of the library ([`crate::legacy::dedup_window`]).
    pub fn id(&self) -> String {
        format!("{}#{}#{:016x}", sortable(self.timestamp), self.source, self.document.hash())
    }
}

/// `timestamp` as digits that sort by time as text: the prefix of every id of that instant.
pub fn sortable(timestamp: TimestampMs) -> String {
    format!("{:0TIMESTAMP_DIGITS$}", timestamp.ms())
}

/// Checks the age of a report that arrives at `now`.
///
/// # Errors
/// `timestamp_out_of_range` when it is more than [`MAX_LATENESS_MS`] before or [`MAX_AHEAD_MS`] after `now`.
pub fn check_timestamp(timestamp: TimestampMs, now: TimestampMs) -> Result<(), Rejection> {
    let age_ms = now.ms_since(timestamp);
    let problem = if let Some(unit) = EpochUnit::guess(timestamp.ms() as f64) {
        unit.demand()
    } else if age_ms > MAX_LATENESS_MS {
        format!("is older than {} hours", MAX_LATENESS_MS / HOUR_MS)
    } else if age_ms < -MAX_AHEAD_MS {
        format!("is more than {} minutes ahead of the service's clock", MAX_AHEAD_MS / MINUTE_MS)
    } else {
        return Ok(());
    };
    Err(Rejection::new(Code::TimestampOutOfRange, format!("timestamp {timestamp} {problem}")).at("timestamp"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(timestamp_ms: i64, json: &str) -> Report {
        Report {
            app: AppId::new("shop").unwrap(),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(timestamp_ms),
            document: Document::accept(json).unwrap(),
        }
    }

    #[test]
    fn white_space_does_not_change_the_report() {
        let spaced = "{ \"a b\" : [ 1 ,\n\t2.50 ] , \"q\\\" \" : \"x  y\\\\\" }";
        let document = Document::accept(spaced).unwrap();
        assert_eq!(document.as_str(), "{\"a b\":[1,2.50],\"q\\\" \":\"x  y\\\\\"}");
        assert_eq!(report(1, spaced).id(), report(1, document.as_str()).id());
    }

    #[test]
    fn document_of_exactly_the_limit_is_accepted() {
        let filled = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(Document::accept(&filled(MAX_DOCUMENT_BYTES)).is_ok());
        let refused = Document::accept(&filled(MAX_DOCUMENT_BYTES + 1)).unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
    }

    #[test]
    fn age_limits_are_inclusive() {
        let now = TimestampMs::EXAMPLE;
        for (offset_ms, is_accepted) in [
            (-MAX_LATENESS_MS, true),
            (-MAX_LATENESS_MS - 1, false),
            (0, true),
            (MAX_AHEAD_MS, true),
            (MAX_AHEAD_MS + 1, false),
        ] {
            assert_eq!(check_timestamp(now.plus_ms(offset_ms), now).is_ok(), is_accepted, "{offset_ms}");
        }
    }

    #[test]
    fn timestamp_in_seconds_is_rejected_with_a_hint() {
        let seconds = TimestampMs::clamped(TimestampMs::EXAMPLE.seconds());
        let rejected = check_timestamp(seconds, TimestampMs::EXAMPLE).unwrap_err();
        assert_eq!(rejected.code, Code::TimestampOutOfRange);
        assert!(rejected.message.ends_with("seems to be seconds"), "{}", rejected.message);
    }

    #[test]
    fn id_is_made_of_timestamp_source_and_document() {
        assert_eq!(report(TimestampMs::EXAMPLE.ms(), "{}").id(), "001795352461387#web-1#44136fa355b3678a");
    }

    proptest! {
        #[test]
        fn ids_sort_by_time(earlier in 0..253_402_127_000_000_i64, gap in 1..1_000_000_i64) {
            let later = earlier + gap;
            let (first, second) = (report(earlier, "{}").id(), report(later, "{}").id());
            prop_assert!(first < second);
        }
    }
}
