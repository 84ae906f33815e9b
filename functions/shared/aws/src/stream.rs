//! Records of the stream of the Reports table.
//!
//! The type of `aws_lambda_events` is not used: it fails a whole batch for one malformed record and drops its text.
//! Here each record is kept as its text until it is read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::ids::AppId;
use nsl_domain::isolation::{Panicked, isolated};
use nsl_domain::report::Report;
use nsl_domain::rollup::AppShard;
use nsl_domain::series;
use nsl_domain::time::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::items::{self, Item};
use crate::keys;
use crate::reports;

/// The reason of a record whose reading panics.
const READING_PANICKED: &str = "reading the record panicked";

/// A batch of records, oldest first within each stored item.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// The records, each as its JSON text.
    #[serde(rename = "Records")]
    pub records: Vec<Box<RawValue>>,
}

/// The response to a batch: where to continue, if not after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BatchResponse {
    /// The record from which the batch is to be delivered again; none where all is done.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<FailedItem>,
}

/// One record that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedItem {
    /// Its sequence number.
    #[serde(rename = "itemIdentifier")]
    pub sequence: String,
}

/// One stored report, read from the stream.
#[derive(Debug, Clone)]
pub struct StoredReport {
    /// Its sequence number.
    pub sequence: String,
    /// The write shard that it is stored in.
    pub shard: AppShard,
    /// When it was stored, to the second; `None` if the record has no instant.
    pub stored_at: Option<TimestampMs>,
    /// The report.
    pub report: Report,
}

/// A record that is not a stored report.
#[derive(Debug, Clone)]
pub struct MalformedRecord<'e> {
    /// Its sequence number, if it has one.
    pub sequence: Option<String>,
    /// The app in its key, if there is one.
    pub app: Option<AppId>,
    /// Why it cannot be read.
    pub reason: String,
    /// Its text.
    pub record: &'e str,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: Option<String>,
    /// In seconds since 1970, rounded down.
    approximate_creation_date_time: Option<f64>,
    #[serde(default)]
    keys: HashMap<String, Attribute>,
    #[serde(default)]
    new_image: HashMap<String, Attribute>,
}

/// An attribute of one of the two types that a report has; empty for another type.
#[derive(Debug, Deserialize)]
struct Attribute {
    #[serde(rename = "S")]
    text: Option<String>,
    #[serde(rename = "N")]
    number: Option<String>,
}

impl From<Attribute> for AttributeValue {
    fn from(attribute: Attribute) -> Self {
        match (attribute.text, attribute.number) {
            (Some(text), _) => Self::S(text),
            (None, Some(number)) => Self::N(number),
            (None, None) => Self::Null(true),
        }
    }
}

fn item(attributes: HashMap<String, Attribute>) -> Item {
    attributes.into_iter().map(|(name, attribute)| (name, attribute.into())).collect()
}

/// A number that is no instant is clamped to the range of instants.
fn instant(seconds: f64) -> TimestampMs {
    TimestampMs::clamped((seconds * 1_000.0) as i64)
}

/// Reads one record. One whose reading panics counts as malformed.
///
/// # Errors
/// [`MalformedRecord`] if it is not JSON of a record, has no new image, or its image is not a report under its own key.
pub fn read_record(record: &RawValue) -> Result<StoredReport, MalformedRecord<'_>> {
    isolated(|| read_valid_record(record)).unwrap_or_else(|Panicked| {
        let sequence = serde_json::from_str::<Record>(record.get()).ok();
        let sequence = sequence.and_then(|record| record.dynamodb.sequence_number);
        Err(MalformedRecord {
            sequence,
            app: None,
            reason: READING_PANICKED.to_owned(),
            record: record.get(),
        })
    })
}

