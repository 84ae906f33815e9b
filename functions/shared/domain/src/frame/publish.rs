//! `metrics` and `send_metrics`: one report or a batch, each accepted or rejected by itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::ReportDraft;
use super::envelope::{Envelope, FrameId, RejectedFrame};
use super::fields::{self, Field};
use crate::ids::{AppId, MalformedAppId, Source, UserId};
use crate::isolation::{Panicked, isolated};
use crate::legacy::ids::{LibraryIds, id_or_number};
use crate::rejection::{Code, Rejection};
use crate::report::Document;
use crate::time::TimestampMs;

/// Most reports in one frame.
pub const MAX_BATCH_REPORTS: usize = 100;

/// Largest frame in bytes whose `data` is an array.
pub const MAX_BATCH_BYTES: usize = 30 * 1024;

/// The frame types that carry reports: the second is the library's.
pub const TYPES: [&str; 2] = ["metrics", "send_metrics"];

/// A frame of reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFrame {
    /// The client's id of the frame; only a frame with an id gets an `ack`.
    pub id: Option<FrameId>,
    /// Its reports, in the order of the frame.
    pub entries: Vec<ReportEntry>,
    /// Whether `data` was an array.
    pub is_batch: bool,
}

/// One report of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEntry {
    /// The app that it names, set even if the rest is rejected.
    pub app: Option<AppId>,
    /// The user that it names, which only the library does.
    pub user: Field<UserId>,
    /// Length of its text in bytes.
    pub bytes: usize,
    /// The report, or why it is rejected. The field of the rejection is relative to the report.
    pub outcome: Result<ReportDraft, Rejection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportFields<'a> {
    #[serde(borrow)]
    app_id: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "id_or_number")]
    user_id: Field<UserId>,
    #[serde(borrow)]
    metrics: Option<&'a RawValue>,
    #[serde(default)]
    timestamp: Field<TimestampMs>,
    #[serde(default)]
    source: Field<Source>,
}

impl ReportFrame {
    /// Reads the text of a frame.
    ///
    /// # Errors
    /// What makes the whole frame unusable: not a JSON object, another type, no `data`, too many reports or bytes.
    pub fn read(text: &str) -> Result<Self, RejectedFrame> {
        let envelope = Envelope::read(text)?;
        match read_entries(&envelope, text.len()) {
            Ok(entries) => {
                Ok(Self { is_batch: envelope.data.is_some_and(is_array), id: envelope.id, entries })
            }
            Err(rejection) => Err(RejectedFrame { rejection, id: envelope.id }),
        }
    }

    /// The app of each report that names one, in order and with repeats.
    pub fn apps(&self) -> impl Iterator<Item = &AppId> {
        self.entries.iter().filter_map(|entry| entry.app.as_ref())
    }

    /// Whether it has the form of a frame of the library: one report, which names a user.
    pub fn is_of_library(&self) -> bool {
        self.library_entry().is_some()
    }

    /// The ids that a frame of the library proves its permission with.
    pub fn library_ids(&self) -> Option<LibraryIds> {
        let entry = self.library_entry()?;
        match (&entry.app, &entry.user) {
            (Some(app), Field::Valid(user)) => Some(LibraryIds { app: app.clone(), user: user.clone() }),
            _ => None,
        }
    }

    fn library_entry(&self) -> Option<&ReportEntry> {
        let [entry] = self.entries.as_slice() else { return None };
        (!self.is_batch && entry.user.is_present()).then_some(entry)
    }
}

fn is_array(data: &RawValue) -> bool {
    data.get().starts_with('[')
}

