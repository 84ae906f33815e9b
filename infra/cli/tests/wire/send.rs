//! `nsl send` against a played service: one report, one verdict.

use crate::service::{Nsl, Service};
use serde_json::json;

fn send(service: &Service) -> Nsl {
    Nsl::start(&["send", "demo", "--machine", "--source", "box-1", "--ws", &service.url()])
}

#[tokio::test]
async fn accepted_report_is_told() {
    let service = Service::start().await;
    let mut nsl = send(&service);
    let mut peer = service.admit().await;
    let frame = peer.hear().await;
    assert_eq!((&frame["type"], &frame["data"]["source"]), (&json!("metrics"), &json!("box-1")));
    peer.say(json!({"type": "ack", "payload": {"id": frame["id"], "accepted": 1, "rejected": []}})).await;
    assert!(nsl.line().await.starts_with("accepted: demo from box-1"));
    assert_eq!(peer.hear_or_close().await, None);
    assert!(nsl.ends_well().await);
}

#[tokio::test]
async fn rejected_report_is_a_failure() {
    let service = Service::start().await;
    let mut nsl = send(&service);
    let mut peer = service.admit().await;
    peer.hear().await;
    peer.say(json!({"type": "error", "payload": {"code": "rate_limited", "message": "slow down", "retryable": true}}))
        .await;
    nsl.note_with("rate_limited").await;
    assert!(!nsl.ends_well().await);
}
