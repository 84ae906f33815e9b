//! Event source mappings: batches, failures, restarts, chaos.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Gateway, Scratch, eventually};
use crate::split_stream;

/// A table whose stream invokes one function, with these further properties of the mapping.
fn template(mapping: &str) -> String {
    format!(
        r#"
Parameters:
  RecordFile: {{ Type: String, Default: "" }}
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{{ AttributeName: pk, AttributeType: S }}]
      KeySchema: [{{ AttributeName: pk, KeyType: HASH }}]
      StreamSpecification: {{ StreamViewType: NEW_IMAGE }}
      TimeToLiveSpecification: {{ AttributeName: expiresAt, Enabled: true }}
  Lost: {{ Type: AWS::SQS::Queue }}
  Echo:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: echo_function }} }}
    Properties:
      Environment: {{ Variables: {{ RECORD_FILE: !Ref RecordFile }} }}
      Timeout: 10
      Events:
        Changes:
          Type: DynamoDB
          Properties: {{ Stream: !GetAtt Things.StreamArn, StartingPosition: TRIM_HORIZON, {mapping} }}
"#
    )
}

const REPORTING: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";
/// With a window of an hour only full batches are delivered.
const FULL_BATCHES_ONLY: &[&str] = &["--stream-window", "3600"];

impl Gateway {
    /// Stores an item; further attributes make the function misbehave when it gets the record.
    async fn put(&self, key: &str, more: Value) {
        let mut item = json!({ "pk": { "S": key } });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.dynamodb("PutItem", &json!({ "TableName": "Things", "Item": item })).await;
        assert_eq!(answer, json!({}));
    }

    async fn put_all(&self, keys: &[&str]) {
        for key in keys {
            self.put(key, json!({})).await;
        }
    }

    /// The keys of each batch that was delivered.
    fn batches(&self) -> Vec<Vec<String>> {
        let events = self.all_recorded();
        let batches = events.iter().filter_map(|event| event["Records"].as_array());
        let key = |record: &Value| record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned();
        batches.map(|records| records.iter().map(key).collect()).collect()
    }

    async fn delivered(&self, expected: &[&[&str]]) {
        let seen = eventually("all batches are delivered", || {
            let batches = self.batches();
            (batches.len() >= expected.len()).then_some(batches)
        });
        assert_eq!(seen.await, expected);
    }
}

fn item_for(doing: &str, times: &str) -> Value {
    json!({ "do": { "S": doing }, "times": { "N": times } })
}

fn sleep_once(ms: &str) -> Value {
    json!({ "do": { "S": "sleep" }, "ms": { "N": ms }, "times": { "N": "1" } })
}

#[tokio::test]
async fn records_have_the_fields_of_lambdas_event() {
    let gateway = Gateway::start_with(&template("BatchSize: 10"), &[]);
    gateway.put("a", json!({ "n": { "N": "1.5" } })).await;
    let event = gateway.recorded(|event| event["Records"].is_array()).await;
    let record = &event["Records"][0];
    let fields = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(fields(&event), ["Records"]);
    assert_eq!(
        fields(record),
        ["awsRegion", "dynamodb", "eventID", "eventName", "eventSource", "eventSourceARN", "eventVersion"]
    );
    assert_eq!(
        fields(&record["dynamodb"]),
        ["ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType"]
    );
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!((&record["eventName"], &record["eventSource"]), (&json!("INSERT"), &json!("aws:dynamodb")));
    let arn = record["eventSourceARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/Things/stream/"), "{arn}");
    assert!(record["dynamodb"]["ApproximateCreationDateTime"].is_u64());
    assert_eq!(record["dynamodb"]["NewImage"], json!({ "pk": { "S": "a" }, "n": { "N": "1.5" } }));
}

#[tokio::test]
async fn flag_overrides_the_window() {
    let window = template("BatchSize: 2, MaximumBatchingWindowInSeconds: 0");
    let gateway = Gateway::start_with(&window, FULL_BATCHES_ONLY);
    gateway.put_all(&["a", "b", "c"]).await;
    gateway.delivered(&[&["a", "b"]]).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    gateway.delivered(&[&["a", "b"]]).await;
    let window = template("BatchSize: 2, MaximumBatchingWindowInSeconds: 300");
    let gateway = Gateway::start_with(&window, &["--stream-window", "0"]);
    gateway.put("a", json!({})).await;
    gateway.delivered(&[&["a"]]).await;
}

