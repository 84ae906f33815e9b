//! `nsl agent` against a played service: what it sends, and that it comes back.

use crate::service::{Nsl, Service};
use serde_json::{Value, json};

fn agent(service: &Service, more: &[&str]) -> Nsl {
    let url = service.url();
    let mut arguments =
        vec!["agent", "--ws", &url, "--app", "demo", "--interval", "0.2", "--source", "box-1"];
    arguments.extend(more);
    Nsl::start(&arguments)
}

#[tokio::test]
async fn reports_are_library_documents_with_time_and_source() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--count", "3"]);
    let mut peer = service.admit().await;
    for number in 1..=3 {
        let frame = peer.hear().await;
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
            peer.say(json!({"type": "ack", "payload": {"id": id, "accepted": 1, "rejected": []}})).await;
        }
    }
    assert_eq!(peer.hear_or_close().await, None);
    assert!(nsl.ends_well().await);
}

#[tokio::test]
async fn every_tenth_report_asks_for_an_acknowledgement() {
    let service = Service::start().await;
    let _nsl = agent(&service, &[]);
    let mut peer = service.admit().await;
    let mut asking = Vec::new();
    for number in 1..=10 {
        if peer.hear().await.get("id").is_some() {
            asking.push(number);
        }
    }
    assert_eq!(asking, [10]);
}

#[tokio::test]
async fn wrong_key_ends_the_agent_with_one_clear_line() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    let mut peer = service.accept().await;
    peer.hear().await;
    peer.say(refusal("unauthorized", false)).await;
    nsl.note_with("unauthorized").await;
    assert!(!nsl.ends_well().await);
}

#[tokio::test]
async fn refusal_that_may_pass_and_a_dropped_connection_are_outlived() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    let mut peer = service.accept().await;
    peer.hear().await;
    peer.say(refusal("unavailable", true)).await;
    nsl.note_with("trying again").await;
    drop(peer);

    let mut peer = service.admit().await;
    peer.hear().await;
    peer.close(1001, "Going away").await;
    nsl.note_with("1001 Going away").await;

    let mut peer = service.admit().await;
    assert_eq!(peer.hear().await["type"], "metrics");
    nsl.note_with("reports fell due").await;
}

#[tokio::test]
async fn service_that_is_not_there_yet_is_waited_for() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &[]);
    // A handshake that is followed by nothing is what a starting proxy gives.
    drop(service.accept().await);
    nsl.note_with("trying again").await;
    assert_eq!(service.admit().await.hear().await["type"], "metrics");
}

#[tokio::test]
async fn rejections_are_told() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--count", "1"]);
    let mut peer = service.admit().await;
    let id = peer.hear().await["id"].clone();
    let rejected =
        json!([{"index": 0, "code": "timestamp_out_of_range", "message": "too old", "field": "timestamp"}]);
    peer.say(json!({"type": "ack", "payload": {"id": id, "accepted": 0, "rejected": rejected}})).await;
    nsl.note_with("timestamp_out_of_range").await;
    assert!(!nsl.ends_well().await);
}

#[tokio::test]
async fn interrupt_closes_the_connection_and_ends_well() {
    let service = Service::start().await;
    let mut nsl = agent(&service, &["--json"]);
    let mut peer = service.admit().await;
    peer.hear().await;
    nsl.interrupt().await;
    while peer.hear_or_close().await.is_some() {}
    let ended: Value = serde_json::from_str(&nsl.line().await).unwrap();
    assert_eq!((&ended["event"], &ended["rejected"]), (&json!("ended"), &json!(0)));
    assert!(nsl.ends_well().await);
}

fn refusal(code: &str, retryable: bool) -> Value {
    json!({"type": "error", "payload": {"code": code, "message": "no", "retryable": retryable}})
}
