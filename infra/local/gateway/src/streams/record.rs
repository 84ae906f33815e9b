//! One record of a stream as functions see it: the fields of Lambda's event, to the letter.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// Milliseconds of a second.
const SECOND_MS: f64 = 1000.0;

/// Names a record within its shard. Longer than any integer type, and never calculated with.
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

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record of one shard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) sequence: SequenceNumber,
    /// When the change was made, to the second.
    pub(crate) created_ms: i64,
    /// The item's key as text: equal for changes of one item, and for no others.
    pub(crate) item: String,
    pub(crate) event: Json,
    /// Size of the event as JSON, with the comma after it.
    pub(crate) bytes: usize,
}

impl Record {
    /// Reads what GetRecords answered; `None` for what is no record.
    pub(crate) fn read(answered: &Json, region: &str, stream_arn: &str) -> Option<Self> {
        let change = answered.get("dynamodb")?.as_object()?;
        let sequence = SequenceNumber::new(change.get("SequenceNumber")?.as_str()?);
        let created_s = change.get("ApproximateCreationDateTime").and_then(Json::as_f64).unwrap_or_default();
        let mut change = change.clone();
        change.insert("ApproximateCreationDateTime".into(), seconds(created_s));
        let item = change.get("Keys").map(Json::to_string).unwrap_or_default();
        let mut event = Map::new();
        for name in ["eventID", "eventName", "eventVersion"] {
            event.insert(name.into(), answered.get(name)?.clone());
        }
        event.insert("eventSource".into(), json!("aws:dynamodb"));
        // Local engines name a region of their own.
        event.insert("awsRegion".into(), json!(region));
        event.insert("dynamodb".into(), Json::Object(change));
        event.insert("eventSourceARN".into(), json!(stream_arn));
        if let Some(identity) = answered.get("userIdentity").filter(|identity| identity.is_object()) {
            event.insert("userIdentity".into(), user_identity(identity));
        }
        let event = Json::Object(event);
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

/// Epoch seconds as Lambda writes them: whole unless they are not.
fn seconds(seconds: f64) -> Json {
    let whole = seconds as i64;
    let exact = whole as f64 == seconds;
    if exact { json!(whole) } else { json!(seconds) }
}

/// The stream's API and Lambda's events write these names differently.
fn user_identity(identity: &Json) -> Json {
    let field = |names: [&str; 2]| names.iter().find_map(|name| identity.get(*name)).cloned();
    json!({ "type": field(["type", "Type"]), "principalId": field(["principalId", "PrincipalId"]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_lambdas_event() {
        let answered = json!({
            "eventID": "e1", "eventName": "REMOVE", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "ddblocal",
            "dynamodb": { "ApproximateCreationDateTime": 1_700_000_000.0, "Keys": { "pk": { "S": "a" } },
                          "SequenceNumber": "000000000000000000007", "SizeBytes": 3, "StreamViewType": "NEW_IMAGE" },
            "userIdentity": { "Type": "Service", "PrincipalId": "dynamodb.amazonaws.com" },
        });
        let record = Record::read(&answered, "eu-west-1", "arn:x").unwrap();
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