fn read_valid_record(record: &RawValue) -> Result<StoredReport, MalformedRecord<'_>> {
    let malformed =
        |reason: String| MalformedRecord { sequence: None, app: None, reason, record: record.get() };
    let change = match serde_json::from_str::<Record>(record.get()) {
        Ok(read) => read.dynamodb,
        Err(error) => return Err(malformed(error.to_string())),
    };
    let stored_at = change.approximate_creation_date_time.map(instant);
    let sequence = change.sequence_number.filter(|sequence| !sequence.is_empty());
    let key = item(change.keys);
    let named = items::read_text(&key, keys::PK).ok().and_then(keys::read_report_partition);
    let rejected = |reason| MalformedRecord {
        sequence: sequence.clone(),
        app: named.as_ref().map(|named| named.app.clone()),
        ..malformed(reason)
    };
    let image = item(change.new_image);
    let report = reports::read_report(&image).map_err(|bad| rejected(bad.to_string()))?;
    let shard = items::read_text(&image, keys::PK)
        .ok()
        .and_then(keys::read_report_partition)
        .ok_or_else(|| rejected("the partition key names no shard".to_owned()))?;
    let is = |name, expected: String| items::read_text(&image, name).is_ok_and(|found| found == expected);
    let is_under_its_key = is(keys::PK, keys::report_partition(&report.app, report.timestamp, shard.shard))
        && reports::sort_key(&image, &report).is_ok_and(|key| is(keys::SK, key));
    if !is_under_its_key {
        return Err(rejected("the report does not match its key".to_owned()));
    }
    series::check(report.document.as_str()).map_err(|rejection| rejected(rejection.message))?;
    let sequence = sequence.clone().ok_or_else(|| rejected("the sequence number is missing".to_owned()))?;
    Ok(StoredReport { sequence, shard, stored_at, report })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record() -> Value {
        let key = json!({"pk": {"S": "shop#2026-11-22T13#3"}, "sk": {"S": "001795352461387#web-1#44136fa355b3678a"}});
        let mut image = json!({
            "appId": {"S": "shop"}, "source": {"S": "web-1"}, "timestamp": {"N": "1795352461387"},
            "document": {"S": "{}"}, "expiresAt": {"N": "1795525261"},
        });
        image["pk"] = key["pk"].clone();
        image["sk"] = key["sk"].clone();
        json!({"eventName": "INSERT", "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": "111"}})
    }

    fn raw(record: &Value) -> Box<RawValue> {
        RawValue::from_string(record.to_string()).unwrap()
    }

    #[test]
    fn stored_report_is_read_with_its_shard() {
        let raw = raw(&record());
        let stored = read_record(&raw).unwrap();
        assert_eq!((stored.sequence.as_str(), stored.shard.shard), ("111", 3));
        assert_eq!(stored.report.id(), "001795352461387#web-1#44136fa355b3678a");
    }

    #[test]
    fn record_that_is_not_a_report_under_its_key_is_malformed() {
        let changes: [(&str, Value); 9] = [
            ("/dynamodb/NewImage", json!({})),
            ("/dynamodb/NewImage/timestamp", json!({"N": "soon"})),
            ("/dynamodb/NewImage/timestamp", json!({"N": "1795352461388"})),
            ("/dynamodb/NewImage/document", json!({"S": "{"})),
            ("/dynamodb/NewImage/document", json!({"B": "e30="})),
            ("/dynamodb/NewImage/source", json!({"S": "web-2"})),
            ("/dynamodb/NewImage/appId", json!({"S": "toys"})),
            ("/dynamodb/NewImage/pk", json!({"S": "shop#2026-11-22T13#x"})),
            ("/dynamodb/SequenceNumber", json!(null)),
        ];
        for (place, value) in changes {
            let mut record = record();
            *record.pointer_mut(place).unwrap() = value;
            let raw = raw(&record);
            let malformed = read_record(&raw).unwrap_err();
            assert_eq!(malformed.app.as_ref().map(AppId::as_str), Some("shop"), "{place}");
            assert_eq!(malformed.record, record.to_string());
        }
        for text in ["1", "{}", "{\"dynamodb\":7}"] {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(read_record(&raw).unwrap_err().app, None);
        }
    }

    #[test]
    fn batch_is_read_record_by_record() {
        let event: StreamEvent = serde_json::from_str("{\"Records\":[{\"a\": 1},7]}").unwrap();
        assert_eq!(event.records.iter().map(|record| record.get()).collect::<Vec<_>>(), ["{\"a\": 1}", "7"]);
        let failed = BatchResponse { failures: vec![FailedItem { sequence: "1".to_owned() }] };
        let text = serde_json::to_string(&failed).unwrap();
        assert_eq!(text, "{\"batchItemFailures\":[{\"itemIdentifier\":\"1\"}]}");
    }

    #[test]
    fn legacy_report_must_be_under_its_dedup_window_and_connection() {
        let mut legacy = record();
        let image = &mut legacy["dynamodb"]["NewImage"];
        image["connection"] = json!({"S": "a="});
        image["sk"] = json!({"S": "001795352461000##a=#44136fa355b3678a"});
        let stored = read_record(&raw(&legacy)).unwrap().report;
        assert_eq!((stored.timestamp.ms(), stored.source.as_str()), (1_795_352_461_387, "web-1"));
        for wrong in [
            "001795352461387#web-1#44136fa355b3678a",
            "001795352461387##a=#44136fa355b3678a",
            "001795352461500##a=#44136fa355b3678a",
            "001795352461000##b=#44136fa355b3678a",
        ] {
            legacy["dynamodb"]["NewImage"]["sk"] = json!({"S": wrong});
            assert!(read_record(&raw(&legacy)).is_err(), "{wrong}");
        }
    }
}
