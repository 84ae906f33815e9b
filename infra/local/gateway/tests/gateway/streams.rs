//! Event source mappings: batches, failures, restarts, accidents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Gateway, Scratch, eventually};

/// A table whose stream invokes one function, by the mapping's properties beside stream and position.
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
/// A window of an hour in a test's terms: only full batches are delivered.
const NO_END: &[&str] = &["--stream-window", "3600"];

impl Gateway {
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

    fn stderr(&self) -> String {
        fs::read_to_string(self.scratch.path("stderr")).unwrap()
    }
}

fn item(doing: &str) -> Value {
    json!({ "do": { "S": doing } })
}

fn item_for(doing: &str, times: &str) -> Value {
    json!({ "do": { "S": doing }, "times": { "N": times } })
}

fn sleep_once(ms: &str) -> Value {
    json!({ "do": { "S": "sleep" }, "ms": { "N": ms }, "times": { "N": "1" } })
}

/// Starts another gateway with the data and the record file of one that has ended.
fn start_again(gateway: &Gateway, template: &str) -> Gateway {
    let second = Scratch::new();
    fs::rename(gateway.scratch.path("data"), second.path("data")).unwrap();
    // The function wrote none if it was never invoked.
    drop(fs::copy(gateway.scratch.path("record"), second.path("record")));
    let data = second.path("data").display().to_string();
    Gateway::start_in(second, template, &["--data", &data])
}

