//! `nsl tail` against a played service: what it shows, and where it goes on after an outage.

use crate::service::{Nsl, Service};
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
async fn replay_comes_first_and_repeats_are_dropped() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &["--json"]);
    let mut peer = service.admit().await;
    assert_eq!(peer.hear().await, json!({"type": "subscribe", "data": {"appId": "demo"}}));
    let (first, second) =
        (report("a", "2026-01-01T00:00:01.000Z", 1.0), report("b", "2026-01-01T00:00:02.000Z", 2.0));
    let third = report("c", "2026-01-01T00:00:03.000Z", 3.0);
    peer.say(live(second.clone())).await;
    peer.say(subscribed(json!([first, second]))).await;
    peer.say(live(first.clone())).await;
    peer.say(live(third.clone())).await;
    for expected in [first, second, third] {
        assert_eq!(serde_json::from_str::<Value>(&nsl.line().await).unwrap(), expected);
    }
}

#[tokio::test]
async fn outage_is_bridged_from_the_last_report_seen() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.admit().await;
    peer.hear().await;
    peer.say(subscribed(json!([report("a", "2026-01-01T00:00:01.500Z", 44.0)]))).await;
    let line = nsl.line().await;
    assert!(line.contains("box-1") && line.contains("████░░░░░░"), "{line}");
    assert!(!line.contains('\u{1b}'), "no colour without a terminal: {line}");
    drop(peer);

    let mut peer = service.admit().await;
    let since = 1_767_225_601_500_i64;
    assert_eq!(peer.hear().await, json!({"type": "subscribe", "data": {"appId": "demo", "since": since}}));
    let replay =
        json!([report("a", "2026-01-01T00:00:01.500Z", 44.0), report("b", "2026-01-01T00:00:02.500Z", 99.0)]);
    peer.say(json!({"type": "subscribed", "payload": {"appId": "demo", "reports": [], "complete": false}}))
        .await;
    peer.say(json!({"type": "replay", "payload": {"appId": "demo", "reports": replay, "last": true}})).await;
    nsl.note_with("some reports are not shown").await;
    assert!(nsl.line().await.contains("██████████"));
}

#[tokio::test]
async fn app_that_may_not_be_watched_ends_the_command() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.admit().await;
    peer.hear().await;
    peer.say(
        json!({"type": "error", "payload": {"code": "forbidden", "message": "no view", "retryable": false}}),
    )
    .await;
    nsl.note_with("forbidden").await;
    assert!(!nsl.ends_well().await);
}

#[tokio::test]
async fn interrupt_closes_the_connection_and_ends_well() {
    let service = Service::start().await;
    let mut nsl = tail(&service, &[]);
    let mut peer = service.admit().await;
    peer.hear().await;
    peer.say(subscribed(json!([]))).await;
    nsl.interrupt().await;
    assert_eq!(peer.hear_or_close().await, None);
    assert!(nsl.ends_well().await);
}