#[tokio::test]
async fn reported_failure_is_retried_with_all_after_it() {
    let gateway = Gateway::start_with(&template(&format!("BatchSize: 4, {REPORTING}")), FULL_BATCHES_ONLY);
    gateway.put("a", json!({})).await;
    gateway.put("b", item_for("report", "2")).await;
    gateway.put("c", item_for("report", "1")).await;
    gateway.put("d", json!({})).await;
    let rest: &[&str] = &["b", "c", "d"];
    gateway.delivered(&[&["a", "b", "c", "d"], rest, rest]).await;
}

#[tokio::test]
async fn bisecting_isolates_the_failing_record() {
    let mapping = "BatchSize: 4, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1, \
                   DestinationConfig: { OnFailure: { Destination: !GetAtt Lost.Arn } }";
    let gateway = Gateway::start_persistent(&template(mapping), FULL_BATCHES_ONLY);
    gateway.put("a", json!({})).await;
    gateway.put("b", json!({})).await;
    gateway.put("c", json!({ "do": { "S": "fail" } })).await;
    gateway.put("d", json!({})).await;
    gateway.delivered(&[&["a", "b", "c", "d"], &["a", "b"], &["c", "d"], &["c"], &["c"], &["d"]]).await;

    let path = gateway.scratch.path("data/on-failure-Echo.jsonl");
    let messages = fs::read_to_string(&path).unwrap();
    assert_eq!(messages.lines().count(), 1, "{messages}");
    let message: Value = serde_json::from_str(&messages).unwrap();
    let failing = &gateway.all_recorded()[3]["Records"][0];
    let batch = &message["DDBStreamBatchInfo"];
    assert_eq!(batch["startSequenceNumber"], failing["dynamodb"]["SequenceNumber"]);
    assert_eq!(batch["endSequenceNumber"], batch["startSequenceNumber"]);
    assert_eq!((&batch["batchSize"], &batch["streamArn"]), (&json!(1), &failing["eventSourceARN"]));
    assert_eq!(message["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 2);
    let warnings = gateway.stderr().matches("on-failure-Echo.jsonl").count();
    assert_eq!(warnings, 1, "{}", gateway.stderr());
}

#[tokio::test]
async fn restart_continues_from_the_checkpoint() {
    let template = template("BatchSize: 10");
    let mut gateway = Gateway::start_persistent(&template, &[]);
    gateway.put("a", json!({})).await;
    gateway.delivered(&[&["a"]]).await;
    // This record is in flight when the gateway is killed, so it is never acknowledged.
    gateway.put("b", sleep_once("60000")).await;
    gateway.delivered(&[&["a"], &["b"]]).await;
    gateway.signal(Signal::KILL);
    gateway.exit().await;

    let gateway = gateway.start_again(&template);
    gateway.delivered(&[&["a"], &["b"], &["b"]]).await;
    gateway.put("c", json!({})).await;
    gateway.delivered(&[&["a"], &["b"], &["b"], &["c"]]).await;
}

#[tokio::test]
async fn shutdown_waits_for_the_batch_in_flight() {
    let template = template("BatchSize: 10");
    let mut gateway = Gateway::start_persistent(&template, &[]);
    gateway.put("a", sleep_once("700")).await;
    gateway.delivered(&[&["a"]]).await;
    gateway.stop().await;
    let gateway = gateway.start_again(&template);
    gateway.put("b", json!({})).await;
    gateway.delivered(&[&["a"], &["b"]]).await;
}

#[tokio::test]
async fn batch_past_the_shutdown_limit_is_delivered_again() {
    let mapping = "BatchSize: 10, MaximumRetryAttempts: 0, \
                   DestinationConfig: { OnFailure: { Destination: !GetAtt Lost.Arn } }";
    let template = template(mapping).replace("Timeout: 10", "Timeout: 60");
    let mut gateway = Gateway::start_persistent(&template, &[]);
    gateway.put("a", sleep_once("60000")).await;
    gateway.delivered(&[&["a"]]).await;
    gateway.stop().await;
    let gateway = gateway.start_again(&template);
    gateway.delivered(&[&["a"], &["a"]]).await;
    assert!(!gateway.scratch.path("data/on-failure-Echo.jsonl").exists());
}

#[tokio::test]
async fn records_that_match_no_filter_are_skipped() {
    let mapping = r#"BatchSize: 2, FilterCriteria: { Filters: [
        { Pattern: '{"userIdentity":{"type":["Service"]}}' },
        { Pattern: '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":["keep-1","keep-2"]}}}}' }] }"#;
    let gateway = Gateway::start_with(&template(mapping), FULL_BATCHES_ONLY);
    gateway.put_all(&["keep-1", "drop-1", "keep-1", "drop-2", "keep-2"]).await;
    gateway.delivered(&[&["keep-1", "keep-2"]]).await;
}

