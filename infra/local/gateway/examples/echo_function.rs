//! The function of the gateway's tests: does what the event requests, failures included.
//!
//! The body of a frame or request, and the item of a stream record, is `{"do": …}`. Events other than frames are
//! appended to the record file.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value cannot panic")]

use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = (event.payload, event.context);
    if event["Records"].is_array() {
        return consume(&event).await;
    }
    if event["type"] == "REQUEST" {
        record(&event)?;
        return authorize(&event);
    }
    match event["requestContext"]["eventType"].as_str() {
        Some("CONNECT") => {
            record(&event)?;
            connect(&event).await
        }
        Some("DISCONNECT") => record(&event).map(|()| json!({ "statusCode": 200 })),
        _ => act(event, &context).await,
    }
}

fn variable(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test's function has no settings file")]
    std::env::var(name).unwrap_or_default()
}

fn record(event: &Value) -> Result<(), Error> {
    let path = variable("RECORD_FILE");
    if path.is_empty() {
        return Ok(());
    }
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    // One write, so that the lines of several processes do not mix.
    Ok(file.write_all(format!("{event}\n").as_bytes())?)
}

/// Handles a stream's batch. An item's `do` may request a failure, `times` often or always.
async fn consume(event: &Value) -> Result<Value, Error> {
    let earlier = std::fs::read_to_string(variable("RECORD_FILE")).unwrap_or_default();
    record(event)?;
    let mut failures = Vec::new();
    for change in event["Records"].as_array().into_iter().flatten() {
        let attribute = |name: &str, kind: &str| change["dynamodb"]["NewImage"][name][kind].as_str();
        let seen = || earlier.matches(&change["eventID"].to_string()).count();
        if attribute("times", "N")
            .is_some_and(|times| times.parse::<usize>().is_ok_and(|times| seen() >= times))
        {
            continue;
        }
        match attribute("do", "S") {
            Some("fail") => return Err("boom".into()),
            Some("sleep") => {
                let ms = attribute("ms", "N").and_then(|ms| ms.parse().ok()).unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Some("report") => {
                failures.push(json!({ "itemIdentifier": change["dynamodb"]["SequenceNumber"] }));
            }
            _ => {}
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

fn authorize(event: &Value) -> Result<Value, Error> {
    if event["version"] == "2.0" {
        return match event["identitySource"][0].as_str() {
            Some("broken") => Err("boom".into()),
            source => Ok(json!({ "isAuthorized": source == Some("good"), "context": { "who": source } })),
        };
    }
    let query = &event["queryStringParameters"];
    let effect = match query["guard"].as_str() {
        Some("unauthorized") => return Err("Unauthorized".into()),
        Some("lowercase") => return Err("unauthorized".into()),
        Some("broken") => return Err("boom".into()),
        Some("malformed") => return Ok(json!({ "principalId": "p" })),
        Some("deny") => "Deny",
        _ => "Allow",
    };
    let statement =
        json!([{ "Effect": effect, "Action": "execute-api:Invoke", "Resource": event["methodArn"] }]);
    Ok(json!({
        "principalId": (query["guard"] != "nameless").then_some("tester"),
        "policyDocument": { "Version": "2012-10-17", "Statement": statement },
        "context": { "role": "view", "level": 5 },
    }))
}

async fn connect(event: &Value) -> Result<Value, Error> {
    let query = &event["queryStringParameters"];
    match query["connect"].as_str() {
        Some("fail") => return Err("boom".into()),
        Some("post") => {
            let status = post(event, "too early").await?;
            let status = if status == 410 { 418 } else { 500 };
            return Ok(json!({ "statusCode": status }));
        }
        Some("wait") => tokio::time::sleep(Duration::from_millis(500)).await,
        Some(status) => return Ok(json!({ "statusCode": status.parse::<u16>()? })),
        None => {}
    }
    let offered = event["headers"]["Sec-WebSocket-Protocol"].as_str().unwrap_or_default();
    match offered.split(',').next().map(str::trim).filter(|first| !first.is_empty()) {
        Some(first) => Ok(json!({ "statusCode": 200, "headers": { "sec-websocket-protocol": first } })),
        None => Ok(json!({ "statusCode": 200 })),
    }
}

async fn act(event: Value, context: &lambda_runtime::Context) -> Result<Value, Error> {
    let body = event["body"].as_str().unwrap_or_default();
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let respond = |body: String| Ok(json!({ "statusCode": 200, "body": body }));
    match request["do"].as_str() {
        Some("nothing") => Ok(json!({ "statusCode": 200 })),
        Some("malformed") => Ok(Value::Null),
        Some("fail") => Err("boom".into()),
        #[expect(clippy::panic, reason = "the test requests it")]
        Some("panic") => panic!("as requested"),
        Some("exit") => std::process::exit(3),
        Some("sleep") => {
            if request["announce"] == true {
                post(&event, "begun").await?;
            }
            tokio::time::sleep(Duration::from_millis(request["ms"].as_u64().unwrap_or_default())).await;
            respond(format!("slept in {}", std::process::id()))
        }
        Some("pid") => respond(std::process::id().to_string()),
        Some("context") => respond(
            json!({ "requestId": context.request_id, "deadline": context.deadline,
                    "arn": context.invoked_function_arn, "name": context.env_config.function_name,
                    "memory": context.env_config.memory })
            .to_string(),
        ),
        Some("variable") => respond(variable(request["name"].as_str().unwrap_or_default())),
        Some("variables") => {
            #[expect(clippy::disallowed_methods, reason = "the test's function has no settings file")]
            let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            respond(json!(names).to_string())
        }
        Some("post") => {
            let status = post(&event, request["text"].as_str().unwrap_or_default()).await?;
            respond(format!("posted {status}"))
        }
        Some("flood") => {
            let (count, bytes) =
                (request["count"].as_u64().unwrap_or(1), request["bytes"].as_u64().unwrap_or(1));
            let text = "x".repeat(usize::try_from(bytes)?);
            let target = request["to"].as_str().unwrap_or_default();
            for sent in 0..count {
                let status = post_to(target, &text).await?;
                if status != 200 {
                    return respond(format!("flood ended with {status} after {sent}"));
                }
            }
            respond("flood passed".into())
        }
        Some("large") => respond("x".repeat(usize::try_from(request["bytes"].as_u64().unwrap_or_default())?)),
        Some("http") => Ok(request["response"].clone()),
        _ => respond(event.to_string()),
    }
}

async fn post(event: &Value, text: &str) -> Result<u16, Error> {
    post_to(event["requestContext"]["connectionId"].as_str().unwrap_or_default(), text).await
}

async fn post_to(connection_id: &str, text: &str) -> Result<u16, Error> {
    let endpoint = variable("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI");
    let url = format!("{endpoint}/@connections/{}", connection_id.replace('=', "%3D"));
    let authorization = format!("AWS4-HMAC-SHA256 Credential={}/any", variable("AWS_ACCESS_KEY_ID"));
    let request = reqwest::Client::new().post(url).header("authorization", authorization);
    Ok(request.body(text.to_owned()).send().await?.status().as_u16())
}
