//! The frames, compared with the JSON of docs/PROTOCOL.md.

use super::*;
use serde_json::json;
use serde_json::value::to_raw_value;

fn report(metrics: &RawValue) -> Report<'_> {
    Report { app_id: "a", metrics, timestamp: TimestampMs::clamped(1_764_000_000_007), source: "s" }
}

#[test]
fn client_frames_are_serialised_as_documented() {
    let metrics = to_raw_value(&json!({"cpu": {"usage": 1.5}})).unwrap();
    let expected = json!({"appId": "a", "metrics": {"cpu": {"usage": 1.5}},
        "timestamp": "2025-11-24T16:00:00.007Z", "source": "s"});
    let frame = ClientFrame::Metrics { id: Some("r1".to_owned()), data: Reports::One(report(&metrics)) };
    assert!(frame.expects_reply());
    assert_eq!(
        serde_json::to_value(&frame).unwrap(),
        json!({"type": "metrics", "id": "r1", "data": expected})
    );
    let batch = Reports::Batch(vec![report(&metrics), report(&metrics)]);
    let frame = ClientFrame::Metrics { id: None, data: batch };
    assert!(!frame.expects_reply());
    let batch = json!({"type": "metrics", "data": [expected, expected]});
    assert_eq!(serde_json::to_value(&frame).unwrap(), batch);
    let frame = ClientFrame::Subscribe { data: Subscription { app_id: "a", since: None } };
    assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"subscribe","data":{"appId":"a"}}"#);
    assert_eq!(serde_json::to_string(&ClientFrame::Ping).unwrap(), r#"{"type":"ping"}"#);
    assert!(ClientFrame::Ping.expects_reply());
}

#[test]
fn service_frames_are_parsed() {
    use ServiceFrame as Frame;
    let success = r#"{"type":"auth_success","payload":{"appId":"a","userId":"u"}}"#;
    assert!(matches!(Frame::parse(success), Frame::AuthSuccess));
    let error = r#"{"type":"error","payload":{"code":"unavailable","message":"m","retryable":true}}"#;
    assert!(matches!(Frame::parse(error), Frame::Error(Rejection { retryable: true, .. })));
    let subscribed = r#"{"type":"subscribed","payload":{"appId":"a","reports":[{}],"complete":false}}"#;
    let Frame::Subscribed(replay) = Frame::parse(subscribed) else { panic!("not subscribed") };
    assert_eq!((replay.reports.len(), replay.complete), (1, false));
    let ack = r#"{"type":"ack","payload":{"id":"r1","accepted":0,
        "rejected":[{"index":0,"code":"c","message":"m","field":"f"}]}}"#;
    let Frame::Ack(ack) = Frame::parse(ack) else { panic!("not an acknowledgement") };
    assert_eq!((ack.rejected.len(), ack.rejected[0].index), (1, Some(0)));
    assert!(matches!(Frame::parse(r#"{"type":"pong"}"#), Frame::Pong));
    assert!(matches!(Frame::parse(r#"{"type":"novelty","payload":7}"#), Frame::Other));
}

#[test]
fn gateway_errors_are_distinguished_from_malformed_frames() {
    let gateway = r#"{"message":"Internal server error","connectionId":"c","requestId":"r"}"#;
    let ServiceFrame::GatewayError(message) = ServiceFrame::parse(gateway) else {
        panic!("no gateway error")
    };
    assert_eq!(message, "Internal server error");
    for text in ["", "no json", "[]", "7", r#"{"type":"error"}"#, r#"{"type":"metrics"}"#, "{}"] {
        assert!(matches!(ServiceFrame::parse(text), ServiceFrame::Malformed), "{text}");
    }
}
