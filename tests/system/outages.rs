//! Lost viewers, an unreachable store, a stopped gateway.

use serde_json::{Value, json};

use crate::system::harness::{
    App, BackgroundTraffic, Client, Gateway, PartitionedGateway, auth_frame, counted, metrics_frame,
    scratch_folder, shared_app,
};

#[tokio::test]
async fn viewer_lost_without_close_disturbs_no_other() {
    let gateway = Gateway::shared();
    let background = BackgroundTraffic::start(gateway).await;
    let app = App::create(gateway).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    for n in 0..5 {
        Client::viewer(gateway, &app).await.vanish();
        publisher.publish(&app, n).await;
        viewer.next_report(n).await;
    }
    publisher.round_trip().await;
    assert_eq!(publisher.remaining("error"), 0);
    background.finish().await;
}

#[tokio::test]
async fn acknowledged_reports_survive_a_lost_publisher() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    publisher.publish(&app, 1).await;
    publisher.vanish();
    let mut viewer = Client::authenticated(gateway, &app).await;
    assert_eq!(viewer.subscribe(&app).await["reports"][0]["metrics"]["n"], 1);
}

#[tokio::test]
async fn unreachable_store_is_reported_and_recovers() {
    let mut partitioned = PartitionedGateway::start(&[]).await;
    let gateway = partitioned.gateway();
    let app = App::create(gateway).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    publisher.publish(&app, 1).await;
    viewer.next_report(1).await;
    let mut late = Client::open(gateway).await;

    partitioned.cut_dynamodb();
    publisher.send(&metrics_frame(&app, "lost", json!({"n": 2}))).await;
    let is_answer = |frame: &Value| frame["type"] == "error" || frame["type"] == "ack";
    let answer = publisher.next_where("an answer to a report", is_answer).await["payload"].take();
    let rejection = if answer["rejected"].is_array() { &answer["rejected"][0] } else { &answer };
    assert_eq!(
        (&rejection["code"], &rejection["retryable"]),
        (&json!("unavailable"), &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["id"], "lost");
    publisher.round_trip().await;
    let unauthenticated = late.rejection(&auth_frame(&app)).await;
    assert_eq!(
        (&unauthenticated["code"], &unauthenticated["retryable"]),
        (&json!("unavailable"), &json!(true))
    );

    partitioned.restore_dynamodb();
    late.send(&auth_frame(&app)).await;
    late.next("auth_success").await;
    assert_eq!(publisher.publish(&app, 3).await["accepted"], 1);
    viewer.next_report(3).await;
    assert_eq!(viewer.remaining("metrics"), 0, "a report that was not stored was delivered");
    assert!(partitioned.stop().await.success());
}

#[tokio::test]
async fn restarted_gateway_finds_every_report() {
    let folder = scratch_folder("data");
    let arguments = ["--no-demo", "--data", folder.to_str().expect("a path of text")];
    let gateway = Gateway::start(&arguments).await;
    let app = App::create(&gateway).await;
    let mut publisher = Client::authenticated(&gateway, &app).await;
    for n in 0..10 {
        publisher.publish(&app, n).await;
    }
    let status = gateway.interrupt().await;
    assert!(status.success(), "the gateway ended with {status}");

    let gateway = Gateway::start(&arguments).await;
    let path = format!("/apps/{}/metrics?timeRange=hour", app.app_id);
    assert_eq!(counted(&gateway.json(&path, &app).await, "n"), 10);
    let mut viewer = Client::viewer(&gateway, &app).await;
    Client::authenticated(&gateway, &app).await.publish(&app, 11).await;
    viewer.next_report(11).await;
}
