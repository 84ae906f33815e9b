//! Rejected frames: which code, field and frame id a client gets back for which mistake.

use super::control::{ControlFrame, MAX_CREDENTIAL_BYTES, MAX_MIN_INTERVAL_MS, Request};
use super::draft::ReportSender;
use super::envelope::{FrameId, MAX_FRAME_ID_BYTES, RejectedFrame};
use super::outbound::{Outbound, live_frame};
use super::publish::ReportFrame;
use crate::dialect::Dialect;
use crate::ids::Source;
use crate::legacy::frames::LegacyRequest;
use crate::legacy::report::LegacyReport;
use crate::rejection::Code::{
    self, InvalidField, InvalidJson, MissingField, TimestampOutOfRange, TooLarge, UnknownType,
};
use crate::time::TimestampMs;
use proptest::prelude::*;
use serde_json::value::RawValue;

const NOW_MS: i64 = 1_800_000_000_000;

/// Code, field and whether the frame's id was read.
type Expected = (Code, Option<&'static str>, bool);

#[track_caller]
fn assert_rejected<T: std::fmt::Debug>(
    read: fn(&str) -> Result<T, RejectedFrame>,
    frame: &str,
    (code, field, has_id): Expected,
) {
    let rejected = read(frame).expect_err(frame);
    let id = has_id.then_some(FrameId::Number(7));
    let found = (rejected.rejection.code, rejected.rejection.field.as_deref(), rejected.id);
    assert_eq!(found, (code, field, id), "{frame}");
}

#[test]
fn rejected_envelopes_repeat_the_id_that_could_be_read() {
    for (frame, expected) in [
        ("", (InvalidJson, None, false)),
        ("hello", (InvalidJson, None, false)),
        ("{", (InvalidJson, None, false)),
        ("[1]", (InvalidJson, None, false)),
        ("7", (InvalidJson, None, false)),
        ("null", (InvalidJson, None, false)),
        (r#""metrics""#, (InvalidJson, None, false)),
        (r#"["ping",null,null]"#, (InvalidJson, None, false)),
        (r#"{"type":}"#, (InvalidJson, None, false)),
        ("{}", (MissingField, Some("type"), false)),
        (r#"{"id":7}"#, (MissingField, Some("type"), true)),
        (r#"{"id":7,"type":null}"#, (MissingField, Some("type"), true)),
        (r#"{"id":7,"type":7}"#, (InvalidField, Some("type"), true)),
        (r#"{"type":7,"id":7}"#, (InvalidField, Some("type"), true)),
        (r#"{"id":1.5,"type":7}"#, (InvalidField, Some("id"), false)),
        (r#"{"id":[],"type":"ping"}"#, (InvalidField, Some("id"), false)),
        (r#"{"id":{},"type":"ping"}"#, (InvalidField, Some("id"), false)),
        (r#"{"id":true,"type":"ping"}"#, (InvalidField, Some("id"), false)),
        (r#"{"id":7,"type":"Metrics"}"#, (UnknownType, Some("type"), true)),
        (r#"{"id":7,"type":"constructor"}"#, (UnknownType, Some("type"), true)),
    ] {
        assert_rejected(ControlFrame::read, frame, expected);
        assert_rejected(ReportFrame::read, frame, expected);
    }
    let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(MAX_FRAME_ID_BYTES + 1));
    assert_rejected(ControlFrame::read, &long, (InvalidField, Some("id"), false));
}

#[test]
fn repeated_field_is_named() {
    for (frame, field) in [
        (r#"{"type":"ping","type":"ping"}"#, "type"),
        (r#"{"type":"subscribe","data":{"appId":"a"},"data":{}}"#, "data"),
        (r#"{"type":"ping","id":1,"id":2}"#, "id"),
        (r#"{"type":"subscribe","data":{"appId":"shop","since":1,"since":2}}"#, "data.since"),
        (r#"{"type":"auth","data":{"appId":"shop","token":"a","token":"b"}}"#, "data.token"),
    ] {
        let rejection = ControlFrame::read(frame).unwrap_err().rejection;
        assert_eq!((rejection.code, rejection.field.as_deref()), (InvalidField, Some(field)), "{frame}");
        assert_eq!(rejection.message, format!("{field} is there more than once"));
    }
}

#[test]
fn lone_surrogate_is_rejected_where_a_text_is_read() {
    let read = |data: &str| {
        let mut frame = ReportFrame::read(&format!(r#"{{"type":"metrics","data":{data}}}"#)).unwrap();
        frame.entries.remove(0).outcome
    };
    let message = read(r#"{"appId":"shop","metrics":{"a":"\ud800"}}"#).unwrap_err().message;
    assert_eq!(
        message,
        "metrics is not JSON: a text has half of a surrogate pair at line 1, column 13, send whole characters"
    );
    assert_eq!(read(r#"{"appId":"shop","metrics":{},"note":"\ud800"}"#).map(|draft| draft.index), Ok(0));
    assert_eq!(read(r#"{"appId":"\ud800","metrics":{}}"#).unwrap_err().code, InvalidField);
}

proptest! {
    #[test]
    fn no_text_makes_a_frame_panic(text in any_frame(), arrival_ms: i64) {
        let sender =
            ReportSender { source: Source::new("c").unwrap(), arrival: TimestampMs::clamped(arrival_ms) };
        drop(ControlFrame::read(&text).map_err(|rejected| Outbound::Error { rejection: rejected.rejection, id: rejected.id }.render()));
        for entry in ReportFrame::read(&text).map(|frame| frame.entries).unwrap_or_default() {
            let Ok(draft) = entry.outcome else { continue };
            let legacy = LegacyReport::from_draft(draft.clone(), &sender).report;
            for report in draft.into_report(&sender).ok().into_iter().chain([legacy]) {
                for dialect in [Dialect::Modern, Dialect::Legacy] {
                    let frame = live_frame(&report, dialect).unwrap();
                    prop_assert!(serde_json::from_str::<&RawValue>(&frame).is_ok(), "{frame}");
                }
                prop_assert!(report.id().len() < 200);
            }
        }
    }
}

/// Frames of all types, with values that are valid, at the edge of a range, of another type or not JSON; some are cut.
fn any_frame() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        (253_402_127_000_000..253_402_301_000_000_i64).prop_map(|number| number.to_string()),
        select(&["0", "-0.0", "1e999", "1e-999", "NaN", "Infinity", "01", "1.", "18446744073709551616"]),
    ];
    let text = prop_oneof![
        "\\PC{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
        select(&[
            r#""shop""#,
            r#""ann""#,
            r#""2026-11-22T13:01:01Z""#,
            r#""9999-12-31T23:59:59.999Z""#,
            r#""\ud800""#,
            r#""-271821-04-20T00:00:00Z""#
        ]),
    ];
    let leaf = prop_oneof![3 => number, 3 => text, 1 => select(&["null", "true", "[]", "{}", "'", "", ","])];
    let key = select(&[
        "type",
        "id",
        "data",
        "appId",
        "userId",
        "apiKey",
        "token",
        "metrics",
        "timestamp",
        "source",
        "since",
        "minInterval",
        "logs",
        "encryption",
        "enabled",
        "process",
        "uptime",
        "cpu",
        "usage",
        "a.b",
        "",
        "\u{1F600}",
    ]);
    let value = leaf.prop_recursive(6, 48, 8, move |value| {
        let member = (key.clone(), value.clone()).prop_map(|(key, value)| format!("{key:?}:{value}"));
        prop_oneof![
            prop::collection::vec(value, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    });
    let kind = select(&[
        "metrics",
        "send_metrics",
        "auth",
        "subscribe",
        "unsubscribe",
        "ping",
        "logs",
        "history",
        "command",
        "check_status",
    ]);
    let report = (value.clone(), value.clone()).prop_map(|(metrics, timestamp)| {
        format!(r#"{{"appId":"shop","metrics":{{"process":{{"uptime":{timestamp}}},"x":{metrics}}},"timestamp":{timestamp}}}"#)
    });
    let data = prop_oneof![
        value.clone(),
        report.clone(),
        prop::collection::vec(prop_oneof![report, value.clone()], 1..5)
            .prop_map(|all| format!("[{}]", all.join(","))),
    ];
    let frame = (kind, value.clone(), data)
        .prop_map(|(kind, id, data)| format!(r#"{{"type":"{kind}","id":{id},"data":{data}}}"#));
    let whole = prop_oneof![8 => frame, 1 => value, 1 => "\\PC{0,60}"];
    (whole, prop::option::weighted(0.1, any::<prop::sample::Index>())).prop_map(|(text, cut)| match cut {
        Some(cut) => text.chars().take(cut.index(text.chars().count() + 1)).collect(),
        None => text,
    })
}

fn select(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(texts).prop_map(str::to_owned)
}

#[test]
fn id_is_a_string_or_a_whole_number() {
    let id = |json: &str| ControlFrame::read(&format!(r#"{{"type":"ping","id":{json}}}"#)).unwrap().id;
    let longest = "x".repeat(MAX_FRAME_ID_BYTES);
    assert_eq!(id(&format!("{longest:?}")), Some(FrameId::Text(longest)));
    assert_eq!(id("-3"), Some(FrameId::Number(-3)));
    assert_eq!(id("null"), None);
}

#[test]
fn unknown_type_is_repeated_up_to_40_characters() {
    let frame = format!(r#"{{"type":"{}"}}"#, "é".repeat(50));
    let message = ControlFrame::read(&frame).unwrap_err().rejection.message;
    assert_eq!(message, format!("there is no message of type {:?}", "é".repeat(40)));
}

#[test]
fn data_nested_16000_deep_is_read() {
    let deep = format!(r#"{{"type":"history","data":{}{}}}"#, "[".repeat(16_000), "]".repeat(16_000));
    assert!(ControlFrame::read(&deep).is_ok());
    assert_rejected(ReportFrame::read, &deep, (UnknownType, Some("type"), false));
    let metrics = format!("{}1{}", r#"{"a":"#.repeat(16_000), "}".repeat(16_000));
    let frame = format!(r#"{{"type":"metrics","data":{{"appId":"shop","metrics":{metrics}}}}}"#);
    let outcome = ReportFrame::read(&frame).unwrap().entries.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().code, TooLarge);
}

#[test]
fn rejected_control_frames_name_the_first_wrong_field() {
    let frame = |kind: &str, data: &str| format!(r#"{{"type":"{kind}","id":7,"data":{data}}}"#);
    for (kind, data, code, field) in [
        ("auth", "null", MissingField, "data"),
        ("auth", "[]", InvalidField, "data"),
        ("auth", r#""shop""#, InvalidField, "data"),
        ("auth", r#"{"apiKey":"k"}"#, MissingField, "data.appId"),
        ("auth", r#"{"apiKey":7}"#, MissingField, "data.appId"),
        ("auth", r#"{"appId":42,"apiKey":"k"}"#, InvalidField, "data.appId"),
        ("auth", r#"{"appId":"a#b","token":7}"#, InvalidField, "data.appId"),
        ("auth", r#"{"appId":"shop"}"#, MissingField, "data.apiKey"),
        ("auth", r#"{"appId":"shop","apiKey":null}"#, MissingField, "data.apiKey"),
        ("auth", r#"{"appId":"shop","apiKey":7}"#, InvalidField, "data.apiKey"),
        ("auth", r#"{"appId":"shop","token":{}}"#, InvalidField, "data.token"),
        ("auth", r#"{"appId":"shop","apiKey":"k","token":"t"}"#, InvalidField, "data.token"),
        ("subscribe", "null", MissingField, "data"),
        ("subscribe", "[]", InvalidField, "data"),
        ("subscribe", r#"{"since":"x"}"#, MissingField, "data.appId"),
        ("subscribe", r#"{"since":1795352461,"appId":"shop"}"#, InvalidField, "data.since"),
        ("subscribe", r#"{"minInterval":-1,"since":"x","appId":"shop"}"#, InvalidField, "data.since"),
        ("subscribe", r#"{"appId":"shop","minInterval":-1}"#, InvalidField, "data.minInterval"),
        ("subscribe", r#"{"appId":"shop","minInterval":1.5}"#, InvalidField, "data.minInterval"),
        ("unsubscribe", "{}", MissingField, "data.appId"),
        ("unsubscribe", r#"{"appId":7}"#, InvalidField, "data.appId"),
    ] {
        assert_rejected(ControlFrame::read, &frame(kind, data), (code, Some(field), true));
    }
    let long = format!(r#"{{"appId":"shop","token":"{}"}}"#, "x".repeat(MAX_CREDENTIAL_BYTES + 1));
    assert_rejected(ControlFrame::read, &frame("auth", &long), (InvalidField, Some("data.token"), true));
    let slow = format!(r#"{{"appId":"shop","minInterval":{}}}"#, MAX_MIN_INTERVAL_MS + 1);
    let expected = (InvalidField, Some("data.minInterval"), true);
    assert_rejected(ControlFrame::read, &frame("subscribe", &slow), expected);
}

#[test]
fn malformed_auth_of_the_library_keeps_its_rejection() {
    for (data, code, field) in [
        (r#"{"userId":true,"appId":"shop"}"#, InvalidField, "data.userId"),
        (r#"{"userId":"","appId":"shop"}"#, InvalidField, "data.userId"),
        (r#"{"userId":"","appId":[]}"#, InvalidField, "data.appId"),
        (r#"{"userId":"ann"}"#, MissingField, "data.appId"),
    ] {
        let frame = ControlFrame::read(&format!(r#"{{"type":"auth","data":{data}}}"#)).unwrap();
        let Request::Legacy(LegacyRequest::MalformedAuth(rejection)) = frame.request else {
            panic!("{data}")
        };
        assert_eq!((rejection.code, rejection.field.as_deref()), (code, Some(field)), "{data}");
    }
}

#[test]
fn ids_of_a_report_are_those_of_the_library() {
    let ids = |data: &str| {
        let frame = ReportFrame::read(&format!(r#"{{"type":"metrics","data":{data}}}"#)).unwrap();
        let ids = frame.library_ids().map(|ids| (ids.user.as_str().to_owned(), ids.app.to_string()));
        (frame.is_of_library(), ids)
    };
    let of = |user: &str, app: &str| (true, Some((user.to_owned(), app.to_owned())));
    assert_eq!(ids(r#"{"userId":"ann","appId":"shop","metrics":{}}"#), of("ann", "shop"));
    assert_eq!(ids(r#"{"userId":7,"appId":42,"metrics":{}}"#), of("7", "42"), "as in its auth");
    assert_eq!(ids(r#"{"userId":"ann","appId":"shop","metrics":7}"#), of("ann", "shop"));
    for malformed in [r#"{"userId":"","appId":"shop"}"#, r#"{"userId":"ann","appId":{}}"#] {
        assert_eq!(ids(malformed), (true, None), "{malformed}");
    }
    for modern in [
        r#"{"appId":"shop","metrics":{}}"#,
        r#"{"userId":null,"appId":"shop","metrics":{}}"#,
        r#"[{"userId":"ann","appId":"shop","metrics":{}}]"#,
        "7",
    ] {
        assert_eq!(ids(modern), (false, None), "{modern}");
    }
}

#[test]
fn rejected_reports_name_the_first_wrong_field() {
    let sender = ReportSender { source: Source::new("c").unwrap(), arrival: TimestampMs::clamped(NOW_MS) };
    for (report, code, field) in [
        (r#""text""#, InvalidField, None),
        ("7", InvalidField, None),
        ("{}", MissingField, Some("appId")),
        (r#"{"appId":null,"metrics":7}"#, MissingField, Some("appId")),
        (r#"{"appId":7,"metrics":7}"#, InvalidField, Some("appId")),
        (r#"{"appId":"a#b"}"#, InvalidField, Some("appId")),
        (r#"{"appId":"shop","source":""}"#, MissingField, Some("metrics")),
        (r#"{"appId":"shop","metrics":null}"#, MissingField, Some("metrics")),
        (r#"{"appId":"shop","source":"","metrics":7}"#, InvalidField, Some("metrics")),
        (r#"{"appId":"shop","metrics":{"a":1e999}}"#, InvalidField, Some("metrics.a")),
        (r#"{"appId":"shop","metrics":{},"timestamp":"soon","source":"a#b"}"#, InvalidField, Some("source")),
        (r#"{"appId":"shop","metrics":{},"timestamp":"soon"}"#, InvalidField, Some("timestamp")),
        (r#"{"appId":"shop","metrics":{},"timestamp":0}"#, TimestampOutOfRange, Some("timestamp")),
    ] {
        for is_batch in [false, true] {
            let data = if is_batch { format!("[{report}]") } else { report.to_owned() };
            let mut frame = ReportFrame::read(&format!(r#"{{"type":"metrics","data":{data}}}"#)).unwrap();
            assert_eq!(frame.is_batch, is_batch);
            let outcome = frame.entries.remove(0).outcome.and_then(|draft| draft.into_report(&sender));
            let rejection = outcome.unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (code, field), "{report}");
        }
    }
    let missing = (MissingField, Some("data"), true);
    assert_rejected(ReportFrame::read, r#"{"type":"metrics","id":7}"#, missing);
    let empty = (InvalidField, Some("data"), true);
    assert_rejected(ReportFrame::read, r#"{"type":"metrics","id":7,"data":[]}"#, empty);
}
