//! `nsl agent`: what it sends, and that it reconnects.

use crate::fake_service::{Nsl, Service, rejection};
use serde_json::{Value, json};

fn agent(service: &Service, more: &[&str]) -> Nsl {
    let url = service.url();
    let mut arguments =
        vec!["agent", "--ws", &url, "--app", "demo", "--interval", "0.2", "--source", "box-1"];
    arguments.extend(more);
    Nsl::start(&arguments)
}

#[tokio::test]
async fn reports_have_metrics_time_and_source() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--count", "3"]);
    let mut peer = service.accept_authenticated().await;
    for number in 1..=3 {
        let frame = peer.receive().await;
        assert_eq!(frame["type"], "metrics");
        assert_eq!((&frame["data"]["appId"], &frame["data"]["source"]), (&json!("demo"), &json!("box-1")));
        assert!(frame["data"]["timestamp"].as_str().unwrap().ends_with('Z'), "{frame}");
        assert!(frame["data"]["metrics"]["memory"]["total"].as_u64().unwrap() > 0);
        assert_eq!(
            frame.get("id").is_some(),
            number == 3,
            "only the last of three asks for an acknowledgement"
        );
        if let Some(id) = frame.get("id") {
            peer.send(json!({"type": "ack", "payload": {"id": id, "accepted": 1, "rejected": []}})).await;
        }
    }
    assert_eq!(peer.receive_or_close().await, None);
    assert!(nsl.succeeds().await);
}

#[tokio::test]
async fn every_tenth_report_asks_for_an_acknowledgement() {
    let service = Service::start().await;
    let _nsl = agent(&service, &[]);
    let mut peer = service.accept_authenticated().await;
    let mut asking = Vec::new();
    for number in 1..=10 {
        if peer.receive().await.get("id").is_some() {
            asking.push(number);
        }
    }
    assert_eq!(asking, [10]);
}

#[tokio::test]
async fn wrong_key_ends_the_agent() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    let mut peer = service.accept().await;
    peer.receive().await;
    peer.send(rejection("unauthorized", false)).await;
    nsl.message_with("unauthorized").await;
    assert!(!nsl.succeeds().await);
}

#[tokio::test]
async fn agent_reconnects_after_temporary_rejections_and_closed_connections() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    let mut peer = service.accept().await;
    peer.receive().await;
    peer.send(rejection("unavailable", true)).await;
    nsl.message_with("retrying").await;
    drop(peer);

    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    peer.close(1001, "Going away").await;
    nsl.message_with("1001 Going away").await;

    let mut peer = service.accept_authenticated().await;
    assert_eq!(peer.receive().await["type"], "metrics");
    nsl.message_with("reports during the outage").await;
}

#[tokio::test]
async fn agent_waits_for_a_starting_service() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    // A starting proxy may close a connection after the handshake.
    drop(service.accept().await);
    nsl.message_with("retrying").await;
    assert_eq!(service.accept_authenticated().await.receive().await["type"], "metrics");
}

#[tokio::test]
async fn rejections_are_shown() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--count", "1"]);
    let mut peer = service.accept_authenticated().await;
    let id = peer.receive().await["id"].clone();
    let rejected =
        json!([{"index": 0, "code": "timestamp_out_of_range", "message": "too old", "field": "timestamp"}]);
    peer.send(json!({"type": "ack", "payload": {"id": id, "accepted": 0, "rejected": rejected}})).await;
    nsl.message_with("timestamp_out_of_range").await;
    assert!(!nsl.succeeds().await);
}

#[tokio::test]
async fn interrupt_closes_the_connection_and_succeeds() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--json"]);
    let mut peer = service.accept_authenticated().await;
    peer.receive().await;
    nsl.interrupt().await;
    while peer.receive_or_close().await.is_some() {}
    let ended: Value = serde_json::from_str(&nsl.line().await).unwrap();
    assert_eq!((&ended["event"], &ended["rejected"]), (&json!("ended"), &json!(0)));
    assert!(nsl.succeeds().await);
}
