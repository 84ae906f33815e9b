//! A fake of the DynamoDB Streams API for a table whose shard was split; the embedded engine never splits one.
//!
//! The parent shard is closed, each shard has records with its name in the key, and iterators expire after one use.
//! As in DynamoDB Local, an iterator from before a shard's first record cannot read that record.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub(crate) const ARN: &str = "arn:aws:dynamodb:ddblocal:000000000000:table/Things/stream/label";
const TRIMMED: &str = "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException";

/// Starts the server and returns its URL.
pub(crate) async fn serve() -> String {
    let written = Arc::new(Mutex::new(BTreeSet::new()));
    let router = axum::Router::new().fallback(async move |headers: HeaderMap, body: String| {
        let operation = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap();
        match respond(operation, &serde_json::from_str(&body).unwrap(), &mut written.lock()) {
            Ok(response) => (StatusCode::OK, response.to_string()),
            Err(code) => (StatusCode::BAD_REQUEST, json!({ "__type": code, "message": "no" }).to_string()),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The response, or the code of an error. `written` has the shards with records: all whose start was asked for before.
fn respond(operation: &str, request: &Value, written: &mut BTreeSet<String>) -> Result<Value, &'static str> {
    match operation {
        "DescribeTable" => {
            let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
            let table =
                json!({ "TableStatus": "ACTIVE", "LatestStreamArn": ARN, "StreamSpecification": stream });
            Ok(json!({ "Table": table }))
        }
        "DescribeStream" if request.get("ExclusiveStartShardId").is_none() => {
            let shards = json!([{ "ShardId": "right", "ParentShardId": "parent" }]);
            Ok(json!({ "StreamDescription": { "Shards": shards, "LastEvaluatedShardId": "right" } }))
        }
        "DescribeStream" => {
            let shards = json!([{ "ShardId": "parent" }, { "ShardId": "left", "ParentShardId": "parent" }]);
            Ok(json!({ "StreamDescription": { "Shards": shards } }))
        }
        "GetShardIterator" => match request["SequenceNumber"].as_str() {
            Some("trimmed") => Err(TRIMMED),
            after => {
                let shard = request["ShardId"].as_str().unwrap();
                let is_empty = after.is_none() && written.insert(shard.to_owned());
                let position = if is_empty { "empty" } else { after.unwrap_or("-1") };
                Ok(json!({ "ShardIterator": format!("{shard}/{position}") }))
            }
        },
        "GetRecords" => match request["ShardIterator"].as_str().unwrap() {
            iterator if iterator.ends_with("/empty") => Err(TRIMMED),
            iterator => page(iterator).ok_or("ExpiredIteratorException"),
        },
        _ => Ok(json!({})),
    }
}

/// One record for each iterator, whose next iterator has expired.
fn page(iterator: &str) -> Option<Value> {
    let (shard, after) = iterator.split_once('/')?;
    let number = after.parse::<i64>().ok()? + 1;
    let record = json!({
        "eventID": iterator, "eventName": "INSERT", "eventVersion": "1.1",
        "dynamodb": { "Keys": { "pk": { "S": format!("{shard}-{number}") } },
                      "SequenceNumber": number.to_string(), "ApproximateCreationDateTime": 1.7e9 },
    });
    match (shard, number) {
        (_, 0) => Some(json!({ "Records": [record], "NextShardIterator": format!("{shard}/used") })),
        ("parent", 1) => Some(json!({ "Records": [record] })),
        _ => Some(json!({ "Records": [], "NextShardIterator": iterator })),
    }
}
