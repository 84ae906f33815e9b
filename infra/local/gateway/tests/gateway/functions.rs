//! The Runtime API, failing functions, process pools.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Gateway, alive, eventually};

#[tokio::test]
async fn functions_get_lambdas_context_and_environment() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let context = client.ask(r#"{"type":"ask","do":"context"}"#).await;
    assert_eq!(context["arn"], "arn:aws:lambda:us-east-1:000000000000:function:Echo");
    assert_eq!((&context["name"], &context["memory"]), (&json!("Echo"), &json!(128)));
    assert_eq!(context["requestId"].as_str().unwrap().len(), 36);
    assert!(context["deadline"].as_u64().unwrap() > 1_700_000_000_000);

    let names = client.ask(r#"{"type":"ask","do":"variables"}"#).await;
    let names: BTreeSet<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "only what the template sets: {names:?}");
    assert!(names.contains("PATH"), "{names:?}");
    let mut variable = async |name: &str| {
        client.send(json!({ "type": "ask", "do": "variable", "name": name }).to_string()).await;
        client.text().await
    };
    let (management, socket) = (gateway.address("management"), format!("{}/test", gateway.address("ws")));
    for (name, value) in [
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management.as_str()),
        ("AWS_ENDPOINT_URL_DYNAMODB", &gateway.address("dynamodb")),
        ("AWS_ENDPOINT_URL_OTHER", &management),
        ("AWS_LAMBDA_FUNCTION_NAME", "Echo"),
        ("AWS_REGION", "us-east-1"),
        ("FOREIGN_SOCKET", "wss://example.com/live"),
        ("SITE", "https://Ws.execute-api.us-east-1.amazonaws.com/test"),
        ("SOCKET", &socket),
        ("THINGS_TABLE", "ThingsTable"),
    ] {
        assert_eq!(variable(name).await, value, "{name}");
    }
}

