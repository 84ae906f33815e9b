//! Reports of the library: each sent twice, to any instances at once, without a source and by any clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nsl_aws::counters::Counter;
use nsl_domain::rejection::Code;
use nsl_domain::time::HOUR_MS;
use nsl_test_support::Failure;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const WRITE_SOURCE: &str = "UpdateItem ConnectionsTable";
const STORE: &str = "PutItem ReportsTable";
const STORE_AT_AN_EDGE: &str = "TransactWriteItems ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";

/// Start of a dedup window, a second and a minute: 2026-11-22T13:01:00Z.
const MINUTE_START_MS: i64 = NOW_MS - 1_387;

/// Numbers the messages.
static MESSAGES: AtomicUsize = AtomicUsize::new(0);

pub(super) fn legacy_grant(app: &str) -> Grant {
    Grant { proof: Proof::Legacy, ..publishing(app) }
}

/// A frame of the library.
pub(super) fn frame(timestamp_ms: Option<i64>, metrics: &Value) -> String {
    let mut data = json!({"userId": "ann", "appId": "shop", "metrics": metrics});
    if let Some(ms) = timestamp_ms {
        data["timestamp"] = json!(TimestampMs::clamped(ms).to_string());
    }
    json!({"type": "send_metrics", "data": data}).to_string()
}

impl Ingest {
    /// Handles `frame` of `connection`, as a message of its own.
    pub(super) async fn receive_on(&self, connection: &str, frame: &str, at_ms: i64) {
        let message = MESSAGES.fetch_add(1, Ordering::Relaxed);
        self.receive_message(connection, &format!("message-{message}"), frame, at_ms).await;
    }

    async fn receive_message(&self, connection: &str, message: &str, frame: &str, at_ms: i64) {
        let mut event = events::message(connection, "send_metrics", frame, NO_GRANT, at_ms);
        event["requestContext"]["messageId"] = json!(message);
        self.receive_event(event).await;
    }

    fn duplicates(&self) -> u64 {
        self.counters.total(Counter::AbsorbedDuplicates)
    }
}

impl World {
    /// One with a viewer, and the library connected as [`PUBLISHER`].
    async fn with_library() -> Self {
        let world = Self::start().await;
        world.connect_library(PUBLISHER).await;
        world.subscribers(1).await;
        world
    }

    pub(super) async fn connect_library(&self, connection: &str) {
        self.open(connection, Some(&legacy_grant("shop"))).await;
        let proof = legacy_grant("shop").stored_proof();
        self.env
            .publishers()
            .add(&[id("shop")], &ConnectionId::new(connection), &proof, now())
            .await
            .unwrap();
    }

    /// An instance that has handled a report of [`PUBLISHER`], the same for each instance.
    async fn warm_legacy_instance(&self) -> Ingest {
        let ingest = self.instance();
        ingest.receive_on(PUBLISHER, &frame(Some(NOW_MS - 60_000), &json!({"first": 1})), NOW_MS).await;
        self.env.take_calls();
        ingest
    }

    /// The sources of the stored reports.
    async fn sources(&self) -> Vec<String> {
        let rows = self.env.rows("ReportsTable").await;
        let mut sources: Vec<_> =
            rows.iter().map(|row| row["source"]["S"].as_str().unwrap().to_owned()).collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// How many times the source of a connection was written since calls were last taken.
    fn source_writes(&self) -> usize {
        self.env.take_lines().iter().filter(|line| *line == WRITE_SOURCE).count()
    }
}

#[tokio::test]
async fn report_of_the_library_from_any_year_is_stored_at_its_arrival() {
    let world = World::with_library().await;
    let ingest = world.instance();
    let far = [
        "253402127999999",
        "253402207200000",
        "253402300799999",
        "\"9999-12-31T23:59:59.999Z\"",
        "-1",
        "1e300",
    ];
    for (second, timestamp) in far.iter().enumerate() {
        let text = format!(
            r#"{{"type":"send_metrics","data":{{"userId":"ann","appId":"shop","timestamp":{timestamp},"metrics":{{"process":{{"uptime":9.5}}}}}}}}"#
        );
        ingest.receive_on(PUBLISHER, &text, NOW_MS + second as i64 * 1_000).await;
    }
    assert_eq!(world.stored().await, far.len());
    let rows = world.env.rows("ReportsTable").await;
    assert!(rows.iter().all(|row| row["pk"]["S"] == "shop#2026-11-22T13#0"), "{rows:?}");
}

#[tokio::test]
async fn duplicate_costs_only_the_write() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    let post = format!("POST {VIEWER}");
    for (at_ms, store) in [(MINUTE_START_MS + 1_250, STORE), (MINUTE_START_MS + 2_000, STORE_AT_AN_EDGE)] {
        ingest.receive_on(PUBLISHER, &frame(Some(at_ms), &json!({"a": 1})), NOW_MS).await;
        assert_eq!(world.env.take_lines(), [store, READ_SUBSCRIBERS, &post]);
        ingest.receive_on(PUBLISHER, &frame(Some(at_ms + 9), &json!({"a": 1})), NOW_MS + 9).await;
        assert_eq!(world.env.take_lines(), [store], "a copy gets no reply");
    }
    assert_eq!(ingest.duplicates(), 2);
}

