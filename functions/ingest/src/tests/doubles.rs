//! The library: every report twice over, to any instances at once, from processes without a name and with any clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nsl_aws::counters::Counter;
use nsl_domain::rejection::Code;
use nsl_domain::time::HOUR_MS;
use nsl_test_support::Failure;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::*;

const SETTLE: &str = "UpdateItem ConnectionsTable";
const STORE: &str = "PutItem ReportsTable";
const STORE_AT_AN_EDGE: &str = "TransactWriteItems ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";
const VIEWER: &str = "viewer-0=";

/// Start of a cell, a second and a minute of these tests' hour: 2026-11-22T13:01:00Z.
const MINUTE_START_MS: i64 = NOW_MS - 1_387;

/// Names messages apart, as API Gateway does.
static MESSAGES: AtomicUsize = AtomicUsize::new(0);

fn legacy_grant() -> Grant {
    Grant { proof: Proof::Legacy, ..publishing("shop") }
}

/// A frame of the library.
fn frame(stamp_ms: Option<i64>, metrics: &Value) -> String {
    let stamp = stamp_ms.map(|ms| TimestampMs::clamped(ms).to_string());
    let data = json!({"userId": "ann", "appId": "shop", "metrics": metrics, "timestamp": stamp});
    let mut frame = json!({"type": "send_metrics", "data": data});
    if stamp_ms.is_none() {
        frame["data"].as_object_mut().unwrap().remove("timestamp");
    }
    frame.to_string()
}

/// Lets an instance hear `frame` on `connection`, received at `at_ms`, as a message of its own.
async fn say(ingest: &Ingest, connection: &str, frame: &str, at_ms: i64) {
    let message = MESSAGES.fetch_add(1, Ordering::Relaxed);
    say_as(ingest, (connection, &format!("message-{message}")), frame, at_ms).await;
}

async fn say_as(ingest: &Ingest, (connection, message): (&str, &str), frame: &str, at_ms: i64) {
    let mut event = events::message(connection, "send_metrics", frame, STRANGER, at_ms);
    event["requestContext"]["messageId"] = json!(message);
    let response = ingest.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response, one_way());
}

impl World {
    /// One with a viewer and a library that is connected as [`PUBLISHER`].
    async fn with_library() -> Self {
        let world = Self::start().await;
        world.connect_library(PUBLISHER).await;
        world.subscribers(1).await;
        world
    }

    async fn connect_library(&self, connection: &str) {
        self.open(connection, Some(&legacy_grant())).await;
        let publishers = self.env.publishers();
        publishers.add(&[id("shop")], &ConnectionId::new(connection), now()).await.unwrap();
    }

    /// An instance that knows the library.
    async fn acquainted(&self) -> Ingest {
        let ingest = self.instance();
        say(&ingest, PUBLISHER, &frame(Some(NOW_MS - 60_000), &json!({"acquainted": 1})), NOW_MS).await;
        self.env.take_calls();
        ingest
    }

    /// The sources under which reports are stored.
    async fn sources(&self) -> Vec<String> {
        let rows = self.env.rows("ReportsTable").await;
        let mut sources: Vec<_> =
            rows.iter().map(|row| row["source"]["S"].as_str().unwrap().to_owned()).collect();
        sources.sort();
        sources.dedup();
        sources
    }
}

#[tokio::test]
async fn a_legacy_report_costs_one_write_and_one_query_and_its_copy_one_write() {
    let world = World::with_library().await;
    let ingest = world.acquainted().await;
    let post = format!("POST {VIEWER}");
    for (at_ms, store) in [(MINUTE_START_MS + 1_250, STORE), (MINUTE_START_MS + 2_000, STORE_AT_AN_EDGE)] {
        say(&ingest, PUBLISHER, &frame(Some(at_ms), &json!({"a": 1})), NOW_MS).await;
        assert_eq!(world.env.take_lines(), [store, READ_SUBSCRIBERS, &post]);
        say(&ingest, PUBLISHER, &frame(Some(at_ms + 9), &json!({"a": 1})), NOW_MS + 9).await;
        assert_eq!(world.env.take_lines(), [store], "a copy is answered with nothing");
    }
    assert_eq!(ingest.counters.total(Counter::AbsorbedDuplicates), 2);
}

