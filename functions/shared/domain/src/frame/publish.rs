//! `metrics` and `send_metrics`: one report or a batch of them.
//!
//! Owns the reading of reports from a frame, each judged for itself so that a bad one loses no other.
//! Refuses to say who may publish, and by whose clock and name a report goes, which is `draft`'s matter. Ruled by protocol.md §1.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::ReportDraft;
use super::envelope::{Envelope, FrameId, RejectedFrame};
use super::fields;
use crate::ids::AppId;
use crate::rejection::{Code, Rejection};
use crate::report::Document;

/// Most reports in one frame.
pub const MAX_BATCH_REPORTS: usize = 100;

/// Largest batch in bytes of the whole frame.
pub const MAX_BATCH_BYTES: usize = 30 * 1024;

/// The frame types that carry reports: the second is the library's.
pub const TYPES: [&str; 2] = ["metrics", "send_metrics"];

/// A frame of reports, each read or refused by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFrame {
    /// Names the frame in its `ack`, which is sent only where there is an id.
    pub id: Option<FrameId>,
    /// In the order of the frame.
    pub entries: Vec<ReportEntry>,
    /// Whether `data` was an array.
    pub is_batch: bool,
}

/// One report of a frame: what application it names, as far as that could be read, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEntry {
    /// The application that it names, known even where the rest is refused.
    pub app: Option<AppId>,
    /// Length of its text.
    pub bytes: usize,
    /// The report, or why it is refused whoever sent it; the field to blame is relative to the report.
    pub outcome: Result<ReportDraft, Rejection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReport<'a> {
    #[serde(borrow)]
    app_id: Option<&'a RawValue>,
    #[serde(borrow)]
    metrics: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
}

impl ReportFrame {
    /// Reads the text of a frame.
    ///
    /// # Errors
    /// What spoils the whole frame: no JSON object, another type, no `data`, too many reports or bytes.
    pub fn read(text: &str) -> Result<Self, RejectedFrame> {
        let envelope = Envelope::read(text)?;
        let entries = read_entries(&envelope, text.len());
        match entries {
            Ok((entries, is_batch)) => Ok(Self { id: envelope.id, entries, is_batch }),
            Err(rejection) => Err(RejectedFrame { rejection, id: envelope.id }),
        }
    }

    /// Every application that the frame names, in order and with repeats.
    pub fn apps(&self) -> impl Iterator<Item = &AppId> {
        self.entries.iter().filter_map(|entry| entry.app.as_ref())
    }
}

fn read_entries(envelope: &Envelope<'_>, frame_bytes: usize) -> Result<(Vec<ReportEntry>, bool), Rejection> {
    if !TYPES.contains(&envelope.kind.as_ref()) {
        return Err(envelope.unknown_type());
    }
    let data = envelope.data.ok_or_else(|| Rejection::missing("data"))?.get();
    if !data.starts_with('[') {
        return Ok((vec![read_entry(data, 0)], false));
    }
    if frame_bytes > MAX_BATCH_BYTES {
        let message = format!("the batch has {frame_bytes} bytes, at most {MAX_BATCH_BYTES} are taken");
        return Err(Rejection::new(Code::TooLarge, message).at("data"));
    }
    let reports: Vec<&RawValue> = serde_json::from_str(data)
        .map_err(|_| Rejection::invalid("data", "must be a report or an array of them"))?;
    if reports.is_empty() || reports.len() > MAX_BATCH_REPORTS {
        let message = format!("the batch has {} reports, 1 to {MAX_BATCH_REPORTS} are taken", reports.len());
        let code = if reports.is_empty() { Code::InvalidField } else { Code::TooLarge };
        return Err(Rejection::new(code, message).at("data"));
    }
    let entries = reports.iter().enumerate().map(|(index, raw)| read_entry(raw.get(), index)).collect();
    Ok((entries, true))
}

/// Reads one report; `index` is its place in the frame.
fn read_entry(json: &str, index: usize) -> ReportEntry {
    let bytes = json.len();
    let Some(raw) = fields::object::<RawReport<'_>>(json) else {
        let rejection = Rejection::new(Code::InvalidField, "data must be an object");
        return ReportEntry { app: None, bytes, outcome: Err(rejection) };
    };
    match fields::required_id::<AppId>("appId", raw.app_id) {
        Err(rejection) => ReportEntry { app: None, bytes, outcome: Err(rejection) },
        Ok(app) => ReportEntry { outcome: read_draft(&raw, app.clone(), index), bytes, app: Some(app) },
    }
}

