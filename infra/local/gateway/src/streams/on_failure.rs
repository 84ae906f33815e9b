//! The on-failure destination: Lambda's messages about discarded records, one line each in a file.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value as Json, json};

use super::ordered_queue::Discarded;
use super::record::Record;
use crate::json::extended;
use crate::{clock, ids};

/// Where discarded records came from, and the function they were for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'o> {
    pub(crate) function_arn: &'o str,
    pub(crate) stream_arn: &'o str,
    pub(crate) shard_id: &'o str,
}

/// Appends to the file that stands in for the queue or topic of one function.
pub(crate) fn append(path: &Path, message: &Json) -> anyhow::Result<()> {
    let open = OpenOptions::new().append(true).create(true).open(path);
    // One write, so that the lines of several mappings do not mix.
    open.and_then(|mut file| file.write_all(format!("{message}\n").as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Lambda's message about discarded records, which names them without their content.
pub(crate) fn message(discarded: &Discarded, origin: Origin<'_>, now_ms: i64) -> Json {
    let (first, last) = (discarded.records.first(), discarded.records.last());
    let sequence = |record: Option<&Record>| record.map(|record| record.sequence.as_str().to_owned());
    let arrival = |record: Option<&Record>| record.map(|record| clock::iso_time(record.created_ms));
    let message = json!({
        "requestContext": {
            "requestId": ids::uuid(),
            "functionArn": origin.function_arn,
            "condition": discarded.reason.as_str(),
            "approximateInvokeCount": discarded.attempts,
        },
        "version": "1.0",
        "timestamp": clock::iso_time(now_ms),
        "DDBStreamBatchInfo": {
            "shardId": origin.shard_id,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": discarded.records.len(),
            "streamArn": origin.stream_arn,
        },
    });
    // There is no response if the function was never invoked.
    if discarded.attempts == 0 {
        return message;
    }
    let response = json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
    extended(message, json!({ "responseContext": response }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::ordered_queue::DiscardReason;

    #[test]
    fn message_has_the_fields_of_lambda() {
        let records = (1..=2).map(|number| Record::sample(number, "a", 1_573_689_799_000)).collect();
        let discarded = Discarded { records, reason: DiscardReason::RetryAttemptsExhausted, attempts: 3 };
        let origin = Origin { function_arn: "arn:f", stream_arn: "arn:s", shard_id: "shard-1" };
        let mut message = message(&discarded, origin, 1_573_690_429_717);
        assert!(message["requestContext"]["requestId"].take().is_string());
        let expected = json!({
            "requestContext": { "requestId": null, "functionArn": "arn:f", "condition": "RetryAttemptsExhausted",
                                "approximateInvokeCount": 3 },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": "2019-11-14T00:13:49.717Z",
            "DDBStreamBatchInfo": {
                "shardId": "shard-1",
                "startSequenceNumber": "000000000000000000001",
                "endSequenceNumber": "000000000000000000002",
                "approximateArrivalOfFirstRecord": "2019-11-14T00:03:19.000Z",
                "approximateArrivalOfLastRecord": "2019-11-14T00:03:19.000Z",
                "batchSize": 2,
                "streamArn": "arn:s",
            },
        });
        assert_eq!(message, expected);
    }
}