/// A busy host sends its copies further apart than the table recognises.
#[tokio::test]
async fn late_copy_costs_no_call_on_the_instance_of_the_first() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    let uptime = |uptime: f64| json!({"process": {"uptime": uptime}});
    let first_ms = MINUTE_START_MS + 2_480;
    ingest.receive_on(PUBLISHER, &frame(Some(first_ms), &uptime(40.123_456)), NOW_MS).await;
    world.env.take_calls();
    for (later_ms, uptime_s, is_copy) in [
        (40, 40.123_456, true),
        (999, 40.123_456, true),
        (1_000, 40.123_456, false),
        (1_040, 41.123_789, false),
        (1_090, 41.123_789, true),
    ] {
        let text = frame(Some(first_ms + later_ms), &uptime(uptime_s));
        ingest.receive_on(PUBLISHER, &text, NOW_MS + later_ms).await;
        assert_eq!(world.env.take_lines().is_empty(), is_copy, "{later_ms} ms later");
    }
    assert_eq!(ingest.duplicates(), 3);
}

#[tokio::test]
async fn copy_of_an_unstored_report_is_stored() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    let metrics = json!({"process": {"uptime": 40.25}});
    world.env.dynamodb.fail("PutItem", Failure::InternalError, 3);
    for later_ms in [0, 40] {
        let at_ms = MINUTE_START_MS + 1_200 + later_ms;
        ingest.receive_on(PUBLISHER, &frame(Some(at_ms), &metrics), at_ms).await;
    }
    assert_eq!(world.stored().await, 2, "the one that warmed the instance, and this");
}

#[tokio::test]
async fn duplicates_do_not_count_for_the_rate() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    // One report short of the burst and a second, each twice.
    let mut small = app("small", Status::Active);
    small.limits.reports = Some(1);
    world.env.register(&small).await;
    world.open("library=", Some(&legacy_grant("small"))).await;
    for second in 0..99 {
        for copy in 0..2 {
            let at_ms = MINUTE_START_MS + second * 1_000 + copy * 5;
            let frame = frame(Some(at_ms), &json!({"n": second})).replace("shop", "small");
            ingest.receive_on("library=", &frame, NOW_MS + 100_000).await;
        }
    }
    assert_eq!(ingest.duplicates(), 99);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::RateLimited)), 0);
}

#[tokio::test]
async fn library_over_its_rate_gets_no_reply() {
    let world = World::with_library().await;
    world.env.apps().limit(&id("shop"), TimestampMs::clamped(NOW_MS + 60_000)).await.unwrap();
    let ingest = world.instance();
    ingest.receive_on(PUBLISHER, &frame(Some(NOW_MS), &json!({"a": 1})), NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty());
    assert_eq!(world.stored().await, 0);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::RateLimited)), 1);
}

#[tokio::test]
async fn instance_writes_the_source_of_a_connection_once() {
    let world = World::with_library().await;
    let ingest = world.instance();
    for second in 0..3 {
        let frame = frame(Some(NOW_MS - second * 1_000), &json!({"a": 1}));
        ingest.receive_on(PUBLISHER, &frame, NOW_MS).await;
    }
    assert_eq!(world.source_writes(), 1);
}

#[tokio::test]
async fn only_a_repeated_invocation_broadcasts_again() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    let report = frame(Some(NOW_MS), &json!({"process": {"uptime": 40.25}}));
    for (message, frames) in [("m1", 1), ("m2", 1), ("m1", 2)] {
        ingest.receive_message(PUBLISHER, message, &report, NOW_MS).await;
        assert_eq!(world.env.frames(VIEWER).len(), frames, "{message}");
    }
}

#[tokio::test]
async fn duplicate_with_an_id_is_acknowledged() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    let mut with_id: Value = serde_json::from_str(&frame(Some(NOW_MS), &json!({"a": 1}))).unwrap();
    with_id["id"] = json!("f1");
    for _ in 0..2 {
        ingest.receive_on(PUBLISHER, &with_id.to_string(), NOW_MS).await;
        let payload = &world.env.frames(PUBLISHER)[0]["payload"];
        assert_eq!(*payload, json!({"id": "f1", "accepted": 1, "rejected": []}));
        world.env.take_calls();
    }
}