#[tokio::test]
async fn failing_functions_give_api_gateways_error_and_are_replaced() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let connection_id = client.connection_id().await;
    for doing in ["fail", "panic", "exit", "malformed"] {
        let failure = client.ask(json!({ "type": "ask", "do": doing }).to_string()).await;
        assert_eq!(failure["message"], "Internal server error", "{doing}");
        assert_eq!(failure["connectionId"], connection_id);
        assert!(failure["requestId"].is_string());
        assert!(client.ask(r#"{"type":"ask"}"#).await["requestContext"].is_object(), "{doing}");
    }
    // One-way routes send errors too.
    let failure = client.ask(r#"{"type":"notify","do":"fail"}"#).await;
    assert_eq!(failure["message"], "Internal server error");
}

#[tokio::test]
async fn function_past_its_timeout_is_killed_and_replaced() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    client.send(r#"{"type":"brief","do":"pid"}"#).await;
    let before: u32 = client.text().await.parse().unwrap();
    let failure = client.ask(r#"{"type":"brief","do":"sleep","ms":60000}"#).await;
    assert_eq!(failure["message"], "Internal server error", "its own timeout is the function's failure");
    eventually("the process is gone", || (!alive(before)).then_some(())).await;
    client.send(r#"{"type":"brief","do":"pid"}"#).await;
    assert_ne!(client.text().await.parse::<u32>().unwrap(), before);
    let failure = client.ask(r#"{"type":"hurried","do":"sleep","ms":2000}"#).await;
    assert_eq!(failure["message"], "Endpoint request timed out", "the integration's timeout is shorter");
}

/// Sends `count` frames at once, each of which keeps a process busy for `ms`; returns the processes that responded.
async fn burst(gateway: &Gateway, count: usize, ms: u64) -> BTreeSet<String> {
    let mut client = gateway.connect().await;
    for _ in 0..count {
        client.send(json!({ "type": "ask", "do": "sleep", "ms": ms }).to_string()).await;
    }
    let mut processes = BTreeSet::new();
    for _ in 0..count {
        let response = client.text().await;
        assert!(response.starts_with("slept in "), "{response}");
        processes.insert(response);
    }
    processes
}

#[tokio::test]
async fn pools_grow_with_load_and_shrink_when_idle() {
    let gateway = Gateway::start(&["--shrink-after", "1"]);
    let processes = burst(&gateway, 6, 1500).await;
    assert!(processes.len() > 3, "concurrent invocations have their own processes: {processes:?}");
    let pids: Vec<u32> = processes.iter().map(|text| text["slept in ".len()..].parse().unwrap()).collect();
    let left = || pids.iter().filter(|pid| alive(**pid)).count();
    eventually("spare processes end", || (left() <= 1).then_some(())).await;
    assert_eq!(burst(&gateway, 1, 1).await.len(), 1);
}

#[tokio::test]
async fn invocations_beyond_the_limit_wait() {
    let gateway = Gateway::start(&["--max-concurrency", "2"]);
    assert!(burst(&gateway, 6, 200).await.len() <= 2);
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        client.send(r#"{"type":"notify","do":"sleep","ms":10000,"announce":true}"#).await;
    }
    assert_eq!((client.text().await, client.text().await), ("begun".into(), "begun".into()));
    let failure = client.ask(r#"{"type":"hurried","do":"pid"}"#).await;
    assert_eq!(
        failure["message"], "Endpoint request timed out",
        "waiting counts towards the caller's timeout"
    );
}

#[tokio::test]
async fn frames_beyond_the_in_flight_limit_are_all_answered() {
    let gateway = Gateway::start(&["--max-concurrency", "4"]);
    let mut client = gateway.connect().await;
    for number in 0..300 {
        client.send(json!({ "type": "ask", "number": number }).to_string()).await;
    }
    let mut numbers = BTreeSet::new();
    for _ in 0..300 {
        let event = client.json().await;
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
        numbers.insert(body["number"].as_u64().unwrap());
    }
    assert_eq!(numbers.len(), 300);
}

#[tokio::test]
async fn response_beyond_lambdas_limit_is_an_error() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let failure = client.ask(r#"{"type":"ask","do":"large","bytes":8000000}"#).await;
    assert_eq!(failure["message"], "Internal server error");
    assert!(client.ask(r#"{"type":"ask"}"#).await["requestContext"].is_object());
}

/// A Lambda endpoint whose functions authorise, return their name or fail.
async fn lambda_endpoint() -> String {
    use axum::extract::Path;
    use axum::response::IntoResponse;

    let invoke = async |Path(function): Path<String>, body: String| {
        let event: Value = serde_json::from_str(&body).unwrap();
        if event["type"] == "REQUEST" {
            let statement = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
            let answer = json!({ "principalId": "p", "policyDocument": { "Statement": statement } });
            return answer.to_string().into_response();
        }
        if event["body"].as_str().is_some_and(|body| body.contains("fail")) {
            return ([("x-amz-function-error", "Unhandled")], r#"{"errorMessage":"boom"}"#).into_response();
        }
        json!({ "statusCode": 200, "body": format!("{function} elsewhere") }).to_string().into_response()
    };
    let route = axum::routing::post(invoke);
    let router = axum::Router::new().route("/2015-03-31/functions/{function}/invocations", route);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_can_run_behind_another_lambda_endpoint() {
    let endpoint = lambda_endpoint().await;
    for (names, name) in [("logical-id", "Echo"), ("binary", "echo_function")] {
        let gateway = Gateway::start(&["--lambda-endpoint", &endpoint, "--lambda-names", names]);
        let mut client = gateway.connect().await;
        client.send(r#"{"type":"ask"}"#).await;
        assert_eq!(client.text().await, format!("{name} elsewhere"));
        assert_eq!(client.ask(r#"{"type":"ask","do":"fail"}"#).await["message"], "Internal server error");
        let environment = &gateway.ready["functions"]["Echo"]["environment"];
        assert_eq!(environment["SOCKET"], format!("{}/test", gateway.address("ws")));
        assert!(environment.get("PATH").is_none(), "only what the function needs besides the machine's own");
    }
}
