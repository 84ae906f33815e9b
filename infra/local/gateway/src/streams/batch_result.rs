//! What a function's response to a batch means.

use serde::Deserialize;

use super::record::Record;

/// The result of delivering a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchResult {
    Succeeded,
    /// The records before this index succeeded, the rest did not.
    FailedFrom(usize),
    /// No record succeeded: the function failed, or its response is malformed.
    Failed,
    /// The function could not be invoked, which does not count as its failure.
    NotInvoked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    batch_item_failures: Option<Vec<ItemFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// Reads a `batchItemFailures` response. The lowest record named is where the rest begins. A malformed response, or
/// one that names a record outside the batch, fails the whole batch.
pub(crate) fn read_response(response: &[u8], batch: &[Record]) -> BatchResult {
    if response.iter().all(u8::is_ascii_whitespace) {
        return BatchResult::Succeeded;
    }
    let Ok(response) = serde_json::from_slice::<Option<Response>>(response) else {
        return BatchResult::Failed;
    };
    let failures = response.and_then(|response| response.batch_item_failures).unwrap_or_default();
    let index_of = |failure: &ItemFailure| {
        batch.iter().position(|record| record.sequence.as_str() == failure.item_identifier)
    };
    match failures.iter().map(index_of).collect::<Option<Vec<usize>>>() {
        None => BatchResult::Failed,
        Some(indices) => indices.into_iter().min().map_or(BatchResult::Succeeded, BatchResult::FailedFrom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(response: &str) -> BatchResult {
        let batch: Vec<Record> = (1..=3).map(|number| Record::sample(number, "a", 0)).collect();
        read_response(response.as_bytes(), &batch)
    }

    #[test]
    fn empty_response_acknowledges_the_batch() {
        for response in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            assert_eq!(read(response), BatchResult::Succeeded, "{response}");
        }
    }

    #[test]
    fn lowest_record_named_is_the_checkpoint() {
        let two = format!(
            r#"{{"batchItemFailures":[{{"itemIdentifier":"{:021}"}},{{"itemIdentifier":"{:021}"}}]}}"#,
            3, 2
        );
        assert_eq!(read(&two), BatchResult::FailedFrom(1));
    }

    #[test]
    fn malformed_response_fails_the_batch() {
        for response in [
            "{",
            r#""done""#,
            "[]",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemidentifier":"000000000000000000001"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"000000000000000000009"}]}"#,
        ] {
            assert_eq!(read(response), BatchResult::Failed, "{response}");
        }
    }
}