/// A gateway that keeps its data.
fn start_keeping(template: &str) -> Gateway {
    let scratch = Scratch::new();
    let data = scratch.path("data").display().to_string();
    Gateway::start_in(scratch, template, &["--data", &data])
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
async fn a_full_batch_goes_at_once_and_the_rest_waits_for_the_window() {
    let gateway = Gateway::start_with(&template("BatchSize: 3, MaximumBatchingWindowInSeconds: 2"), &[]);
    gateway.put_all(&["a", "b", "c", "d"]).await;
    gateway.delivered(&[&["a", "b", "c"]]).await;
    gateway.delivered(&[&["a", "b", "c"], &["d"]]).await;
}

#[tokio::test]
async fn the_flag_overrides_the_window() {
    let window = template("BatchSize: 2, MaximumBatchingWindowInSeconds: 0");
    let gateway = Gateway::start_with(&window, NO_END);
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
async fn a_reported_failure_is_delivered_again_with_all_after_it() {
    let gateway = Gateway::start_with(&template(&format!("BatchSize: 4, {REPORTING}")), NO_END);
    gateway.put("a", json!({})).await;
    gateway.put("b", item_for("report", "2")).await;
    gateway.put("c", item_for("report", "1")).await;
    gateway.put("d", json!({})).await;
    let rest: &[&str] = &["b", "c", "d"];
    gateway.delivered(&[&["a", "b", "c", "d"], rest, rest]).await;
}

#[tokio::test]
async fn an_answer_that_nobody_understands_fails_the_whole_batch() {
    let gateway = Gateway::start_with(&template(&format!("BatchSize: 2, {REPORTING}")), NO_END);
    gateway.put("a", json!({})).await;
    gateway.put("b", item_for("garble", "1")).await;
    gateway.delivered(&[&["a", "b"], &["a", "b"]]).await;
}

#[tokio::test]
async fn bisecting_finds_the_poisoned_record_and_the_file_tells_of_it() {
    let mapping = "BatchSize: 4, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1, \
                   DestinationConfig: { OnFailure: { Destination: !GetAtt Lost.Arn } }";
    let scratch = Scratch::new();
    let data = scratch.path("data").display().to_string();
    let flags = [NO_END, &["--data", &data]].concat();
    let gateway = Gateway::start_in(scratch, &template(mapping), &flags);
    gateway.put("a", json!({})).await;
    gateway.put("b", json!({})).await;
    gateway.put("c", item("fail")).await;
    gateway.put("d", json!({})).await;
    gateway.delivered(&[&["a", "b", "c", "d"], &["a", "b"], &["c", "d"], &["c"], &["c"], &["d"]]).await;

    let path = gateway.scratch.path("data/on-failure-Echo.jsonl");
    let told = fs::read_to_string(&path).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let poisoned = &gateway.all_recorded()[3]["Records"][0];
    let batch = &told["DDBStreamBatchInfo"];
    assert_eq!(batch["startSequenceNumber"], poisoned["dynamodb"]["SequenceNumber"]);
    assert_eq!(batch["endSequenceNumber"], batch["startSequenceNumber"]);
    assert_eq!((&batch["batchSize"], &batch["streamArn"]), (&json!(1), &poisoned["eventSourceARN"]));
    assert_eq!(told["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 2);
    let warnings = gateway.stderr().matches("on-failure-Echo.jsonl").count();
    assert_eq!(warnings, 1, "{}", gateway.stderr());
}

#[tokio::test]
async fn a_restart_goes_on_from_the_checkpoint() {
    let template = template("BatchSize: 10");
    let mut gateway = start_keeping(&template);
    gateway.put("a", json!({})).await;
    gateway.delivered(&[&["a"]]).await;
    // This one is under way when the gateway ends, and so is never acknowledged.
    gateway.put("b", sleep_once("60000")).await;
    gateway.delivered(&[&["a"], &["b"]]).await;
    gateway.signal(Signal::KILL);
    gateway.exit().await;

    let gateway = start_again(&gateway, &template);
    gateway.delivered(&[&["a"], &["b"], &["b"]]).await;
    gateway.put("c", json!({})).await;
    gateway.delivered(&[&["a"], &["b"], &["b"], &["c"]]).await;
}

#[tokio::test]
async fn a_drain_waits_for_the_batch_under_way_and_acknowledges_it() {
    let template = template("BatchSize: 10");
    let mut gateway = start_keeping(&template);
    gateway.put("a", sleep_once("700")).await;
    gateway.delivered(&[&["a"]]).await;
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());
    let gateway = start_again(&gateway, &template);
    gateway.put("b", json!({})).await;
    gateway.delivered(&[&["a"], &["b"]]).await;
}

#[tokio::test]
async fn a_batch_that_outlasts_the_drain_is_neither_acknowledged_nor_failed() {
    let mapping = "BatchSize: 10, MaximumRetryAttempts: 0, \
                   DestinationConfig: { OnFailure: { Destination: !GetAtt Lost.Arn } }";
    let template = template(mapping).replace("Timeout: 10", "Timeout: 60");
    let mut gateway = start_keeping(&template);
    gateway.put("a", sleep_once("60000")).await;
    gateway.delivered(&[&["a"]]).await;
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());
    let gateway = start_again(&gateway, &template);
    gateway.delivered(&[&["a"], &["a"]]).await;
    assert!(!gateway.scratch.path("data/on-failure-Echo.jsonl").exists());
}

#[tokio::test]
async fn latest_passes_over_what_was_there_at_the_first_start() {
    let earliest = template("BatchSize: 10");
    let mut gateway = start_keeping(&template("BatchSize: 10, Enabled: false"));
    gateway.put("old", json!({})).await;
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());
    // Records tell their time to the second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let latest = earliest.replace("TRIM_HORIZON", "LATEST");
    let mut gateway = start_again(&gateway, &latest);
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());
    let gateway = start_again(&gateway, &latest);
    gateway.put("new", json!({})).await;
    gateway.delivered(&[&["new"]]).await;
}

#[tokio::test]
async fn records_that_no_filter_wants_are_passed_over() {
    let mapping = r#"BatchSize: 2, FilterCriteria: { Filters: [
        { Pattern: '{"userIdentity":{"type":["Service"]}}' },
        { Pattern: '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"keep"}]}}}}' }] }"#;
    let gateway = Gateway::start_with(&template(mapping), NO_END);
    gateway.put_all(&["keep-1", "drop-1", "keep-1", "drop-2", "keep-2"]).await;
    gateway.delivered(&[&["keep-1", "keep-2"]]).await;
}