#[tokio::test]
async fn second_copies_spend_nothing_of_what_an_app_may_send() {
    let world = World::with_library().await;
    let ingest = world.acquainted().await;
    // One report short of a burst and its first second, each twice over.
    let mut small = app("small", Status::Active);
    small.limits.reports = Some(1);
    small.legacy = true;
    world.env.register(&small).await;
    let grant = Grant { proof: Proof::Legacy, ..publishing("small") };
    world.open("library=", Some(&grant)).await;
    for second in 0..99 {
        for copy in 0..2 {
            let at_ms = MINUTE_START_MS + second * 1_000 + copy * 5;
            let text = frame(Some(at_ms), &json!({"n": second})).replace("shop", "small");
            say(&ingest, "library=", &text, NOW_MS + 100_000).await;
        }
    }
    assert_eq!(ingest.counters.total(Counter::AbsorbedDuplicates), 99);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::RateLimited)), 0);
}

#[tokio::test]
async fn an_instance_that_meets_a_legacy_connection_asks_once_which_process_it_is() {
    let world = World::with_library().await;
    let ingest = world.instance();
    for second in 0..3 {
        say(&ingest, PUBLISHER, &frame(Some(NOW_MS - second * 1_000), &json!({"a": 1})), NOW_MS).await;
    }
    let lines = world.env.take_lines();
    assert_eq!(lines.iter().filter(|line| *line == SETTLE).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn copies_in_flight_at_two_instances_at_once_are_one() {
    let world = World::with_library().await;
    let (one, other) = (world.acquainted().await, world.acquainted().await);
    // In a cell, and across the edge of a second, of a minute and of an hour.
    let stamps = [(700, 705), (997, 1_003), (59_999, 60_000), (-60_001, -59_995), (500, 499)]
        .map(|(first, second)| (MINUTE_START_MS + first, MINUTE_START_MS + second));
    let before = world.stored().await;
    for (index, (first_ms, second_ms)) in stamps.into_iter().enumerate() {
        let metrics = json!({"n": index});
        let (first, second) = (frame(Some(first_ms), &metrics), frame(Some(second_ms), &metrics));
        tokio::join!(
            say(&one, PUBLISHER, &first, MINUTE_START_MS),
            say(&other, PUBLISHER, &second, MINUTE_START_MS)
        );
        assert_eq!(world.env.frames(VIEWER).len(), 1, "{first_ms} and {second_ms}");
        assert!(world.env.frames(PUBLISHER).is_empty());
        world.env.take_calls();
    }
    assert_eq!(world.stored().await, before + stamps.len());
    let absorbed = |ingest: &Ingest| ingest.counters.total(Counter::AbsorbedDuplicates);
    // Both met the report that made them acquainted.
    assert_eq!(absorbed(&one) + absorbed(&other), stamps.len() as u64 + 1);
}

#[tokio::test]
async fn an_invocation_that_is_made_again_broadcasts_again_and_its_copy_never() {
    let world = World::with_library().await;
    let ingest = world.acquainted().await;
    let report = frame(Some(NOW_MS), &json!({"a": 1}));
    for (message, frames) in [("m1", 1), ("m2", 1), ("m1", 2)] {
        say_as(&ingest, (PUBLISHER, message), &report, NOW_MS).await;
        assert_eq!(world.env.frames(VIEWER).len(), frames, "{message}");
    }
}

#[tokio::test]
async fn a_copy_with_an_id_is_acknowledged_as_accepted() {
    let world = World::with_library().await;
    let ingest = world.acquainted().await;
    let mut asking: Value = serde_json::from_str(&frame(Some(NOW_MS), &json!({"a": 1}))).unwrap();
    asking["id"] = json!("f1");
    for _ in 0..2 {
        say(&ingest, PUBLISHER, &asking.to_string(), NOW_MS).await;
        let payload = &world.env.frames(PUBLISHER)[0]["payload"];
        assert_eq!(*payload, json!({"id": "f1", "accepted": 1, "rejected": []}));
        world.env.take_calls();
    }
}

#[tokio::test]
async fn a_modern_publisher_loses_no_report_however_fast_and_alike() {
    let world = World::start().await;
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.subscribers(1).await;
    let ingest = world.instance();
    for index in 0..50 {
        let at_ms = NOW_MS + index * 20;
        say(&ingest, PUBLISHER, &frame(Some(at_ms), &json!({"cpu": {"usage": 1}})), at_ms).await;
    }
    assert_eq!(world.stored().await, 50);
    assert_eq!(world.env.frames(VIEWER).len(), 50);
    assert_eq!(ingest.counters.total(Counter::AbsorbedDuplicates), 0);
}

#[tokio::test]
async fn doubles_of_a_wrong_clock_are_one_by_their_arrival() {
    let world = World::with_library().await;
    let (one, other) = (world.acquainted().await, world.acquainted().await);
    let before = world.stored().await;
    for (index, (first, second)) in [(250, 259), (498, 501), (-3, 4)].into_iter().enumerate() {
        let (first_ms, second_ms) = (MINUTE_START_MS + first, MINUTE_START_MS + second);
        let said = frame(Some(NOW_MS + 7 * HOUR_MS), &json!({"n": index}));
        tokio::join!(say(&one, PUBLISHER, &said, first_ms), say(&other, PUBLISHER, &said, second_ms));
    }
    assert_eq!(world.stored().await, before + 3);
    let frames = world.env.frames(VIEWER);
    assert_eq!(frames.len(), 3);
    assert!(
        frames
            .iter()
            .all(|frame| frame["payload"]["timestamp"].as_str().unwrap().starts_with("2026-11-22T13:0"))
    );
    let wrong = |ingest: &Ingest| ingest.counters.total(Counter::WrongClocks);
    assert_eq!(wrong(&one) + wrong(&other), 6, "every copy is counted");
}

#[tokio::test]
async fn a_wrong_clock_is_noted_once_an_hour_and_no_report_is_lost() {
    let world = World::with_library().await;
    let ingest = world.acquainted().await;
    for second in 0..5 {
        let said = frame(Some(second * 1_000), &json!({"n": second}));
        say(&ingest, PUBLISHER, &said, NOW_MS + second * 1_000).await;
    }
    let lines = world.env.take_lines();
    assert_eq!(lines.iter().filter(|line| *line == SETTLE).count(), 1, "{lines:?}");
    assert_eq!(world.stored().await, 6);
    let publishers = world.env.publishers();
    let clocks = publishers.wrong_clocks(&id("shop"), now()).await.unwrap();
    assert_eq!(clocks.len(), 1);
    assert_eq!(clocks[0].ahead_ms, -NOW_MS);
    say(&ingest, PUBLISHER, &frame(None, &json!({"n": 9})), NOW_MS + 250).await;
    say(&ingest, PUBLISHER, &frame(Some(NOW_MS + 700), &json!({"n": 9})), NOW_MS).await;
    assert_eq!(ingest.counters.total(Counter::WrongClocks), 5, "no time is no wrong one");
}

#[tokio::test]
async fn a_process_that_reconnects_keeps_its_source() {
    let world = World::with_library().await;
    world.connect_library("again=").await;
    let said = |elapsed_ms: i64, drift_ms: i64| {
        let metrics = json!({"process": {"uptime": (40_000 + elapsed_ms) as f64 / 1_000.0}});
        frame(Some(NOW_MS + elapsed_ms + drift_ms), &metrics)
    };
    for (connection, elapsed_ms, drift_ms) in
        [(PUBLISHER, 0, 0), (PUBLISHER, 1_000, 2), ("again=", 30_000, -1), ("again=", 31_000, 3)]
    {
        // Each time another instance.
        say(&world.instance(), connection, &said(elapsed_ms, drift_ms), NOW_MS + elapsed_ms).await;
    }
    assert_eq!(world.stored().await, 4);
    assert_eq!(world.sources().await, ["started-2026-11-22T13:00:21Z"]);
}

#[tokio::test]
async fn a_connection_keeps_the_source_of_its_first_report_whatever_later_ones_tell() {
    let world = World::with_library().await;
    for (instance, uptime) in [(world.instance(), 10), (world.instance(), 11), (world.instance(), 900)] {
        say(&instance, PUBLISHER, &frame(Some(NOW_MS), &json!({"process": {"uptime": uptime}})), NOW_MS)
            .await;
    }
    assert_eq!(world.sources().await, ["started-2026-11-22T13:00:51Z"]);
}

#[tokio::test]
async fn a_process_that_cannot_be_kept_costs_no_report() {
    let world = World::with_library().await;
    let ingest = world.instance();
    world.env.dynamodb.fail("UpdateItem", Failure::InternalError, 3);
    say(&ingest, PUBLISHER, &frame(Some(NOW_MS), &json!({"process": {"uptime": 10}})), NOW_MS).await;
    assert_eq!(world.sources().await, ["started-2026-11-22T13:00:51Z"]);
    assert_eq!(world.env.frames(VIEWER).len(), 1);
}

/// One copy of a report: what it says, of which library, when it is stamped, which instance hears it and after how
/// long.
#[derive(Debug, Clone)]
struct Copy {
    library: usize,
    n: usize,
    stamp_ms: i64,
    instance: usize,
    delay_ms: u64,
}

const LIBRARIES: usize = 2;
const INSTANCES: usize = 3;

/// What `LIBRARIES` libraries send: a report about each second, each twice over, at most ten milliseconds apart.
fn doubled_streams() -> impl Strategy<Value = Vec<Copy>> {
    let copy = || (0..INSTANCES, 0..12_u64);
    let report = (990..1_010_i64, -10..=10_i64, copy(), copy());
    let stream = (-1_500..1_500_i64, proptest::collection::vec(report, 1..8));
    proptest::collection::vec(stream, LIBRARIES).prop_map(|streams| {
        let mut copies = Vec::new();
        for (library, (start_ms, reports)) in streams.into_iter().enumerate() {
            let mut stamp_ms = MINUTE_START_MS + start_ms;
            for (n, (gap_ms, apart_ms, first, second)) in reports.into_iter().enumerate() {
                stamp_ms += gap_ms;
                for (stamp_ms, (instance, delay_ms)) in [(stamp_ms, first), (stamp_ms + apart_ms, second)] {
                    copies.push(Copy { library, n, stamp_ms, instance, delay_ms });
                }
            }
        }
        copies
    })
}

/// Stories of copies that are told.
const STORIES: u32 = 24;

/// Where the stories take place: one service whose instances live through all of them.
struct Stage {
    world: World,
    instances: [Ingest; INSTANCES],
    told: AtomicUsize,
}

impl Stage {
    async fn open() -> Self {
        let world = World::with_library().await;
        let instances = [world.acquainted().await, world.acquainted().await, world.acquainted().await];
        Self { world, instances, told: AtomicUsize::new(0) }
    }

    /// Sends every copy at once, each after its delay, while some writes meet others and some answers are lost.
    async fn live_through(&self, copies: &[Copy], troubles: &[(bool, bool)]) {
        let story = self.told.fetch_add(1, Ordering::Relaxed);
        let connection = |library: usize| format!("story-{story}-{library}=");
        let document = |copy: &Copy| json!({"story": story, "library": copy.library, "n": copy.n});
        for library in 0..LIBRARIES {
            self.world.connect_library(&connection(library)).await;
        }
        self.world.env.take_calls();
        for (is_transaction, is_lost) in troubles {
            let operation = if *is_transaction { "TransactWriteItems" } else { "PutItem" };
            let failure = if *is_lost { Failure::ResponseLost } else { Failure::TransactionConflict };
            self.world.env.dynamodb.fail(operation, failure, 1);
        }
        let before = self.absorbed();
        let sent = copies.iter().map(|copy| {
            let (ingest, connection) = (&self.instances[copy.instance], connection(copy.library));
            let said = frame(Some(copy.stamp_ms), &document(copy));
            async move {
                tokio::time::sleep(Duration::from_millis(copy.delay_ms)).await;
                say(ingest, &connection, &said, NOW_MS).await;
            }
        });
        futures_util::future::join_all(sent).await;
        self.world.env.dynamodb.clear_failures();

        // The model: what was said, each once.
        let mut expected: Vec<String> = copies.iter().map(|copy| document(copy).to_string()).collect();
        expected.sort();
        expected.dedup();
        for library in 0..LIBRARIES {
            let answers = self.world.env.frames(&connection(library));
            assert_eq!(answers, Vec::<Value>::new(), "nothing is answered");
        }
        assert_eq!(self.stored(story).await, expected, "each is stored once");
        let frames = self.world.env.frames(VIEWER);
        let mut shown: Vec<_> = frames.iter().map(|frame| frame["payload"]["metrics"].to_string()).collect();
        shown.sort();
        assert_eq!(shown, expected, "each is broadcast once");
        assert_eq!(self.absorbed() - before, expected.len() as u64, "each has one copy");
    }

    fn absorbed(&self) -> u64 {
        self.instances.iter().map(|one| one.counters.total(Counter::AbsorbedDuplicates)).sum()
    }

    /// The documents of a story that are stored.
    async fn stored(&self, story: usize) -> Vec<String> {
        let rows = self.world.env.rows("ReportsTable").await;
        let documents = rows.iter().map(|row| row["document"]["S"].as_str().unwrap());
        let mut told: Vec<Value> = documents.map(|text| serde_json::from_str(text).unwrap()).collect();
        told.retain(|document| document["story"] == story);
        let mut stored: Vec<_> = told.iter().map(Value::to_string).collect();
        stored.sort();
        stored
    }
}

#[test]
fn of_random_doubled_streams_each_report_is_stored_and_broadcast_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::open());
    let config = ProptestConfig { cases: STORIES, failure_persistence: None, ..ProptestConfig::default() };
    // At most two answers of one call are lost: the third try of the SDK is its last.
    let story = (doubled_streams(), proptest::collection::vec((any::<bool>(), any::<bool>()), 0..3));
    let told = TestRunner::new(config).run(&story, |(copies, troubles)| {
        runtime.block_on(stage.live_through(&copies, &troubles));
        Ok(())
    });
    told.unwrap();
}
