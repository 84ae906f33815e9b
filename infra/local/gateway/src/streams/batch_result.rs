//! What a function's answer to a batch means.

use serde_json::Value as Json;

use super::record::Record;

/// What became of a batch that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchResult {
    /// All of it is done.
    Done,
    /// What is before this place in the batch is done, the rest is not.
    FailedFrom(usize),
    /// Nothing is done: the function failed, or its answer cannot be understood.
    Failed,
    /// The function could not be asked, which is no failure of its own.
    Unreached,
}

/// Reads an answer that reports batch item failures: the lowest record named is where the rest begins, and an answer
/// that names something else, or nothing readable, fails the whole batch.
pub(crate) fn judge(answer: &[u8], batch: &[Record]) -> BatchResult {
    let failures = match serde_json::from_slice(answer) {
        _ if answer.iter().all(u8::is_ascii_whitespace) => return BatchResult::Done,
        Ok(Json::Null) => return BatchResult::Done,
        Ok(Json::Object(mut answer)) => answer.remove("batchItemFailures").unwrap_or_default(),
        _ => return BatchResult::Failed,
    };
    let failures = match failures {
        Json::Null => return BatchResult::Done,
        Json::Array(failures) => failures,
        _ => return BatchResult::Failed,
    };
    let mut lowest = None;
    for failure in &failures {
        let named = failure.get("itemIdentifier").and_then(Json::as_str);
        let place = named.and_then(|named| batch.iter().position(|record| record.sequence.as_str() == named));
        let Some(place) = place else { return BatchResult::Failed };
        lowest = Some(lowest.map_or(place, |lowest: usize| lowest.min(place)));
    }
    lowest.map_or(BatchResult::Done, BatchResult::FailedFrom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str) -> BatchResult {
        let batch: Vec<Record> = (1..=3).map(|number| Record::sample(number, "a", 0)).collect();
        judge(answer.as_bytes(), &batch)
    }

    #[test]
    fn empty_answers_acknowledge_the_whole_batch() {
        for answer in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            assert_eq!(judged(answer), BatchResult::Done, "{answer}");
        }
    }

    #[test]
    fn the_lowest_record_named_is_the_checkpoint() {
        let two = format!(
            r#"{{"batchItemFailures":[{{"itemIdentifier":"{:021}"}},{{"itemIdentifier":"{:021}"}}]}}"#,
            3, 2
        );
        assert_eq!(judged(&two), BatchResult::FailedFrom(1));
    }

    #[test]
    fn what_cannot_be_understood_fails_the_whole_batch() {
        for answer in [
            "{",
            r#""done""#,
            "[]",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemidentifier":"000000000000000000001"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"000000000000000000009"}]}"#,
        ] {
            assert_eq!(judged(answer), BatchResult::Failed, "{answer}");
        }
    }
}
