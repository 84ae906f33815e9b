//! The `@connections` API, called as the SDK calls it.

use reqwest::{Client as Http, Method};
use serde_json::Value;

use crate::harness::Gateway;

/// Status, error code and body of a signed call.
async fn call(gateway: &Gateway, method: Method, id: &str, body: &str) -> (u16, Option<String>, String) {
    let url = format!("{}/@connections/{}", gateway.address("management"), id.replace('=', "%3D"));
    send(&url, method, body, &gateway.authorization()).await
}

async fn send(url: &str, method: Method, body: &str, authorization: &str) -> (u16, Option<String>, String) {
    let request = Http::new().request(method, url).header("authorization", authorization);
    let response = request.body(body.to_owned()).send().await.unwrap();
    let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().unwrap().to_owned());
    (response.status().as_u16(), code, response.text().await.unwrap())
}

#[tokio::test]
async fn post_delivers_and_get_describes() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let id = client.connection_id().await;
    assert!(id.len() == 16 && id.ends_with('='));
    assert_eq!(call(&gateway, Method::POST, &id, "hello").await.0, 200);
    assert_eq!(client.text().await, "hello");
    let (status, _, body) = call(&gateway, Method::GET, &id, "").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["identity"]["sourceIp"], "127.0.0.1");
    for time in ["connectedAt", "lastActiveAt"] {
        assert!(body[time].as_str().unwrap().ends_with('Z'), "{body}");
    }
}

#[tokio::test]
async fn deleted_connection_closes_with_1000_and_is_gone() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let id = client.connection_id().await;
    assert_eq!(call(&gateway, Method::POST, &id, "last frame").await.0, 200);
    assert_eq!(call(&gateway, Method::DELETE, &id, "").await.0, 204);
    assert_eq!(client.text().await, "last frame", "what was queued before is still sent");
    assert_eq!(client.close_code().await, 1000);
    let end = gateway.recorded(|event| event["requestContext"]["eventType"] == "DISCONNECT").await;
    assert_eq!(end["requestContext"]["disconnectStatusCode"], 1000);
    assert_eq!(end["requestContext"]["disconnectReason"], "Connection Closed Normally");
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let (status, code, body) = call(&gateway, method, &id, "x").await;
        assert_eq!((status, code.as_deref()), (410, Some("GoneException")));
        assert!(serde_json::from_str::<Value>(&body).unwrap()["message"].is_string());
    }
}

#[tokio::test]
async fn invalid_calls_get_the_sdks_error_codes() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let id = client.connection_id().await;
    let error = |answer: (u16, Option<String>, String)| (answer.0, answer.1.unwrap());
    let large = "x".repeat(128 * 1024 + 1);
    let answer = call(&gateway, Method::POST, &id, &large).await;
    assert_eq!(error(answer), (413, "PayloadTooLargeException".into()));
    let url = format!("{}/@connections/{id}", gateway.address("management"));
    let answer = send(&url, Method::POST, "x", "AWS4-HMAC-SHA256 Credential=LOCALGATEWAY/x").await;
    assert_eq!(error(answer), (403, "ForbiddenException".into()));
    let answer = send(&url.replace("/test/", "/other/"), Method::POST, "x", &gateway.authorization()).await;
    assert_eq!(error(answer), (403, "ForbiddenException".into()));
    assert_eq!(call(&gateway, Method::POST, &id, &large[1..]).await.0, 200);
    assert_eq!(client.text().await.len(), 128 * 1024);
}
