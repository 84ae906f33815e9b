//! Handshakes, events and responses of the WebSocket API.

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayWebsocketProxyRequest,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::Gateway;

/// Checks that the crate that functions use parses the event.
fn read<T: DeserializeOwned>(event: &Value) -> T {
    serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{error}: {event:#}"))
}

fn kind(event: &Value) -> Option<&str> {
    event["requestContext"]["eventType"].as_str().filter(|_| event["type"] != "REQUEST")
}

#[tokio::test]
async fn events_have_the_fields_of_api_gateway() {
    let gateway = Gateway::start(&[]);
    let (mut client, _) = gateway.connect_with("/live?a=1&a=2", &[("x-api-key", "k")]).await.unwrap();
    let message = client.ask(r#"{"type":"ask","n":1}"#).await;
    client.socket.close(None).await.unwrap();

    let authorized = gateway.recorded(|event| event["type"] == "REQUEST").await;
    read::<ApiGatewayCustomAuthorizerRequestTypeRequest>(&authorized);
    assert_eq!(authorized["methodArn"], "arn:aws:execute-api:us-east-1:000000000000:Ws/test/$connect");
    assert_eq!(authorized["headers"]["x-api-key"], "k");

    let connect = gateway.recorded(|event| kind(event) == Some("CONNECT")).await;
    read::<ApiGatewayWebsocketProxyRequest>(&connect);
    assert_eq!(connect["multiValueQueryStringParameters"], json!({ "a": ["1", "2"] }));
    assert_eq!(connect["headers"]["Sec-WebSocket-Version"], "13");
    assert!(connect.get("body").is_none());

    let parsed = read::<ApiGatewayWebsocketProxyRequest>(&message);
    assert_eq!(parsed.body.as_deref(), Some(r#"{"type":"ask","n":1}"#));
    assert_eq!(message["requestContext"]["routeKey"], "ask");
    assert!(message.get("headers").is_none());
    let end = gateway.recorded(|event| kind(event) == Some("DISCONNECT")).await;
    read::<ApiGatewayWebsocketProxyRequest>(&end);
    assert_eq!(end["requestContext"]["disconnectStatusCode"], 1005);
    assert_eq!(end["requestContext"]["disconnectReason"], "Client-side close frame status not set");
    for event in [&connect, &message, &end] {
        let context = &event["requestContext"];
        assert_eq!(
            context["authorizer"],
            json!({ "principalId": "tester", "role": "view", "level": "5" }),
            "the authorizer's context is carried to every event"
        );
        assert_eq!(context["connectionId"], message["requestContext"]["connectionId"]);
    }
}

#[tokio::test]
async fn rejected_handshakes_have_the_status_of_aws() {
    let gateway = Gateway::start(&[]);
    for (path, expected, message) in [
        ("/?guard=deny", 403, "Forbidden"),
        ("/?guard=unauthorized", 401, "Unauthorized"),
        ("/?guard=broken", 500, "Internal server error"),
        ("/?guard=malformed", 500, "Internal server error"),
        ("/?guard=nameless", 500, "Internal server error"),
        ("/?guard=lowercase", 500, "Internal server error"),
        ("/?connect=fail", 502, "Internal server error"),
    ] {
        let (status, body) = gateway.rejection(path).await;
        assert_eq!(status, expected, "{path}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["message"], message);
        assert!(body["connectionId"].is_string() && body["requestId"].is_string());
    }
    assert_eq!(gateway.rejection("/?connect=429").await, (429, String::new()));
    // 418: the function's post to the connection failed with 410 before the handshake ended.
    assert_eq!(gateway.rejection("/?connect=post").await.0, 418);
    let plain = reqwest::get(gateway.address("ws").replace("ws:", "http:")).await.unwrap();
    assert_eq!(plain.status(), 426);
    let kinds: Vec<Value> = gateway.all_recorded();
    assert!(kinds.iter().all(|event| kind(event) != Some("DISCONNECT")), "nothing was ever connected");
}

#[tokio::test]
async fn function_chooses_the_subprotocol() {
    let gateway = Gateway::start(&[]);
    let offered = [("sec-websocket-protocol", "nsl.v1, key.abc")];
    let (mut client, response) = gateway.connect_with("/", &offered).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "nsl.v1");
    assert!(client.ask(r#"{"type":"ask"}"#).await.is_object());
    let authorized = gateway.recorded(|event| kind(event) == Some("CONNECT")).await;
    assert_eq!(authorized["headers"]["Sec-WebSocket-Protocol"], "nsl.v1, key.abc");
}

#[tokio::test]
async fn only_two_way_routes_respond() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    // A result without a body is an empty message.
    client.send(r#"{"type":"ask","do":"nothing"}"#).await;
    assert_eq!(client.text().await, "");
    // One-way routes send nothing: the next frame is the function's own post.
    client.send(r#"{"type":"notify","do":"pid"}"#).await;
    client.send(r#"{"type":"notify_all","do":"post","text":"posted"}"#).await;
    assert_eq!(client.text().await, "posted");
    client.send(r#"{"type":"ask","do":"post","text":"first"}"#).await;
    assert_eq!((client.text().await, client.text().await), ("first".into(), "posted 200".into()));
}

#[tokio::test]
async fn unmatched_frames_go_to_the_default_route() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let deep = "[".repeat(16_000) + &"]".repeat(16_000);
    for frame in
        ["hello", "", "{", "[]", r#"{"type":"unknown"}"#, r#"{"type":"$connect"}"#, r#"{"type":{}}"#, &deep]
    {
        let event = client.ask(frame).await;
        assert_eq!(event["requestContext"]["routeKey"], "$default", "{frame:.20}");
        assert_eq!(event["body"], frame);
    }
    let frame = format!(r#"{{"type":"notify","type":"ask","data":{}}}"#, &deep[8_000..24_000]);
    assert_eq!(client.ask(frame).await["requestContext"]["routeKey"], "ask");
}

#[tokio::test]
async fn unmatched_frame_without_default_route_is_forbidden() {
    let template = crate::harness::fixture();
    let lines = template.lines().filter(|line| !line.contains("$default: {"));
    let template: Vec<&str> = lines.collect();
    let template = template.join("\n").replace("RouteId: !Ref WsDefaultRoute", "RouteId: none");
    let gateway = Gateway::start_with(&template, &[]);
    let mut client = gateway.connect().await;
    let connection_id = client.connection_id().await;
    let error = client.ask("hello").await;
    assert_eq!((&error["message"], &error["connectionId"]), (&json!("Forbidden"), &json!(connection_id)));
    assert!(error["requestId"].is_string());
}

#[tokio::test]
async fn client_leaving_during_the_handshake_is_disconnected() {
    let gateway = Gateway::start(&[]);
    let address = gateway.address("ws").replace("ws://", "");
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET /?connect=wait HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let connect = gateway.recorded(|event| kind(event) == Some("CONNECT")).await;
    drop(socket);
    let end = gateway.recorded(|event| kind(event) == Some("DISCONNECT")).await;
    assert_eq!(end["requestContext"]["disconnectStatusCode"], 1006);
    assert_eq!(end["requestContext"]["connectionId"], connect["requestContext"]["connectionId"]);
}