#[tokio::test]
async fn chaos_delivers_everything_at_least_once_and_keeps_each_items_order() {
    let gateway = Gateway::start_with(&template("BatchSize: 20"), &["--stream-chaos", "9"]);
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for round in 0..10 {
        for key in keys {
            gateway.put(key, json!({ "round": { "N": round.to_string() } })).await;
        }
    }
    let rounds = || {
        let mut rounds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for record in gateway.all_recorded().iter().filter_map(|event| event["Records"].as_array()).flatten()
        {
            let image = &record["dynamodb"]["NewImage"];
            let (key, round) = (image["pk"]["S"].as_str().unwrap(), image["round"]["N"].as_str().unwrap());
            rounds.entry(key.to_owned()).or_default().push(round.parse().unwrap());
        }
        rounds
    };
    let all = eventually("everything is delivered", || {
        let rounds = rounds();
        let complete = |rounds: &Vec<u64>| rounds.iter().collect::<BTreeSet<_>>().len() == 10;
        (rounds.len() == keys.len() && rounds.values().all(complete)).then_some(rounds)
    });
    for (key, rounds) in all.await {
        let mut newest = 0;
        for round in &rounds {
            // What was not delivered before never comes before what was made before it.
            assert!(*round <= newest + 1, "{key}: {rounds:?}");
            newest = newest.max(*round);
        }
    }
    let flat: Vec<String> = gateway.batches().concat();
    assert!(flat.len() > 80, "some batches come twice: {}", flat.len());
    assert_ne!(flat.iter().take(8).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>(), "items overtake");
}

#[tokio::test]
async fn deletes_by_time_to_live_are_told_from_others() {
    let mapping = r#"BatchSize: 1, FilterCriteria: { Filters: [
        { Pattern: '{"eventName":["REMOVE"],"userIdentity":{"type":["Service"]}}' }] }"#;
    let scratch = Scratch::new();
    let data = scratch.path("data").display().to_string();
    let mut gateway = Gateway::start_in(scratch, &template(mapping), &["--data", &data]);
    gateway.put("expires", json!({ "expiresAt": { "N": "1700000000" } })).await;
    gateway.put("goes", json!({})).await;
    let delete = json!({ "TableName": "Things", "Key": { "pk": { "S": "goes" } } });
    assert_eq!(gateway.dynamodb("DeleteItem", &delete).await, json!({}));
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());
    assert_eq!(gateway.batches(), Vec::<Vec<String>>::new());
    // What has expired is looked for at every start.
    let second = Scratch::new();
    let gateway = Gateway::start_in(second, &template(mapping), &["--data", &data]);
    gateway.delivered(&[&["expires"]]).await;
    let record = &gateway.all_recorded()[0]["Records"][0];
    assert_eq!(record["userIdentity"], json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" }));
    assert!(record["dynamodb"].get("NewImage").is_none());
}

#[tokio::test]
async fn a_table_without_a_stream_is_told_once_and_found_when_it_has_one() {
    let with_stream = template("BatchSize: 1");
    let (before, after) = with_stream.split_once("  Echo:").unwrap();
    let (function, _) = after.split_once("      Events:").unwrap();
    let stream = "      StreamSpecification: { StreamViewType: NEW_IMAGE }\n";
    let without = format!("{}  Echo:{function}", before.replace(stream, ""));
    let scratch = Scratch::new();
    let data = scratch.path("data").display().to_string();
    let mut gateway = Gateway::start_in(scratch, &without, &["--data", &data]);
    gateway.signal(Signal::INT);
    assert!(gateway.exit().await.success());

    let second = Scratch::new();
    let gateway = Gateway::start_in(second, &with_stream, &["--data", &data]);
    let told = || gateway.stderr().matches("has no stream").count();
    eventually("the console tells of it", || (told() > 0).then_some(())).await;
    let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
    gateway.dynamodb("UpdateTable", &json!({ "TableName": "Things", "StreamSpecification": stream })).await;
    gateway.put("a", json!({})).await;
    gateway.delivered(&[&["a"]]).await;
    assert_eq!(told(), 1, "{}", gateway.stderr());
}

