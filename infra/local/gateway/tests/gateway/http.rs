//! The HTTP API: events, responses, the authorizer's cache.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::harness::Gateway;

const ORIGIN: &str = "http://one.test";

async fn get(gateway: &Gateway, path: &str, authorization: Option<&str>) -> Response {
    let mut request =
        Client::new().get(format!("{}{path}", gateway.address("http"))).header("origin", ORIGIN);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.send().await.unwrap()
}

/// Status and message of an error response, after checking that a browser may read it.
async fn error(gateway: &Gateway, path: &str, authorization: Option<&str>) -> (u16, String) {
    let response = get(gateway, path, authorization).await;
    assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn events_are_of_payload_format_2() {
    let gateway = Gateway::start(&[]);
    let response = get(&gateway, "/api/logger/items/a%20b?x=1&x=2", Some("good")).await;
    assert_eq!(response.headers()["access-control-expose-headers"], "etag");
    let event: Value = response.json().await.unwrap();
    assert_eq!(event["rawPath"], "/items/a%20b");
    assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
    assert_eq!(event["requestContext"]["authorizer"], json!({ "lambda": { "who": "good" } }));
    let known: Value = get(&gateway, "/items/known", Some("good")).await.json().await.unwrap();
    assert_eq!(known["routeKey"], "GET /items/known");
    // The crate that functions use parses the event.
    let parsed: aws_lambda_events::apigw::ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
    assert_eq!(parsed.route_key.as_deref(), Some("GET /items/{id}"));
}

#[tokio::test]
async fn results_become_responses() {
    let gateway = Gateway::start(&[]);
    let url = format!("{}/rest/any/thing", gateway.address("http"));
    let post = async |body: Value| Client::new().post(&url).body(body.to_string()).send().await.unwrap();
    let response = json!({ "statusCode": 202, "headers": { "ETag": "e" }, "cookies": ["a=1", "b=2"], "body": "aGk=",
                         "isBase64Encoded": true });
    let response = post(json!({ "do": "http", "response": response })).await;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["etag"], "e");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.text().await.unwrap(), "hi");
    for broken in [
        json!({ "do": "fail" }),
        json!({ "do": "exit" }),
        json!({ "do": "http", "response": { "statusCode": 1 } }),
    ] {
        let response = post(broken).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.text().await.unwrap(), r#"{"message":"Internal Server Error"}"#);
    }
    let brief = format!("{}/brief", gateway.address("http"));
    let slow = Client::new().post(brief).body(r#"{"do":"sleep","ms":60000}"#).send().await.unwrap();
    assert_eq!(slow.status(), 500, "the function's own timeout is its failure");
}

#[tokio::test]
async fn errors_are_those_of_api_gateway_and_readable_by_browsers() {
    let gateway = Gateway::start(&[]);
    let error_of = async |path, authorization| error(&gateway, path, authorization).await;
    assert_eq!(error_of("/nowhere", Some("good")).await, (404, "Not Found".into()));
    assert_eq!(error_of("/items/1", None).await, (401, "Unauthorized".into()));
    assert_eq!(error_of("/items/1", Some("bad")).await, (403, "Forbidden".into()));
    assert_eq!(error_of("/items/1", Some("broken")).await, (500, "Internal Server Error".into()));
    assert_eq!(get(&gateway, "/rest/open", None).await.status(), 200, "this route has no authorizer");
}

#[tokio::test]
async fn authorizer_results_are_cached_by_identity() {
    let gateway = Gateway::start(&[]);
    let preflight = Client::new().request(Method::OPTIONS, format!("{}/items/1", gateway.address("http")));
    let preflight = preflight.header("origin", ORIGIN).header("access-control-request-method", "GET");
    assert_eq!(preflight.send().await.unwrap().status(), 204);
    assert!(gateway.all_recorded().is_empty(), "a preflight invokes no function");
    for _ in 0..3 {
        assert_eq!(get(&gateway, "/items/1", Some("good")).await.status(), 200);
        assert_eq!(get(&gateway, "/items/2", Some("bad")).await.status(), 403);
    }
    assert_eq!(gateway.all_recorded().len(), 2, "one call for each identity");
    let event = gateway.recorded(|event| event["identitySource"][0] == "good").await;
    assert_eq!(event["routeArn"], "arn:aws:execute-api:us-east-1:000000000000:Http/$default/GET/items/1");
}