fn read_entries(envelope: &Envelope<'_>, frame_bytes: usize) -> Result<Vec<ReportEntry>, Rejection> {
    if !TYPES.contains(&envelope.kind.as_str()) {
        return Err(envelope.unknown_type());
    }
    let data = envelope.data.ok_or_else(|| Rejection::missing("data"))?;
    if !is_array(data) {
        return Ok(read_each(&[data], ReportEntry::read));
    }
    if frame_bytes > MAX_BATCH_BYTES {
        let message = format!("the batch has {frame_bytes} bytes, at most {MAX_BATCH_BYTES} are accepted");
        return Err(Rejection::new(Code::TooLarge, message).at("data"));
    }
    let reports: Vec<&RawValue> = serde_json::from_str(data.get())
        .map_err(|_| Rejection::invalid("data", "must be a report or an array of reports"))?;
    if reports.is_empty() || reports.len() > MAX_BATCH_REPORTS {
        let message =
            format!("the batch has {} reports, 1 to {MAX_BATCH_REPORTS} are accepted", reports.len());
        let code = if reports.is_empty() { Code::InvalidField } else { Code::TooLarge };
        return Err(Rejection::new(code, message).at("data"));
    }
    Ok(read_each(&reports, ReportEntry::read))
}

/// Reads each report of a frame with `read`. One whose reading panics is `unavailable` and costs no other.
fn read_each(reports: &[&RawValue], read: impl Fn(&str, usize) -> ReportEntry) -> Vec<ReportEntry> {
    let entries = reports.iter().enumerate().map(|(index, report)| {
        isolated(|| read(report.get(), index)).unwrap_or_else(|Panicked| ReportEntry {
            app: None,
            user: Field::Absent,
            bytes: report.get().len(),
            outcome: Err(Rejection::unavailable()),
        })
    });
    entries.collect()
}

impl ReportEntry {
    /// Reads one report; `index` is its position in the frame.
    fn read(json: &str, index: usize) -> Self {
        let bytes = json.len();
        let mut report = match read_fields(json) {
            Ok(report) => report,
            Err(rejection) => return Self { app: None, user: Field::Absent, bytes, outcome: Err(rejection) },
        };
        let user = std::mem::take(&mut report.user_id);
        match read_app(&report, &user).required("appId", MalformedAppId) {
            Ok(app) => Self { app: Some(app.clone()), user, bytes, outcome: read_draft(app, report, index) },
            Err(rejection) => Self { app: None, user, bytes, outcome: Err(rejection) },
        }
    }
}

fn read_fields(json: &str) -> Result<ReportFields<'_>, Rejection> {
    let not_an_object = Rejection::new(Code::InvalidField, "data must be an object");
    fields::object(json).map_err(|problem| problem.into_rejection(json, "", not_an_object))
}

/// The app of a report. The library may send it as a number, as in its `auth`.
fn read_app(report: &ReportFields<'_>, user: &Field<UserId>) -> Field<AppId> {
    let Some(json) = report.app_id else { return Field::Absent };
    let read = if user.is_present() { id_or_number(json) } else { serde_json::from_str(json.get()) };
    read.unwrap_or(Field::Malformed)
}

