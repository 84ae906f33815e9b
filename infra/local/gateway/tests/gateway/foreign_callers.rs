//! What web pages and other programs without the gateway's secret get from each listener.

use std::fs;

use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::harness::{Gateway, children};

const PAGE: &str = "http://evil.example";
const SCAN: &str = r#"{"TableName":"ThingsTable"}"#;

fn request(method: Method, url: &str) -> RequestBuilder {
    Client::new().request(method, url)
}

/// The status of a request, which must not allow a page to read it.
async fn status(request: RequestBuilder) -> StatusCode {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
    response.status()
}

fn preflight(url: &str, method: &str) -> RequestBuilder {
    let asked = request(Method::OPTIONS, url).header("origin", PAGE);
    asked
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type,x-amz-target")
}

/// A scan of a table, signed or not.
fn scan(gateway: &Gateway, authorization: Option<&str>) -> RequestBuilder {
    let request = request(Method::POST, &gateway.address("dynamodb"));
    let request = request.header("content-type", "application/x-amz-json-1.0").body(SCAN);
    let request = request.header("x-amz-target", "DynamoDB_20120810.Scan");
    authorization.into_iter().fold(request, |request, value| request.header("authorization", value))
}

/// The address of a function's Runtime API without and with its secret.
fn runtime_api(gateway: &Gateway) -> (String, String) {
    let environments =
        children(gateway).into_iter().filter_map(|pid| fs::read(format!("/proc/{pid}/environ")).ok());
    let texts = environments.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let value = texts.filter_map(|text| {
        text.split('\0').find_map(|line| line.strip_prefix("AWS_LAMBDA_RUNTIME_API=")).map(str::to_owned)
    });
    let url = value.into_iter().next().expect("a function runs");
    let (base, secret) = url.rsplit_once('/').unwrap();
    assert_eq!(secret.len(), 64);
    (base.to_owned(), url)
}

#[tokio::test]
async fn every_listener_refuses_a_foreign_host() {
    let gateway = Gateway::start(&[]);
    let (_, runtime) = runtime_api(&gateway);
    for (method, url) in [
        (Method::GET, gateway.address("ws").replace("ws://", "http://")),
        (Method::GET, format!("{}/rest/x", gateway.address("http"))),
        (Method::POST, gateway.address("dynamodb")),
        (Method::POST, format!("{}/@connections/a", gateway.address("management"))),
        (Method::POST, format!("{runtime}/2018-06-01/runtime/init/error")),
    ] {
        let port = url.split(':').nth(2).unwrap().split('/').next().unwrap();
        for host in [format!("evil.example:{port}"), "192.0.2.1".to_owned(), "0.0.0.0".to_owned()] {
            let signed = request(method.clone(), &url).header("authorization", gateway.authorization());
            assert_eq!(status(signed.header("host", &host)).await, 403, "{host} at {url}");
        }
    }
}

#[tokio::test]
async fn dynamodb_answers_only_signed_programs() {
    let gateway = Gateway::start(&[]);
    let signed = gateway.authorization();
    assert_eq!(status(scan(&gateway, Some(&signed))).await, 200);
    let wrong = signed.replace("Credential=", "Credential=X");
    for authorization in [None, Some(""), Some("Bearer x"), Some(wrong.as_str())] {
        let response = scan(&gateway, authorization).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().contains("UnrecognizedClientException"));
    }
    assert_eq!(status(scan(&gateway, Some(&signed)).header("origin", PAGE)).await, 403);
    assert_eq!(status(scan(&gateway, Some(&signed)).header("origin", "null")).await, 403);
    assert_eq!(status(preflight(&gateway.address("dynamodb"), "POST")).await, 403);
    assert_eq!(status(request(Method::GET, &gateway.address("dynamodb"))).await, 400);
}

#[tokio::test]
async fn runtime_api_requires_its_secret() {
    let gateway = Gateway::start(&[]);
    let (base, with_secret) = runtime_api(&gateway);
    let next = "2018-06-01/runtime/invocation/next";
    for url in
        [format!("{base}/{next}"), format!("{base}/{}/{next}", "0".repeat(64)), format!("{base}//{next}")]
    {
        assert_eq!(status(request(Method::GET, &url)).await, 403, "{url}");
    }
    let error = format!("{with_secret}/2018-06-01/runtime/init/error");
    assert_eq!(status(request(Method::POST, &error).header("origin", PAGE)).await, 403);
    assert_eq!(status(preflight(&error, "POST")).await, 403);
    let mut client = gateway.connect().await;
    client.connection_id().await;
}

#[tokio::test]
async fn connections_api_refuses_pages_and_other_keys() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let url = format!("{}/@connections/{}", gateway.address("management"), client.connection_id().await);
    let post = || request(Method::POST, &url).body("hello");
    let signed = gateway.authorization();
    assert_eq!(status(post()).await, 403);
    assert_eq!(
        status(post().header("authorization", signed.replace("Credential=", "Credential=X"))).await,
        403
    );
    assert_eq!(status(post().header("authorization", &signed).header("origin", PAGE)).await, 403);
    assert_eq!(status(preflight(&url, "POST")).await, 403);
    assert_eq!(status(post().header("authorization", &signed)).await, 200);
}

#[tokio::test]
async fn http_api_answers_its_own_and_allowed_pages_only() {
    let gateway = Gateway::start(&[]);
    let url = format!("{}/rest/x", gateway.address("http"));
    let from = async |origin: &str| {
        let response = request(Method::GET, &url).header("origin", origin).send().await.unwrap();
        let allowed = |headers: &HeaderMap| headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        (response.status().as_u16(), allowed(response.headers()))
    };
    assert_eq!(from("http://one.test").await, (200, true));
    assert_eq!(from(&gateway.address("http")).await, (200, false));
    for origin in [PAGE, "null", "http://one.test.evil.example", "http://127.0.0.1:1"] {
        assert_eq!(from(origin).await, (403, false), "{origin}");
    }
    assert_eq!(status(preflight(&url, "GET")).await, 403);
}

#[tokio::test]
async fn functions_decide_about_pages_on_the_websocket_api() {
    let gateway = Gateway::start(&[]);
    let (mut client, _) = gateway.connect_with("", &[("origin", PAGE)]).await.unwrap();
    client.connection_id().await;
}

#[tokio::test]
async fn gateway_on_all_interfaces_takes_addresses_and_given_names() {
    let gateway = Gateway::start(&["--allow-host", "gateway.test", "--http", "0.0.0.0:0"]);
    let url = format!("{}/rest/x", gateway.address("http").replace("0.0.0.0", "127.0.0.1"));
    for (host, expected) in [("192.0.2.7:80", 200), ("gateway.test", 200), ("evil.example", 403)] {
        assert_eq!(status(request(Method::GET, &url).header("host", host)).await, expected, "{host}");
    }
    let item = json!({ "TableName": "ThingsTable", "Item": { "pk": { "S": "a" } } });
    assert_eq!(gateway.dynamodb("PutItem", &item).await, json!({}));
}
