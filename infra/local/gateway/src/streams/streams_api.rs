//! The API of DynamoDB's streams: which stream a table has, which shards it has, what a shard holds.

use anyhow::bail;
use serde_json::{Value as Json, json};

use super::record::SequenceNumber;
use crate::dynamodb::{Answer, Api, Client};

/// A shard as DescribeStream tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardDescription {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
}

/// A part of a shard, in order.
#[derive(Debug)]
pub(crate) enum Page {
    /// Records, and where the next ones are; no such place where the shard is closed.
    Records { records: Vec<Json>, next: Option<String> },
    /// The place is not valid any more, but what comes after the last record read is there.
    Expired,
    /// The place, or what is named as read last, has been trimmed.
    Trimmed,
    /// The stream is gone.
    Gone,
}

/// The ARN of the stream that `table` has, if it has one.
pub(crate) async fn stream_of(client: &Client, table: &str) -> anyhow::Result<Option<String>> {
    let described = client.call(Api::Tables, "DescribeTable", &json!({ "TableName": table })).await?;
    let described = done("DescribeTable", described)?;
    let enabled = described.pointer("/Table/StreamSpecification/StreamEnabled");
    let arn = described.pointer("/Table/LatestStreamArn").and_then(Json::as_str);
    Ok(arn.filter(|_| enabled.is_some_and(|enabled| *enabled == true)).map(str::to_owned))
}

/// All shards of a stream.
pub(crate) async fn shards_of(client: &Client, stream_arn: &str) -> anyhow::Result<Vec<ShardDescription>> {
    let mut shards = Vec::new();
    let mut body = json!({ "StreamArn": stream_arn });
    loop {
        let described = done("DescribeStream", client.call(Api::Streams, "DescribeStream", &body).await?)?;
        let description = described.get("StreamDescription").unwrap_or(&Json::Null);
        let text = |shard: &Json, name: &str| shard.get(name).and_then(Json::as_str).map(str::to_owned);
        for shard in description.get("Shards").and_then(Json::as_array).into_iter().flatten() {
            let Some(id) = text(shard, "ShardId") else { continue };
            shards.push(ShardDescription { id, parent: text(shard, "ParentShardId") });
        }
        let last = description.get("LastEvaluatedShardId").and_then(Json::as_str);
        let Some(last) = last else { return Ok(shards) };
        body = json!({ "StreamArn": stream_arn, "ExclusiveStartShardId": last });
    }
}

/// The place after a record, or that of the oldest record that is left.
pub(crate) async fn place_in(
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
    match client.call(Api::Streams, "GetShardIterator", &body).await? {
        Answer::Done(answer) => {
            let next = answer.get("ShardIterator").and_then(Json::as_str).map(str::to_owned);
            Ok(Page::Records { records: Vec::new(), next })
        }
        // A number that the shard does not know is as good as trimmed: an engine that lost its past.
        Answer::Refused { code, .. } if code == "ValidationException" && after.is_some() => Ok(Page::Trimmed),
        refused => recovered("GetShardIterator", refused),
    }
}

/// The records at a place.
pub(crate) async fn records_at(client: &Client, place: &str) -> anyhow::Result<Page> {
    match client.call(Api::Streams, "GetRecords", &json!({ "ShardIterator": place })).await? {
        Answer::Done(mut answer) => {
            let records = match answer.get_mut("Records").map(Json::take) {
                Some(Json::Array(records)) => records,
                _ => Vec::new(),
            };
            let next = answer.get("NextShardIterator").and_then(Json::as_str).map(str::to_owned);
            Ok(Page::Records { records, next })
        }
        refused => recovered("GetRecords", refused),
    }
}

/// What a refusal means that reading can go on after.
fn recovered(operation: &str, refused: Answer) -> anyhow::Result<Page> {
    match &refused {
        Answer::Refused { code, .. } if code == "ExpiredIteratorException" => Ok(Page::Expired),
        Answer::Refused { code, .. } if code == "TrimmedDataAccessException" => Ok(Page::Trimmed),
        Answer::Refused { code, .. } if code == "ResourceNotFoundException" => Ok(Page::Gone),
        _ => done(operation, refused).map(|_| Page::Expired),
    }
}

fn done(operation: &str, answer: Answer) -> anyhow::Result<Json> {
    match answer {
        Answer::Done(answer) => Ok(answer),
        Answer::Refused { code, message } => bail!("{operation} was refused: {code}: {message}"),
    }
}