/// The streams' API of a table that was split: the parent is closed, each shard holds records with these keys, and
/// places expire after one use. Only the embedded engine is real enough for anything else, and it never splits.
async fn split_stream() -> String {
    use axum::http::{HeaderMap, StatusCode};

    async fn answer(headers: HeaderMap, body: String) -> (StatusCode, String) {
        let target = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let asked: Value = serde_json::from_str(&body).unwrap();
        let arn = "arn:aws:dynamodb:ddblocal:000000000000:table/Things/stream/label";
        let refused = |code: &str| (StatusCode::BAD_REQUEST, json!({ "__type": code, "message": "no" }));
        let (status, answer) = match target.as_str() {
            "DescribeTable" => {
                let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
                let table =
                    json!({ "TableStatus": "ACTIVE", "LatestStreamArn": arn, "StreamSpecification": stream });
                (StatusCode::OK, json!({ "Table": table }))
            }
            "DescribeStream" if asked.get("ExclusiveStartShardId").is_none() => {
                let shards = json!([{ "ShardId": "right", "ParentShardId": "parent" }]);
                (
                    StatusCode::OK,
                    json!({ "StreamDescription": { "Shards": shards, "LastEvaluatedShardId": "right" } }),
                )
            }
            "DescribeStream" => {
                let shards =
                    json!([{ "ShardId": "parent" }, { "ShardId": "left", "ParentShardId": "parent" }]);
                (StatusCode::OK, json!({ "StreamDescription": { "Shards": shards } }))
            }
            "GetShardIterator" => match asked["SequenceNumber"].as_str() {
                Some("trimmed") => refused("com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException"),
                after => {
                    let shard = asked["ShardId"].as_str().unwrap();
                    (StatusCode::OK, json!({ "ShardIterator": format!("{shard}/{}", after.unwrap_or("-1")) }))
                }
            },
            "GetRecords" => page(asked["ShardIterator"].as_str().unwrap())
                .map_or_else(|| refused("ExpiredIteratorException"), |page| (StatusCode::OK, page)),
            _ => (StatusCode::OK, json!({})),
        };
        (status, answer.to_string())
    }

    /// One record for each place, whose next place expires at once.
    fn page(place: &str) -> Option<Value> {
        let (shard, after) = place.split_once('/')?;
        let number = after.parse::<i64>().ok()? + 1;
        let record = json!({
            "eventID": place, "eventName": "INSERT", "eventVersion": "1.1",
            "dynamodb": { "Keys": { "pk": { "S": format!("{shard}-{number}") } },
                          "SequenceNumber": number.to_string(), "ApproximateCreationDateTime": 1.7e9 },
        });
        match (shard, number) {
            (_, 0) => Some(json!({ "Records": [record], "NextShardIterator": format!("{shard}/used") })),
            ("parent", 1) => Some(json!({ "Records": [record] })),
            _ => Some(json!({ "Records": [], "NextShardIterator": place })),
        }
    }

    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn children_follow_their_parent_and_lost_places_are_found_again() {
    let endpoint = split_stream().await;
    let scratch = Scratch::new();
    let data = scratch.path("data");
    fs::create_dir(&data).unwrap();
    let arn = "arn:aws:dynamodb:ddblocal:000000000000:table/Things/stream/label";
    let kept = json!({ "streamArn": arn, "sinceMs": 0, "shards": { "parent": { "after": "trimmed" } } });
    fs::write(data.join("stream-EchoChanges.json"), kept.to_string()).unwrap();
    let flags = ["--data", data.to_str().unwrap(), "--dynamodb", &endpoint];
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
    assert!(gateway.stderr().contains("was trimmed"));
    let progress = || -> Option<Value> {
        let kept = fs::read(data.join("stream-EchoChanges.json")).ok()?;
        let kept: Value = serde_json::from_slice(&kept).ok()?;
        (kept["shards"]["parent"]["finished"] == true && kept["shards"]["right"]["after"] == "0")
            .then_some(kept)
    };
    eventually("the file tells how far it came", progress).await;
}
