//! A report as it was read from a frame, before defaults are applied and its time is checked.

use super::fields::Field;
use crate::ids::{AppId, MalformedId, Source};
use crate::rejection::Rejection;
use crate::report::{Document, Report, check_timestamp};
use crate::time::{MalformedTimestamp, TimestampMs};

/// The sender of a frame, and when the frame arrived.
#[derive(Debug, Clone)]
pub struct ReportSender {
    /// The source of reports that name none.
    pub source: Source,
    /// The instant of arrival.
    pub arrival: TimestampMs,
}

/// A report whose document is valid. `source` and `timestamp` may be malformed, because the library's reports are
/// accepted nevertheless ([`crate::legacy::report`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDraft {
    /// The app that it is about.
    pub app: AppId,
    /// The `source`.
    pub source: Field<Source>,
    /// The `timestamp`.
    pub timestamp: Field<TimestampMs>,
    /// Its position in the frame.
    pub index: usize,
    /// The document.
    pub document: Document,
}

impl ReportDraft {
    /// The report, with the sender's source and the arrival if the frame names neither.
    ///
    /// # Errors
    /// `invalid_field` for a malformed source or timestamp, `timestamp_out_of_range`.
    pub fn into_report(self, sender: &ReportSender) -> Result<Report, Rejection> {
        let arrival = self.arrival(sender);
        let source = self.source.optional("source", MalformedId)?.unwrap_or_else(|| sender.source.clone());
        let timestamp = self.timestamp.optional("timestamp", MalformedTimestamp)?.unwrap_or(arrival);
        check_timestamp(timestamp, sender.arrival)?;
        Ok(Report { app: self.app, source, timestamp, document: self.document })
    }

    /// The source and the timestamp of the report that [`Self::into_report`] makes; `None` if it makes none.
    pub fn placed<'d>(&'d self, sender: &'d ReportSender) -> Option<(&'d Source, TimestampMs)> {
        let source = match &self.source {
            Field::Absent => &sender.source,
            Field::Valid(source) => source,
            Field::Malformed => return None,
        };
        let timestamp = match self.timestamp {
            Field::Absent => self.arrival(sender),
            Field::Valid(timestamp) => timestamp,
            Field::Malformed => return None,
        };
        check_timestamp(timestamp, sender.arrival).is_ok().then_some((source, timestamp))
    }

    /// The instant that stands in for a missing timestamp, different for each report of a frame.
    pub(crate) fn arrival(&self, sender: &ReportSender) -> TimestampMs {
        sender.arrival.plus_ms(i64::try_from(self.index).unwrap_or(0))
    }
}
