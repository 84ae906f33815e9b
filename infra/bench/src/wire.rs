//! The frames that the load generator speaks and understands: docs/PROTOCOL.md.
//!
//! A frame's id says which reports it carries, so that an acknowledgement names them by itself. Of a live frame only
//! what accounting needs is looked at; the rest is skipped, not built.

use crate::trouble::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Consecutive reports of one publisher: what one frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Sequence number of the first.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
}

impl Span {
    /// The id of the frame that carries the span.
    pub(crate) fn id(self) -> String {
        format!("{}+{}", self.first, self.count)
    }

    /// The span of a frame's id, where it is one of ours.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let (first, count) = id.split_once('+')?;
        Some(Self { first: first.parse().ok()?, count: count.parse().ok()? })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutgoingReport<'a> {
    app_id: &'a str,
    source: &'a str,
    /// Epoch milliseconds.
    timestamp: u64,
    metrics: &'a Value,
}

/// A report, rendered for a frame.
pub(crate) fn report(
    app_id: &str,
    source: &str,
    timestamp: u64,
    metrics: &Value,
) -> serde_json::Result<String> {
    serde_json::to_string(&OutgoingReport { app_id, source, timestamp, metrics })
}

/// The frame that carries rendered `reports`: a bare one for a single report, as the library sends it.
pub(crate) fn metrics_frame(span: Span, reports: &[String]) -> String {
    let id = span.id();
    match reports {
        [single] => format!(r#"{{"type":"metrics","id":"{id}","data":{single}}}"#),
        several => format!(r#"{{"type":"metrics","id":"{id}","data":[{}]}}"#, several.join(",")),
    }
}

/// The frame that subscribes to an application's reports.
pub(crate) fn subscribe_frame(app_id: &str) -> String {
    serde_json::json!({"type": "subscribe", "data": {"appId": app_id}}).to_string()
}

/// A frame of the service, understood as far as a load generator needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A frame of reports was judged; each refused report's place and code.
    Ack { span: Span, rejected: Vec<(u64, String)> },
    /// A report, live.
    Live(Live),
    /// The subscription stands.
    Subscribed,
    /// A rejection outside of an acknowledgement; of which frame, where it says so.
    Rejected { code: String, span: Option<Span> },
    /// A frame that bears on no report of this run: replays, pongs, what later versions may add.
    Other,
    /// Nothing of the protocol; what it was.
    Garbage(String),
}

/// A live report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Live {
    /// The application that it belongs to.
    pub(crate) app_id: String,
    /// Who reported.
    pub(crate) source: String,
    /// The report's name.
    pub(crate) id: String,
    /// Its publisher's own number of it, where the document is one of ours.
    pub(crate) sequence: Option<u64>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct AckPayload {
    id: String,
    accepted: u64,
    #[serde(default)]
    rejected: Vec<RejectedReport>,
}

#[derive(Deserialize)]
struct RejectedReport {
    index: u64,
    code: String,
}

#[derive(Deserialize)]
struct RejectionPayload {
    code: String,
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LivePayload<'a> {
    app_id: String,
    source: String,
    id: String,
    #[serde(borrow)]
    metrics: LiveDocument<'a>,
}

#[derive(Deserialize)]
struct LiveDocument<'a> {
    #[serde(borrow)]
    load: Option<&'a RawValue>,
}

impl LiveDocument<'_> {
    /// The publisher's number of the report; none where the document is somebody else's.
    fn sequence(&self) -> Option<u64> {
        let mark: LoadMark = serde_json::from_str(self.load?.get()).ok()?;
        Some(mark.sequence)
    }
}

#[derive(Deserialize)]
struct LoadMark {
    sequence: u64,
}

/// Understands a text frame.
pub(crate) fn hear(text: &str) -> Heard {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
        return Heard::Garbage(format!("no frame: {}", words(text)));
    };
    let payload = envelope.payload.map_or("null", RawValue::get);
    let heard = match envelope.kind.as_deref() {
        Some("metrics") => live(payload),
        Some("ack") => ack(payload),
        Some("error") => rejection(payload),
        Some("subscribed") => Some(Heard::Subscribed),
        Some(_) => Some(Heard::Other),
        None => {
            envelope.message.map(|message| Heard::Garbage(format!("the gateway failed: {}", words(&message))))
        }
    };
    heard.unwrap_or_else(|| Heard::Garbage(format!("no frame of the protocol: {}", words(text))))
}

fn live(payload: &str) -> Option<Heard> {
    let payload: LivePayload<'_> = serde_json::from_str(payload).ok()?;
    let sequence = payload.metrics.sequence();
    Some(Heard::Live(Live { app_id: payload.app_id, source: payload.source, id: payload.id, sequence }))
}

