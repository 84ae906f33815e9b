//! `nsl tail`: what it shows, and how it continues after an outage.

use crate::fake_service::{Nsl, Service, rejection};
use serde_json::{Value, json};

fn tail(service: &Service, more: &[&str]) -> Nsl {
    let url = service.url();
    let mut arguments = vec!["tail", "demo", "--ws", &url];
    arguments.extend(more);
    Nsl::start(&arguments)
}

fn report(id: &str, timestamp: &str, usage: f64) -> Value {
    json!({"id": id, "appId": "demo", "source": "box-1", "timestamp": timestamp,
           "metrics": {"cpu": {"usage": usage}}})
}

fn live(payload: Value) -> Value {
    json!({"type": "metrics", "payload": payload})
}

fn subscribed(reports: Value) -> Value {
    json!({"type": "subscribed", "payload": {"appId": "demo", "reports": reports, "complete": true}})
}

#[tokio::test]
async fn replay_is_shown_first_and_repeats_are_dropped() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &["--json"]);
    let mut peer = service.accept_authenticated().await;
    assert_eq!(peer.receive().await, json!({"type": "subscribe", "data": {"appId": "demo"}}));
    let (first, second) =
        (report("a", "2026-01-01T00:00:01.000Z", 1.0), report("b", "2026-01-01T00:00:02.000Z", 2.0));
    let third = report("c", "2026-01-01T00:00:03.000Z", 3.0);
    peer.send(live(second.clone())).await;
    peer.send(subscribed(json!([first, second]))).await;
    peer.send(live(first.clone())).await;
    peer.send(live(third.clone())).await;
    let without_id = json!({"source": "box-1"});
    peer.send(live(without_id.clone())).await;
    peer.send(live(without_id.clone())).await;
    for expected in [first, second, third, without_id.clone(), without_id] {
        assert_eq!(serde_json::from_str::<Value>(&nsl.line().await).unwrap(), expected);
    }
}

#[tokio::test]
async fn tail_continues_from_the_last_report_after_an_outage() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    peer.send(subscribed(json!([report("a", "2026-01-01T00:00:01.500Z", 44.0)]))).await;
    let line = nsl.line().await;
    assert!(line.contains("box-1") && line.contains("████░░░░░░"), "{line}");
    assert!(!line.contains('\u{1b}'), "no colour without a terminal: {line}");
    drop(peer);

    let mut peer = service.accept_authenticated().await;
    let since = 1_767_225_601_500_i64;
    assert_eq!(peer.receive().await, json!({"type": "subscribe", "data": {"appId": "demo", "since": since}}));
    let replay =
        json!([report("a", "2026-01-01T00:00:01.500Z", 44.0), report("b", "2026-01-01T00:00:02.500Z", 99.0)]);
    peer.send(json!({"type": "subscribed", "payload": {"appId": "demo", "reports": [], "complete": false}}))
        .await;
    peer.send(json!({"type": "replay", "payload": {"appId": "demo", "reports": replay, "last": true}})).await;
    nsl.message_with("some reports are not shown").await;
    assert!(nsl.line().await.contains("██████████"));
}

#[tokio::test]
async fn forbidden_application_ends_the_command() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    peer.send(rejection("forbidden", false)).await;
    nsl.message_with("forbidden").await;
    assert!(!nsl.succeeds().await);
}

#[tokio::test]
async fn interrupt_closes_the_connection_and_succeeds() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    peer.send(subscribed(json!([]))).await;
    nsl.interrupt().await;
    assert_eq!(peer.receive_or_close().await, None);
    assert!(nsl.succeeds().await);
}