fn read_draft(app: AppId, report: ReportFields<'_>, index: usize) -> Result<ReportDraft, Rejection> {
    let metrics = report.metrics.ok_or_else(|| Rejection::missing("metrics"))?;
    let document = Document::accept(metrics.get())?;
    Ok(ReportDraft { app, source: report.source, timestamp: report.timestamp, index, document })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::draft::ReportSender;
    use crate::report::Report;
    use serde_json::{Value, json};

    const NOW_MS: i64 = 1_800_000_000_000;

    fn read(frame: &Value) -> Result<ReportFrame, RejectedFrame> {
        ReportFrame::read(&frame.to_string())
    }

    fn reports(frame: &Value) -> Vec<Result<Report, Rejection>> {
        let source = Source::new("connection-1").unwrap();
        let sender = ReportSender { source, arrival: TimestampMs::clamped(NOW_MS) };
        let outcomes = read(frame).unwrap().entries.into_iter().map(|entry| entry.outcome);
        outcomes.map(|outcome| outcome.and_then(|draft| draft.into_report(&sender))).collect()
    }

    #[test]
    fn fields_of_a_report_are_read() {
        let mut frame = json!({"type": "send_metrics", "data": {
            "userId": "nehonix_1", "appId": "shop", "metrics": {"cpu": {"usage": 61.4}},
            "timestamp": NOW_MS - 5,
        }});
        let report = reports(&frame).remove(0).unwrap();
        assert_eq!((report.app.as_str(), report.source.as_str()), ("shop", "connection-1"));
        assert_eq!(report.timestamp.ms(), NOW_MS - 5);
        assert_eq!(report.document.as_str(), "{\"cpu\":{\"usage\":61.4}}");
        frame["data"]["source"] = json!("web-1");
        assert_eq!(reports(&frame).remove(0).unwrap().source.as_str(), "web-1");
    }

    #[test]
    fn bad_report_does_not_reject_the_rest_of_its_batch() {
        let text = r#"{"type":"metrics","data":[{"appId":"shop","metrics":{"a":1}},{"appId":"shop"},7,
            {"appId":"shop","metrics":{"a":1e999}},{"appId":"shop","metrics":{"a":1}}]}"#;
        let frame = ReportFrame::read(text).unwrap();
        let apps: Vec<bool> = frame.entries.iter().map(|entry| entry.app.is_some()).collect();
        assert_eq!(apps, [true, true, false, true, true]);
        let accepted: Vec<usize> = frame
            .entries
            .into_iter()
            .filter_map(|entry| entry.outcome.ok())
            .map(|draft| draft.index)
            .collect();
        assert_eq!(accepted, [0, 4]);
    }

    #[test]
    fn repeated_field_of_a_report_is_named_and_costs_no_other() {
        let text = r#"{"type":"metrics","id":7,"data":[{"appId":"shop","timestamp":1,"metrics":{"a":1,"a":2},"timestamp":2},
            {"appId":"shop","metrics":{"a":1}},{"appId":"shop","x":1,"x":2,"metrics":{},"metrics":{}}]}"#;
        let frame = ReportFrame::read(text).unwrap();
        let rejections: Vec<Option<String>> = frame
            .entries
            .into_iter()
            .map(|entry| entry.outcome.err().map(|rejection| rejection.message))
            .collect();
        let repeated = |name: &str| Some(format!("{name} is there more than once"));
        assert_eq!(rejections, [repeated("timestamp"), None, repeated("metrics")]);
        let rejected = ReportFrame::read(r#"{"type":"metrics","data":{},"type":"metrics"}"#).unwrap_err();
        assert_eq!(rejected.rejection, fields::repeated("type"));
    }

    #[test]
    fn report_whose_reading_panics_costs_no_other() {
        let report = RawValue::from_string(r#"{"appId":"shop","metrics":{"a":1}}"#.to_owned()).unwrap();
        let entries = read_each(&[&report, &report, &report], |json, index| {
            assert_ne!(index, 1, "injected");
            ReportEntry::read(json, index)
        });
        let codes: Vec<Option<Code>> =
            entries.into_iter().map(|entry| entry.outcome.err().map(|rejection| rejection.code)).collect();
        assert_eq!(codes, [None, Some(Code::Unavailable), None]);
    }

    #[test]
    fn reports_of_one_frame_without_timestamps_get_different_ones() {
        let report = json!({"appId": "shop", "metrics": {"a": 1}});
        let reports = reports(&json!({"type": "metrics", "data": [report, {}, report]}));
        let timestamps: Vec<i64> =
            reports.into_iter().flatten().map(|report| report.timestamp.ms()).collect();
        assert_eq!(timestamps, [NOW_MS, NOW_MS + 2]);
    }

    #[test]
    fn batch_limits_are_enforced() {
        let batch = |reports: usize| read(&json!({"type": "metrics", "data": vec![json!({}); reports]}));
        assert!(batch(MAX_BATCH_REPORTS).is_ok());
        assert_eq!(batch(MAX_BATCH_REPORTS + 1).unwrap_err().rejection.code, Code::TooLarge);
        let wide = json!({"appId": "shop", "metrics": {"text": "x".repeat(10_000)}});
        let rejected = read(&json!({"type": "metrics", "data": [wide, wide, wide, wide]})).unwrap_err();
        assert_eq!(rejected.rejection.code, Code::TooLarge);
    }
}