#[tokio::test]
async fn chaos_delivers_some_batches_twice() {
    let gateway = Gateway::start_with(&template("BatchSize: 2"), &["--stream-chaos", "9"]);
    for key in 0..40 {
        gateway.put(&key.to_string(), json!({})).await;
    }
    let is_duplicated = || {
        let delivered = gateway.batches().concat();
        let keys: BTreeSet<&String> = delivered.iter().collect();
        (keys.len() == 40 && delivered.len() > 40).then_some(())
    };
    eventually("every record is delivered, some of them twice", is_duplicated).await;
}

#[tokio::test]
async fn time_to_live_deletes_have_the_service_identity() {
    let mapping = r#"BatchSize: 1, FilterCriteria: { Filters: [
        { Pattern: '{"eventName":["REMOVE"],"userIdentity":{"type":["Service"]}}' }] }"#;
    let mut gateway = Gateway::start_persistent(&template(mapping), &[]);
    gateway.put("expires", json!({ "expiresAt": { "N": "1700000000" } })).await;
    gateway.put("goes", json!({})).await;
    let delete = json!({ "TableName": "Things", "Key": { "pk": { "S": "goes" } } });
    assert_eq!(gateway.dynamodb("DeleteItem", &delete).await, json!({}));
    gateway.stop().await;
    assert_eq!(gateway.batches(), Vec::<Vec<String>>::new());
    // Expired items are deleted at every start.
    let gateway = gateway.start_again(&template(mapping));
    gateway.delivered(&[&["expires"]]).await;
    let record = &gateway.all_recorded()[0]["Records"][0];
    assert_eq!(record["userIdentity"], json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" }));
    assert!(record["dynamodb"].get("NewImage").is_none());
}

#[tokio::test]
async fn missing_stream_is_reported_once_and_found_later() {
    let with_stream = template("BatchSize: 1");
    let (before, after) = with_stream.split_once("  Echo:").unwrap();
    let (function, _) = after.split_once("      Events:").unwrap();
    let stream = "      StreamSpecification: { StreamViewType: NEW_IMAGE }\n";
    let without = format!("{}  Echo:{function}", before.replace(stream, ""));
    let mut gateway = Gateway::start_persistent(&without, &[]);
    gateway.stop().await;
    let gateway = gateway.start_again(&with_stream);
    let warnings = || gateway.stderr().matches("has no stream").count();
    eventually("the missing stream is reported", || (warnings() > 0).then_some(())).await;
    let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
    gateway.dynamodb("UpdateTable", &json!({ "TableName": "Things", "StreamSpecification": stream })).await;
    gateway.put("a", json!({})).await;
    gateway.delivered(&[&["a"]]).await;
    assert_eq!(warnings(), 1, "{}", gateway.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn child_shards_follow_their_parent_and_iterators_are_renewed() {
    let endpoint = split_stream::serve().await;
    let scratch = Arc::new(Scratch::new());
    let data = scratch.path("data");
    fs::create_dir(&data).unwrap();
    let kept = json!({ "streamArn": split_stream::ARN, "shards": { "parent": { "after": "trimmed" } } });
    fs::write(data.join("stream-EchoChanges.json"), kept.to_string()).unwrap();
    let flags = ["--data", "data", "--dynamodb", &endpoint];
    let gateway = Gateway::start_in(scratch, &template("BatchSize: 10"), &flags);
    let seen = eventually("all batches are delivered", || {
        let batches = gateway.batches();
        (batches.len() >= 4).then_some(batches)
    });
    let mut seen = seen.await;
    seen[2..].sort();
    assert_eq!(seen, [["parent-0"], ["parent-1"], ["left-0"], ["right-0"]]);
    let arn = &gateway.all_recorded()[0]["Records"][0]["eventSourceARN"];
    assert_eq!(arn, "arn:aws:dynamodb:us-east-1:000000000000:table/Things/stream/label");
    assert_eq!(gateway.stderr().matches("was trimmed").count(), 1, "{}", gateway.stderr());
    let progress = || -> Option<Value> {
        let kept = fs::read(data.join("stream-EchoChanges.json")).ok()?;
        let kept: Value = serde_json::from_slice(&kept).ok()?;
        (kept["shards"]["parent"]["finished"] == true && kept["shards"]["right"]["after"] == "0")
            .then_some(kept)
    };
    eventually("the checkpoints are saved", progress).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_of_an_unread_shard_is_not_reported_as_trimmed() {
    let endpoint = split_stream::serve().await;
    let gateway = Gateway::start_with(&template("BatchSize: 10"), &["--dynamodb", &endpoint]);
    let is_delivered = || (gateway.batches().len() >= 4).then_some(());
    eventually("all batches are delivered", is_delivered).await;
    assert!(!gateway.stderr().contains("was trimmed"), "{}", gateway.stderr());
}