fn read_draft(raw: &RawReport<'_>, app: AppId, index: usize) -> Result<ReportDraft, Rejection> {
    let metrics = raw.metrics.ok_or_else(|| Rejection::missing("metrics"))?;
    Ok(ReportDraft {
        app,
        source: raw.source.map(|source| fields::id("source", source)).transpose(),
        timestamp: raw.timestamp.map(|timestamp| fields::instant("timestamp", timestamp)).transpose(),
        index,
        document: Document::accept(metrics.get())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::draft::ReportSender;
    use crate::ids::Source;
    use crate::report::{MAX_AHEAD_MS, MAX_LATENESS_MS, Report};
    use crate::time::TimestampMs;
    use serde_json::{Value, json};

    const NOW_MS: i64 = 1_800_000_000_000;

    fn sender() -> ReportSender {
        ReportSender { source: Source::new("connection-1").unwrap(), arrival: TimestampMs::clamped(NOW_MS) }
    }

    fn read(frame: &Value) -> Result<ReportFrame, RejectedFrame> {
        ReportFrame::read(&frame.to_string())
    }

    fn single(report: &Value) -> Result<Report, Rejection> {
        let publication = read(&json!({"type": "metrics", "data": report})).unwrap();
        settled(publication).remove(0)
    }

    /// The reports of a modern sender.
    fn settled(publication: ReportFrame) -> Vec<Result<Report, Rejection>> {
        let drafts = publication.entries.into_iter().map(|entry| entry.outcome);
        drafts.map(|outcome| outcome.and_then(|draft| draft.into_report(&sender()))).collect()
    }

    #[test]
    fn a_frame_of_the_library_is_read_whole() {
        let frame = json!({"type": "send_metrics", "data": {
            "userId": "nehonix_1", "appId": "shop", "metrics": {"cpu": {"usage": 61.4}},
            "timestamp": NOW_MS - 5,
        }});
        let report = settled(read(&frame).unwrap()).remove(0).unwrap();
        assert_eq!(report.app.as_str(), "shop");
        assert_eq!(report.source.as_str(), "connection-1");
        assert_eq!(report.timestamp.ms(), NOW_MS - 5);
        assert_eq!(report.document.as_str(), "{\"cpu\":{\"usage\":61.4}}");
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (report, code, field) in [
            (json!({"metrics": {}}), Code::MissingField, Some("appId")),
            (json!({"appId": "a#b", "metrics": {}}), Code::InvalidField, Some("appId")),
            (json!({"appId": 7, "metrics": {}}), Code::InvalidField, Some("appId")),
            (json!({"appId": "shop"}), Code::MissingField, Some("metrics")),
            (json!({"appId": "shop", "metrics": 7}), Code::InvalidField, Some("metrics")),
            (json!({"appId": "shop", "metrics": {}, "source": ""}), Code::InvalidField, Some("source")),
            (
                json!({"appId": "shop", "metrics": {}, "timestamp": "soon"}),
                Code::InvalidField,
                Some("timestamp"),
            ),
            (json!("text"), Code::InvalidField, None),
        ] {
            let refused = single(&report).unwrap_err();
            assert_eq!((refused.code, refused.field.as_deref()), (code, field), "{report}");
        }
    }

    #[test]
    fn the_past_and_the_future_end_at_the_limits() {
        for (timestamp, taken) in [
            (NOW_MS - MAX_LATENESS_MS, true),
            (NOW_MS - MAX_LATENESS_MS - 1, false),
            (NOW_MS + MAX_AHEAD_MS, true),
            (NOW_MS + MAX_AHEAD_MS + 1, false),
        ] {
            let outcome = single(&json!({"appId": "shop", "metrics": {}, "timestamp": timestamp}));
            assert_eq!(outcome.is_ok(), taken, "{timestamp}");
        }
    }

    #[test]
    fn a_bad_report_loses_no_other_of_its_batch() {
        let good = json!({"appId": "shop", "metrics": {"a": 1}});
        let frame = json!({"type": "metrics", "id": "b", "data": [good, {"appId": "shop"}, 7, good]});
        let publication = read(&frame).unwrap();
        let taken: Vec<bool> = publication.entries.iter().map(|entry| entry.outcome.is_ok()).collect();
        assert_eq!(taken, [true, false, false, true]);
        let stamps: Vec<i64> =
            settled(publication).into_iter().flatten().map(|report| report.timestamp.ms()).collect();
        assert_eq!(stamps, [NOW_MS, NOW_MS + 3]);
    }

    #[test]
    fn a_number_beyond_doubles_spoils_its_report_only() {
        let text = r#"{"type":"metrics","data":[{"appId":"shop","metrics":{"a":1e999}},{"appId":"shop","metrics":{"a":1}}]}"#;
        let publication = ReportFrame::read(text).unwrap();
        let codes: Vec<_> = publication
            .entries
            .iter()
            .map(|entry| entry.outcome.as_ref().err().map(|refused| refused.code))
            .collect();
        assert_eq!(codes, [Some(Code::InvalidField), None]);
    }

    #[test]
    fn a_batch_ends_at_its_limits() {
        let batch =
            |reports: usize| read(&json!({"type": "metrics", "id": 1, "data": vec![json!({}); reports]}));
        assert!(batch(MAX_BATCH_REPORTS).is_ok());
        let refused = batch(MAX_BATCH_REPORTS + 1).unwrap_err();
        assert_eq!((refused.rejection.code, refused.id), (Code::TooLarge, Some(FrameId::Number(1))));
        assert_eq!(batch(0).unwrap_err().rejection.code, Code::InvalidField);
        let wide = json!({"appId": "shop", "metrics": {"text": "x".repeat(10_000)}});
        let refused = read(&json!({"type": "metrics", "data": [wide, wide, wide, wide]})).unwrap_err();
        assert_eq!(refused.rejection.code, Code::TooLarge);
    }
}