#[tokio::test]
async fn modern_publisher_loses_none_of_its_equal_documents() {
    let world = World::start().await;
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.subscribers(1).await;
    let ingest = world.instance();
    for index in 0..50 {
        let at_ms = NOW_MS + index * 20;
        ingest.receive_on(PUBLISHER, &frame(Some(at_ms), &json!({"cpu": {"usage": 1}})), at_ms).await;
    }
    assert_eq!(world.stored().await, 50);
    assert_eq!(world.env.frames(VIEWER).len(), 50);
    assert_eq!(ingest.duplicates(), 0);
}

#[tokio::test]
async fn copies_by_a_skewed_clock_are_found_by_their_arrival() {
    let world = World::with_library().await;
    let (one, other) = (world.warm_legacy_instance().await, world.warm_legacy_instance().await);
    let before = world.stored().await;
    for (index, (first, second)) in [(250, 259), (498, 501), (-3, 4)].into_iter().enumerate() {
        let frame = frame(Some(NOW_MS + 7 * HOUR_MS), &json!({"n": index}));
        tokio::join!(
            one.receive_on(PUBLISHER, &frame, MINUTE_START_MS + first),
            other.receive_on(PUBLISHER, &frame, MINUTE_START_MS + second)
        );
    }
    assert_eq!(world.stored().await, before + 3);
    let frames = world.env.frames(VIEWER);
    assert_eq!(frames.len(), 3);
    for frame in frames {
        assert!(frame["payload"]["timestamp"].as_str().unwrap().starts_with("2026-11-22T13:0"), "{frame}");
    }
    let skewed = |ingest: &Ingest| ingest.counters.total(Counter::WrongClocks);
    assert_eq!(skewed(&one) + skewed(&other), 6, "each copy is counted");
}

#[tokio::test]
async fn skewed_clock_is_written_once_an_hour() {
    let world = World::with_library().await;
    let ingest = world.warm_legacy_instance().await;
    for second in 0..5 {
        let frame = frame(Some(second * 1_000), &json!({"n": second}));
        ingest.receive_on(PUBLISHER, &frame, NOW_MS + second * 1_000).await;
    }
    assert_eq!(world.source_writes(), 1);
    assert_eq!(world.stored().await, 6);
    let clocks = world.env.publishers().wrong_clocks(&id("shop"), now()).await.unwrap();
    assert_eq!(clocks.len(), 1);
    assert_eq!(clocks[0].ahead_ms, -NOW_MS);
    ingest.receive_on(PUBLISHER, &frame(None, &json!({"n": 9})), NOW_MS + 250).await;
    ingest.receive_on(PUBLISHER, &frame(Some(NOW_MS + 700), &json!({"n": 9})), NOW_MS).await;
    assert_eq!(ingest.counters.total(Counter::WrongClocks), 5, "a missing timestamp is not a skewed one");
}

#[tokio::test]
async fn connection_keeps_the_source_of_its_first_report() {
    let world = World::with_library().await;
    for uptime in [10, 11, 900] {
        let frame = frame(Some(NOW_MS), &json!({"process": {"uptime": uptime}}));
        world.instance().receive_on(PUBLISHER, &frame, NOW_MS).await;
    }
    assert_eq!(world.sources().await, ["started-2026-11-22T13:00:51Z"]);
}

#[tokio::test]
async fn report_is_stored_while_the_source_cannot_be_written() {
    let world = World::with_library().await;
    world.env.dynamodb.fail("UpdateItem", Failure::InternalError, 3);
    let frame = frame(Some(NOW_MS), &json!({"process": {"uptime": 10}}));
    world.instance().receive_on(PUBLISHER, &frame, NOW_MS).await;
    assert_eq!(world.sources().await, ["started-2026-11-22T13:00:51Z"]);
    assert_eq!(world.env.frames(VIEWER).len(), 1);
}

/// One copy of report `n` of a library, and the instance that receives it after a delay.
#[derive(Debug, Clone)]
struct Copy {
    library: usize,
    n: usize,
    timestamp_ms: i64,
    instance: usize,
    delay_ms: u64,
}

const LIBRARIES: usize = 2;
const INSTANCES: usize = 3;
const CASES: u32 = 24;