fn ack(payload: &str) -> Option<Heard> {
    let payload: AckPayload = serde_json::from_str(payload).ok()?;
    let span = Span::of_id(&payload.id)?;
    let rejected: Vec<(u64, String)> =
        payload.rejected.into_iter().map(|report| (report.index, report.code)).collect();
    // An acknowledgement that does not account for every report says nothing about any.
    (payload.accepted + rejected.len() as u64 == span.count).then_some(Heard::Ack { span, rejected })
}

fn rejection(payload: &str) -> Option<Heard> {
    let payload: RejectionPayload = serde_json::from_str(payload).ok()?;
    let span = payload.id.as_deref().and_then(Span::of_id);
    Some(Heard::Rejected { code: words(&payload.code), span })
}

/// The sequence number that `source`'s last report has in an answer of `GET /apps/{appId}/metrics/latest`.
pub(crate) fn latest_sequence(answer: &str, source: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        reports: Vec<Latest<'a>>,
    }
    #[derive(Deserialize)]
    struct Latest<'a> {
        source: String,
        #[serde(borrow)]
        metrics: LiveDocument<'a>,
    }
    let answer: Answer<'_> = serde_json::from_str(answer).ok()?;
    let report = answer.reports.into_iter().find(|report| report.source == source)?;
    report.metrics.sequence()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_frame_says_by_its_id_which_reports_it_carries() {
        let span = Span { first: 12, count: 3 };
        assert_eq!(Span::of_id(&span.id()), Some(span));
        assert_eq!(Span::of_id("r1"), None);
    }

    #[test]
    fn one_report_goes_bare_and_several_as_an_array() {
        let text = report("a", "s", 7, &json!({"cpu": {"usage": 1.5}})).unwrap();
        let single: Value =
            serde_json::from_str(&metrics_frame(Span { first: 0, count: 1 }, std::slice::from_ref(&text)))
                .unwrap();
        assert_eq!(
            single,
            json!({"type": "metrics", "id": "0+1",
                   "data": {"appId": "a", "source": "s", "timestamp": 7, "metrics": {"cpu": {"usage": 1.5}}}})
        );
        let span = Span { first: 0, count: 2 };
        let several: Value = serde_json::from_str(&metrics_frame(span, &[text.clone(), text])).unwrap();
        assert_eq!(several["data"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_live_report_is_known_by_its_names_and_number() {
        let frame = json!({"type": "metrics", "payload": {"metrics": {"cpu": {}, "load": {"sequence": 4}},
                           "timestamp": "2026-01-01T00:00:00.000Z", "appId": "a", "source": "s", "id": "i"}});
        let Heard::Live(live) = hear(&frame.to_string()) else { panic!("not live") };
        assert_eq!((live.app_id.as_str(), live.source.as_str(), live.sequence), ("a", "s", Some(4)));
        let strange =
            json!({"type": "metrics", "payload": {"metrics": {}, "appId": "a", "source": "s", "id": "i"}});
        assert!(matches!(hear(&strange.to_string()), Heard::Live(Live { sequence: None, .. })));
    }

    #[test]
    fn an_acknowledgement_must_account_for_every_report() {
        let ack = |accepted: u64| {
            json!({"type": "ack", "payload": {"id": "5+2", "accepted": accepted,
                   "rejected": [{"index": 1, "code": "unavailable", "message": "m", "retryable": true}]}})
            .to_string()
        };
        let span = Span { first: 5, count: 2 };
        let rejected = vec![(1, "unavailable".to_owned())];
        assert_eq!(hear(&ack(1)), Heard::Ack { span, rejected });
        assert!(matches!(hear(&ack(2)), Heard::Garbage(_)));
    }

    #[test]
    fn rejections_and_garbage_are_told_apart() {
        let rejected = hear(r#"{"type":"error","payload":{"code":"unavailable","message":"m","id":"5+2"}}"#);
        let span = Some(Span { first: 5, count: 2 });
        assert_eq!(rejected, Heard::Rejected { code: "unavailable".to_owned(), span });
        for text in ["", "7", "{}", r#"{"type":"metrics"}"#, r#"{"message":"m","connectionId":"c"}"#] {
            assert!(matches!(hear(text), Heard::Garbage(_)), "{text}");
        }
        assert_eq!(hear(r#"{"type":"pong"}"#), Heard::Other);
    }

    #[test]
    fn the_last_report_of_a_source_is_found_in_history() {
        let answer = json!({"appId": "a", "reports": [
            {"source": "t", "metrics": {"load": 7}}, {"source": "s", "metrics": {"load": {"sequence": 9}}}]});
        assert_eq!(latest_sequence(&answer.to_string(), "s"), Some(9));
        assert_eq!(latest_sequence(&answer.to_string(), "t"), None);
        assert_eq!(latest_sequence("no json", "s"), None);
    }
}
