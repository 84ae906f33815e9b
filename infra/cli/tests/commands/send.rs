//! `nsl send`: one report, accepted or rejected.

use crate::fake_service::{Nsl, Service, rejection};
use serde_json::json;

fn send(service: &Service) -> Nsl {
    Nsl::start(&["send", "demo", "--machine", "--source", "box-1", "--ws", &service.url()])
}

#[tokio::test]
async fn accepted_report_is_shown() {
    let service = Service::start().await;
    let mut nsl = send(&service);
    let mut peer = service.accept_authenticated().await;
    let frame = peer.receive().await;
    assert_eq!((&frame["type"], &frame["data"]["source"]), (&json!("metrics"), &json!("box-1")));
    peer.send(json!({"type": "ack", "payload": {"id": frame["id"], "accepted": 1, "rejected": []}})).await;
    assert!(nsl.line().await.starts_with("accepted: demo from box-1"));
    assert_eq!(peer.receive_or_close().await, None);
    assert!(nsl.succeeds().await);
}

#[tokio::test]
async fn rejected_report_is_an_error() {
    let service = Service::start().await;
    let mut nsl = send(&service);
    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    peer.send(rejection("rate_limited", true)).await;
    nsl.message_with("rate_limited").await;
    assert!(!nsl.succeeds().await);
}
