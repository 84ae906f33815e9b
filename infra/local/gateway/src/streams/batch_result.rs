//! What a function's response to a batch means.

use serde_json::Value as Json;

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

/// Reads a `batchItemFailures` response. The lowest record named is where the rest begins. A malformed response, or
/// one that names a record outside the batch, fails the whole batch.
pub(crate) fn read_response(response: &[u8], batch: &[Record]) -> BatchResult {
    if response.iter().all(u8::is_ascii_whitespace) {
        return BatchResult::Succeeded;
    }
    let failures = match serde_json::from_slice(response) {
        Ok(Json::Null) => return BatchResult::Succeeded,
        Ok(Json::Object(mut response)) => response.remove("batchItemFailures").unwrap_or_default(),
        Ok(_) | Err(_) => return BatchResult::Failed,
    };
    let failures = match failures {
        Json::Null => return BatchResult::Succeeded,
        Json::Array(failures) => failures,
        _ => return BatchResult::Failed,
    };
    let index_of = |failure: &Json| {
        let sequence = failure.get("itemIdentifier")?.as_str()?;
        batch.iter().position(|record| record.sequence.as_str() == sequence)
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
