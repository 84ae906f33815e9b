//! The API of DynamoDB Streams: a table's stream, its shards, and their records.

use serde_json::{Value as Json, json};

use super::record::SequenceNumber;
use crate::dynamodb::{Api, CallError, Client};

/// A shard in the response of DescribeStream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardDescription {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
}

/// The result of GetShardIterator or GetRecords.
#[derive(Debug)]
pub(crate) enum Page {
    /// Records, and the iterator of the next page; none if the shard is closed.
    Records {
        records: Vec<Json>,
        next: Option<String>,
    },
    /// The iterator is no longer valid. A new one continues after the last record.
    IteratorExpired,
    /// The records after the last one that was read are deleted.
    Trimmed,
    StreamGone,
}

/// The ARN of the table's stream, if it has one.
pub(crate) async fn stream_arn(client: &Client, table: &str) -> Result<Option<String>, CallError> {
    let described = client.call(Api::Tables, "DescribeTable", &json!({ "TableName": table })).await?;
    let is_enabled = described.pointer("/Table/StreamSpecification/StreamEnabled") == Some(&Json::Bool(true));
    Ok(described.pointer("/Table/LatestStreamArn").filter(|_| is_enabled).and_then(text))
}

pub(crate) async fn describe_shards(
    client: &Client,
    stream_arn: &str,
) -> Result<Vec<ShardDescription>, CallError> {
    let mut shards = Vec::new();
    let mut body = json!({ "StreamArn": stream_arn });
    loop {
        let described = client.call(Api::Streams, "DescribeStream", &body).await?;
        let description = described.get("StreamDescription").unwrap_or(&Json::Null);
        for shard in description.get("Shards").and_then(Json::as_array).into_iter().flatten() {
            let Some(id) = shard.get("ShardId").and_then(text) else { continue };
            shards.push(ShardDescription { id, parent: shard.get("ParentShardId").and_then(text) });
        }
        let Some(last) = description.get("LastEvaluatedShardId").and_then(Json::as_str) else {
            return Ok(shards);
        };
        body = json!({ "StreamArn": stream_arn, "ExclusiveStartShardId": last });
    }
}

/// The iterator of the first record after `after`, or of the oldest record.
pub(crate) async fn shard_iterator(
    client: &Client,
    stream_arn: &str,
    shard: &str,
    after: Option<&SequenceNumber>,
) -> anyhow::Result<Page> {
    let body = match after {
        Some(after) => json!({ "StreamArn": stream_arn, "ShardId": shard, "SequenceNumber": after,
                               "ShardIteratorType": "AFTER_SEQUENCE_NUMBER" }),
        None => json!({ "StreamArn": stream_arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" }),
    };
    match client.call(Api::Streams, "GetShardIterator", &body).await {
        Ok(response) => {
            Ok(Page::Records { records: Vec::new(), next: response.get("ShardIterator").and_then(text) })
        }
        // An engine that lost its data does not have the record of the checkpoint.
        Err(error) if error.code() == Some("ValidationException") && after.is_some() => Ok(Page::Trimmed),
        Err(error) => page_after(error),
    }
}

pub(crate) async fn read_page(client: &Client, iterator: &str) -> anyhow::Result<Page> {
    match client.call(Api::Streams, "GetRecords", &json!({ "ShardIterator": iterator })).await {
        Ok(mut response) => {
            let records = match response.get_mut("Records").map(Json::take) {
                Some(Json::Array(records)) => records,
                _ => Vec::new(),
            };
            Ok(Page::Records { records, next: response.get("NextShardIterator").and_then(text) })
        }
        Err(error) => page_after(error),
    }
}

/// The page for an error that the reader can recover from.
fn page_after(error: CallError) -> anyhow::Result<Page> {
    match error.code() {
        Some("ExpiredIteratorException") => Ok(Page::IteratorExpired),
        Some("TrimmedDataAccessException") => Ok(Page::Trimmed),
        Some("ResourceNotFoundException") => Ok(Page::StreamGone),
        Some(_) | None => Err(error.into()),
    }
}

fn text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}