/// A report about each second of each library, twice, at most ten milliseconds apart.
fn doubled_streams() -> impl Strategy<Value = Vec<Copy>> {
    let copy = || (0..INSTANCES, 0..12_u64);
    let report = (990..1_010_i64, -10..=10_i64, copy(), copy());
    // Around the start of a minute, and of an hour.
    let start = prop_oneof![-1_500..1_500_i64, -61_500..-58_500_i64];
    let stream = (start, proptest::collection::vec(report, 1..8));
    proptest::collection::vec(stream, LIBRARIES).prop_map(|streams| {
        let mut copies = Vec::new();
        for (library, (start_ms, reports)) in streams.into_iter().enumerate() {
            let mut first_ms = MINUTE_START_MS + start_ms;
            for (n, (gap_ms, distance_ms, first, second)) in reports.into_iter().enumerate() {
                first_ms += gap_ms;
                for (timestamp_ms, (instance, delay_ms)) in
                    [(first_ms, first), (first_ms + distance_ms, second)]
                {
                    copies.push(Copy { library, n, timestamp_ms, instance, delay_ms });
                }
            }
        }
        copies
    })
}

/// Failures of single calls: of which operation, and how.
fn failures() -> impl Strategy<Value = Vec<(&'static str, Failure)>> {
    let operation = prop_oneof![Just("TransactWriteItems"), Just("PutItem")];
    let failure = prop_oneof![Just(Failure::ResponseLost), Just(Failure::TransactionConflict)];
    // At most two, because the SDK gives up after three attempts.
    proptest::collection::vec((operation, failure), 0..3)
}

/// One service for all cases, whose instances keep their caches.
struct Service {
    world: World,
    instances: [Ingest; INSTANCES],
    cases: AtomicUsize,
}

impl Service {
    async fn start() -> Self {
        let world = World::with_library().await;
        let instances = [
            world.warm_legacy_instance().await,
            world.warm_legacy_instance().await,
            world.warm_legacy_instance().await,
        ];
        Self { world, instances, cases: AtomicUsize::new(0) }
    }

    /// Sends all copies at once, each after its delay, and checks that each report is stored and broadcast once.
    async fn check(&self, copies: &[Copy], failures: &[(&'static str, Failure)]) {
        let case = self.cases.fetch_add(1, Ordering::Relaxed);
        let connection = |library: usize| format!("case-{case}-{library}=");
        let document = |copy: &Copy| json!({"case": case, "library": copy.library, "n": copy.n});
        for library in 0..LIBRARIES {
            self.world.connect_library(&connection(library)).await;
        }
        self.world.env.take_calls();
        for (operation, failure) in failures {
            self.world.env.dynamodb.fail(operation, *failure, 1);
        }
        let before = self.duplicates();
        let sends = copies.iter().map(|copy| {
            let (ingest, connection) = (&self.instances[copy.instance], connection(copy.library));
            let frame = frame(Some(copy.timestamp_ms), &document(copy));
            async move {
                tokio::time::sleep(Duration::from_millis(copy.delay_ms)).await;
                ingest.receive_on(&connection, &frame, NOW_MS).await;
            }
        });
        futures_util::future::join_all(sends).await;
        self.world.env.dynamodb.clear_failures();

        let mut expected: Vec<String> = copies.iter().map(|copy| document(copy).to_string()).collect();
        expected.sort();
        expected.dedup();
        for library in 0..LIBRARIES {
            let replies = self.world.env.frames(&connection(library));
            assert_eq!(replies, Vec::<Value>::new(), "no replies");
        }
        assert_eq!(self.stored(case).await, expected, "each is stored once");
        let frames = self.world.env.frames(VIEWER);
        let mut shown: Vec<_> = frames.iter().map(|frame| frame["payload"]["metrics"].to_string()).collect();
        shown.sort();
        assert_eq!(shown, expected, "each is broadcast once");
        assert_eq!(self.duplicates() - before, expected.len() as u64, "each has one copy");
    }

    fn duplicates(&self) -> u64 {
        self.instances.iter().map(Ingest::duplicates).sum()
    }

    /// The stored documents of a case.
    async fn stored(&self, case: usize) -> Vec<String> {
        let rows = self.world.env.rows("ReportsTable").await;
        let documents = rows.iter().map(|row| row["document"]["S"].as_str().unwrap());
        let mut stored: Vec<String> = documents
            .map(|text| serde_json::from_str::<Value>(text).unwrap())
            .filter(|document| document["case"] == case)
            .map(|document| document.to_string())
            .collect();
        stored.sort();
        stored
    }
}

#[test]
fn duplicated_streams_are_stored_and_broadcast_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = runtime.block_on(Service::start());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&(doubled_streams(), failures()), |(copies, failures)| {
        runtime.block_on(service.check(&copies, &failures));
        Ok(())
    });
    result.unwrap();
}
