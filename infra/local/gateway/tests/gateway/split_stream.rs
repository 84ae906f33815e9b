//! A fake of the DynamoDB Streams API for a table whose shard was split; the embedded engine never splits one.
//!
//! The parent shard is closed, each shard has records with its name in the key, and iterators expire after one use.

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

pub(crate) const ARN: &str = "arn:aws:dynamodb:ddblocal:000000000000:table/Things/stream/label";

/// Starts the server and returns its URL.
pub(crate) async fn serve() -> String {
    let router = axum::Router::new().fallback(async |headers: HeaderMap, body: String| {
        let operation = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap();
        match respond(operation, &serde_json::from_str(&body).unwrap()) {
            Ok(response) => (StatusCode::OK, response.to_string()),
            Err(code) => (StatusCode::BAD_REQUEST, json!({ "__type": code, "message": "no" }).to_string()),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The response, or the code of an error.
fn respond(operation: &str, request: &Value) -> Result<Value, &'static str> {
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
            Some("trimmed") => Err("com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException"),
            after => {
                let shard = request["ShardId"].as_str().unwrap();
                Ok(json!({ "ShardIterator": format!("{shard}/{}", after.unwrap_or("-1")) }))
            }
        },
        "GetRecords" => page(request["ShardIterator"].as_str().unwrap()).ok_or("ExpiredIteratorException"),
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
