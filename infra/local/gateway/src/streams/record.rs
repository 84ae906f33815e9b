//! One record of a stream, with exactly the fields of Lambda's event.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::json::extended;

const SECOND_MS: f64 = 1000.0;

/// Identifies a record within its shard. Up to 40 digits, so it stays text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SequenceNumber(String);

impl SequenceNumber {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A record of one shard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) sequence: SequenceNumber,
    /// When the item was changed, to the second.
    pub(crate) created_ms: i64,
    /// The item's key as JSON text.
    pub(crate) item: String,
    pub(crate) event: Json,
    /// Size of the event as JSON, including the comma after it.
    pub(crate) bytes: usize,
}

impl Record {
    /// Reads a record of GetRecords; `None` if it is malformed.
    pub(crate) fn read(record: &Json, region: &str, stream_arn: &str) -> Option<Self> {
        let change = record.get("dynamodb")?.as_object()?;
        let sequence = SequenceNumber::new(change.get("SequenceNumber")?.as_str()?);
        let created_s = change.get("ApproximateCreationDateTime").and_then(Json::as_f64).unwrap_or_default();
        let mut change = change.clone();
        change.insert("ApproximateCreationDateTime".into(), seconds(created_s));
        let item = change.get("Keys").map(Json::to_string).unwrap_or_default();
        let mut event = json!({
            "eventID": record.get("eventID")?,
            "eventName": record.get("eventName")?,
            "eventVersion": record.get("eventVersion")?,
            "eventSource": "aws:dynamodb",
            // Local engines use a region of their own.
            "awsRegion": region,
            "dynamodb": change,
            "eventSourceARN": stream_arn,
        });
        if let Some(identity) = record.get("userIdentity").filter(|identity| identity.is_object()) {
            event = extended(event, json!({ "userIdentity": user_identity(identity) }));
        }
        let bytes = event.to_string().len() + 1;
        let created_ms = (created_s * SECOND_MS) as i64;
        Some(Self { sequence, created_ms, item, event, bytes })
    }

    #[cfg(test)]
    pub(crate) fn sample(number: u64, item: &str, created_ms: i64) -> Self {
        let sequence = SequenceNumber::new(format!("{number:021}"));
        let event = json!({ "eventID": number, "dynamodb": { "SequenceNumber": sequence.as_str() } });
        let bytes = event.to_string().len() + 1;
        Self { sequence, created_ms, item: item.to_owned(), event, bytes }
    }
}

/// Epoch seconds as Lambda writes them: without a fraction if it is zero.
fn seconds(seconds: f64) -> Json {
    let whole = seconds as i64;
    let exact = whole as f64 == seconds;
    if exact { json!(whole) } else { json!(seconds) }
}

/// The Streams API and Lambda's events capitalise these names differently.
fn user_identity(identity: &Json) -> Json {
    let field = |names: [&str; 2]| names.iter().find_map(|name| identity.get(*name)).cloned();
    json!({ "type": field(["type", "Type"]), "principalId": field(["principalId", "PrincipalId"]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_has_the_fields_of_lambdas_event() {
        let record = json!({
            "eventID": "e1", "eventName": "REMOVE", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "ddblocal",
            "dynamodb": { "ApproximateCreationDateTime": 1_700_000_000.0, "Keys": { "pk": { "S": "a" } },
                          "SequenceNumber": "000000000000000000007", "SizeBytes": 3, "StreamViewType": "NEW_IMAGE" },
            "userIdentity": { "Type": "Service", "PrincipalId": "dynamodb.amazonaws.com" },
        });
        let record = Record::read(&record, "eu-west-1", "arn:x").unwrap();
        assert_eq!(record.sequence.as_str(), "000000000000000000007");
        assert_eq!((record.created_ms, record.item.as_str()), (1_700_000_000_000, r#"{"pk":{"S":"a"}}"#));
        let expected = json!({
            "eventID": "e1", "eventName": "REMOVE", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "dynamodb": { "ApproximateCreationDateTime": 1_700_000_000, "Keys": { "pk": { "S": "a" } },
                          "SequenceNumber": "000000000000000000007", "SizeBytes": 3, "StreamViewType": "NEW_IMAGE" },
            "eventSourceARN": "arn:x",
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
        });
        assert_eq!(record.event, expected);
        assert_eq!(record.event["dynamodb"]["ApproximateCreationDateTime"].to_string(), "1700000000");
        assert!(Record::read(&json!({ "dynamodb": {} }), "r", "a").is_none());
    }
}
