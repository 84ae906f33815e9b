//! Which process a connection of the library is: workers of one cluster, reconnects, half-open connections, copies that
//! several instances receive at once.

use nsl_domain::ids::UserId;
use nsl_domain::time::{DAY_MS, SECOND_MS};
use nsl_test_support::{Behaviour, Failure};

use super::legacy::frame;
use super::*;

const READ_ROW: &str = "GetItem ConnectionsTable consistent";
const READ_PROCESSES: &str = "Query ConnectionsTable consistent";
const WRITE: &str = "UpdateItem ConnectionsTable";
const STORE: &str = "PutItem ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";

/// The start of the first process: in the middle of a second, and of a dedup window at each report.
const START_MS: i64 = NOW_MS - 37_137;

/// A connection of a process.
#[derive(Debug, Clone)]
struct Connected {
    id: String,
    opened_ms: i64,
    start_ms: i64,
    /// How far the clock of its host is ahead.
    ahead_ms: i64,
}

impl Connected {
    fn new(id: &str, opened_ms: i64, start_ms: i64) -> Self {
        Self { id: format!("{id}="), opened_ms, start_ms, ahead_ms: 0 }
    }

    /// Receives on `ingest` a report that arrives at `at_ms`, whose process shows a start that is off by `jitter_ms`.
    async fn report(&self, ingest: &Ingest, at_ms: i64, jitter_ms: i64) {
        let uptime = (at_ms - self.start_ms) as f64 / 1_000.0;
        let metrics = json!({"process": {"uptime": uptime}, "memory": {"total": 16}, "cpu": {"cores": 2}});
        let text = frame(Some(at_ms + self.ahead_ms + jitter_ms), &metrics);
        let mut event = events::message(&self.id, "send_metrics", &text, NO_GRANT, at_ms + jitter_ms);
        event["requestContext"]["connectedAt"] = json!(self.opened_ms);
        event["requestContext"]["messageId"] = json!(format!("{} {at_ms} {jitter_ms}", self.id));
        ingest.receive_event(event).await;
    }
}

impl World {
    async fn with_connections(connections: &[Connected]) -> Self {
        let world = Self::start().await;
        for connected in connections {
            world.connect_library(&connected.id).await;
        }
        world
    }

    /// The source of the reports of each of `connections`, each of which has one.
    async fn sources_of(&self, connections: &[Connected]) -> Vec<String> {
        let rows = self.env.rows("ReportsTable").await;
        let source_of = |connected: &Connected| {
            let own = rows.iter().filter(|row| row["connection"]["S"] == connected.id);
            let mut sources: Vec<&str> = own.map(|row| row["source"]["S"].as_str().unwrap()).collect();
            sources.dedup();
            assert_eq!(sources.len(), 1, "{}: {sources:?}", connected.id);
            sources[0].to_owned()
        };
        connections.iter().map(source_of).collect()
    }

    /// The names of the stored processes.
    async fn processes(&self) -> Vec<String> {
        let rows = self.env.connection_rows().await.into_iter();
        let names = rows.filter(|row| row["pk"]["S"] == "processes#shop");
        let mut names: Vec<String> = names.map(|row| row["sk"]["S"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

/// Four workers of a cluster: started within ten milliseconds, connected before any reports.
fn workers() -> Vec<Connected> {
    let worker = |index: i64| Connected::new(&format!("w{index}"), NOW_MS - 500, START_MS + 3 * index);
    (0..4).map(worker).collect()
}

fn distinct(sources: &[String]) -> usize {
    let mut sources = sources.to_vec();
    sources.sort();
    sources.dedup();
    sources.len()
}

#[tokio::test]
async fn workers_that_start_together_are_separate_sources() {
    let workers = workers();
    let world = World::with_connections(&workers).await;
    let instances: Vec<Ingest> = (0..8).map(|_| world.instance()).collect();
    for second in 0..3 {
        // Each copy on another instance, all at once.
        let at_ms = NOW_MS + second * SECOND_MS;
        let copies = workers.iter().flat_map(|worker| [(worker, 0), (worker, 4)]);
        let reports = copies
            .zip(&instances)
            .map(|((worker, jitter_ms), ingest)| worker.report(ingest, at_ms, jitter_ms));
        futures_util::future::join_all(reports).await;
    }
    let mut sources = world.sources_of(&workers).await;
    assert_eq!(world.stored().await, 12);
    assert_eq!(distinct(&sources), 4, "{sources:?}");
    sources.sort();
    assert_eq!(world.processes().await, sources, "no process is stored beside them");
    assert!(sources.contains(&"started-2026-11-22T13:00:24Z".to_owned()), "{sources:?}");
}

#[tokio::test]
async fn reconnected_process_keeps_its_source() {
    for ahead_ms in [0, -3 * DAY_MS, 400 * DAY_MS] {
        let mut connections = Vec::new();
        for (index, worker) in workers().into_iter().enumerate() {
            let again = Connected::new(&format!("again{index}"), NOW_MS + 60_000, worker.start_ms);
            connections.extend([Connected { ahead_ms, ..worker }, Connected { ahead_ms, ..again }]);
        }
        let world = World::with_connections(&connections).await;
        let (before, after): (Vec<_>, Vec<_>) =
            connections.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).unzip();
        for worker in &before {
            worker.report(&world.instance(), NOW_MS, 1).await;
            world.env.connections.set_behaviour(&worker.id, Behaviour::Gone);
        }
        // All reconnect at the same time, each to another instance, and the last of them first.
        for worker in after.iter().rev() {
            worker.report(&world.instance(), NOW_MS + 60_250, 0).await;
        }
        assert_eq!(world.sources_of(&after).await, world.sources_of(&before).await, "ahead by {ahead_ms} ms");
    }
}

#[tokio::test]
async fn workers_that_reconnect_at_once_keep_their_sources() {
    for round in 0..4 {
        let before = workers();
        let again = |(index, worker): (usize, &Connected)| {
            Connected::new(&format!("again{index}"), NOW_MS + 60_000, worker.start_ms)
        };
        let after: Vec<Connected> = before.iter().enumerate().map(again).collect();
        let world = World::with_connections(&[before.clone(), after.clone()].concat()).await;
        for worker in &before {
            worker.report(&world.instance(), NOW_MS, 0).await;
            world.env.connections.set_behaviour(&worker.id, Behaviour::Gone);
        }
        // The copies of a worker are nearest to the starts of different workers.
        let instances: Vec<Ingest> = (0..8).map(|_| world.instance()).collect();
        let copies = after.iter().flat_map(|worker| [(worker, 0), (worker, 5)]);
        let reports = copies
            .zip(&instances)
            .map(|((worker, jitter_ms), ingest)| worker.report(ingest, NOW_MS + 60_250 + round, jitter_ms));
        futures_util::future::join_all(reports).await;
        let (mut old, mut new) = (world.sources_of(&before).await, world.sources_of(&after).await);
        old.sort();
        new.sort();
        assert_eq!(new, old, "round {round}");
        assert_eq!(world.processes().await, old, "no process is stored beside them");
    }
}

#[tokio::test]
async fn half_open_connection_is_left_once_it_is_silent() {
    for (silent_ms, keeps) in [(3_000, true), (2_000, false), (-1_000, false)] {
        let (old, new) =
            (Connected::new("old", NOW_MS - 500, START_MS), Connected::new("new", NOW_MS + 60_000, START_MS));
        let world = World::with_connections(&[old.clone(), new.clone()]).await;
        old.report(&world.instance(), NOW_MS, 0).await;
        let last_active = Behaviour::LastActive(new.opened_ms - silent_ms);
        world.env.connections.set_behaviour(&old.id, last_active);
        new.report(&world.instance(), NOW_MS + 61_000, 2).await;
        let sources = world.sources_of(&[old, new]).await;
        assert_eq!(sources[0] == sources[1], keeps, "silent for {silent_ms} ms");
    }
}

#[tokio::test]
async fn process_keeps_its_source_though_its_clock_drifts() {
    let connections: Vec<Connected> =
        (0..5).map(|n| Connected::new(&format!("c{n}"), NOW_MS + n * 60_000, START_MS - n * 390)).collect();
    let world = World::with_connections(&connections).await;
    for connected in &connections {
        connected.report(&world.instance(), connected.opened_ms + 250, 0).await;
        world.env.connections.set_behaviour(&connected.id, Behaviour::Gone);
    }
    assert_eq!(distinct(&world.sources_of(&connections).await), 1);
}

#[tokio::test]
async fn copies_on_both_sides_of_a_second_are_one_source() {
    for round in 0..4 {
        // The copies show a start of .499 and .503, which are rounded to different seconds.
        let edge = Connected::new("edge", NOW_MS - 500, NOW_MS - 37_888 - round * SECOND_MS);
        let world = World::with_connections(std::slice::from_ref(&edge)).await;
        let (one, other) = (world.instance(), world.instance());
        tokio::join!(edge.report(&one, NOW_MS, 0), edge.report(&other, NOW_MS, 4));
        let sources = world.sources_of(&[edge]).await;
        assert_eq!(world.processes().await, sources);
    }
}

#[tokio::test]
async fn source_of_a_connection_from_before_is_kept() {
    let old = Connected::new("old", NOW_MS - 500, START_MS);
    let world = World::with_connections(std::slice::from_ref(&old)).await;
    let row = json!({"pk": {"S": "app#shop"}, "sk": {"S": "p#old="}, "expiresAt": {"N": "9999999999"},
        "source": {"S": "started-2026-11-22T13:00:23Z"}});
    world.env.put("ConnectionsTable", row).await;
    for _ in 0..2 {
        old.report(&world.instance(), NOW_MS, 0).await;
    }
    assert_eq!(world.sources_of(&[old]).await, ["started-2026-11-22T13:00:23Z"]);
    assert!(world.processes().await.is_empty());
}

#[tokio::test]
async fn first_process_of_a_second_has_the_name_of_earlier_versions() {
    let process = Connected::new("only", NOW_MS - 500, START_MS);
    let world = World::with_connections(std::slice::from_ref(&process)).await;
    process.report(&world.instance(), NOW_MS, 0).await;
    assert_eq!(world.sources_of(&[process]).await, ["started-2026-11-22T13:00:24Z"]);
}

#[tokio::test]
async fn connection_without_a_publishers_row_has_one_source() {
    let world = World::start().await;
    let reach = GrantedApps::Owner(UserId::new("ann").unwrap());
    let token = Grant { reach, proof: Proof::Token { issued: now() }, library: true, ..publishing("shop") };
    let workers = workers();
    for worker in &workers {
        world.open(&worker.id, Some(&token)).await;
        worker.report(&world.instance(), NOW_MS, 0).await;
        worker.report(&world.instance(), NOW_MS + 1_000, 9).await;
    }
    assert_eq!(distinct(&world.sources_of(&workers).await), 4);
}

#[tokio::test]
async fn source_costs_two_reads_and_two_writes_once_for_a_connection() {
    let (first, again) =
        (Connected::new("first", NOW_MS - 500, START_MS), Connected::new("again", NOW_MS + 20_000, START_MS));
    let world = World::with_connections(&[first.clone(), again.clone()]).await;
    let warm = world.instance();
    let other = Connected::new("other", NOW_MS - 500, START_MS - 90_000);
    world.connect_library(&other.id).await;
    other.report(&warm, NOW_MS - 20_000, 0).await;
    world.env.take_calls();
    // The session row first.
    first.report(&warm, NOW_MS, 0).await;
    let decision = [READ_ROW, READ_ROW, READ_PROCESSES, WRITE, WRITE, STORE, READ_SUBSCRIBERS];
    assert_eq!(world.env.take_lines(), decision);
    first.report(&warm, NOW_MS + 1_000, 0).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
    let second = world.instance();
    other.report(&second, NOW_MS - 19_000, 0).await;
    world.env.take_calls();
    first.report(&second, NOW_MS + 2_000, 0).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_ROW, READ_ROW, STORE, READ_SUBSCRIBERS],
        "another instance reads the row"
    );
    world.env.connections.set_behaviour(&first.id, Behaviour::Gone);
    again.report(&second, NOW_MS + 21_000, 0).await;
    let look = format!("GET {}", first.id);
    let decision = [READ_ROW, READ_ROW, READ_PROCESSES, &look, WRITE, WRITE, STORE, READ_SUBSCRIBERS];
    assert_eq!(world.env.take_lines(), decision, "a reconnect looks at the connection before");
}

#[tokio::test]
async fn report_is_stored_though_its_process_cannot_be_decided() {
    for operation in ["Query", "UpdateItem"] {
        let process = Connected::new("one", NOW_MS - 500, START_MS);
        let world = World::with_connections(std::slice::from_ref(&process)).await;
        world.env.dynamodb.fail(operation, Failure::InternalError, 3);
        let ingest = world.instance();
        process.report(&ingest, NOW_MS, 0).await;
        world.env.dynamodb.clear_failures();
        process.report(&ingest, NOW_MS + 1_000, 0).await;
        assert_eq!(world.sources_of(&[process]).await, ["started-2026-11-22T13:00:24Z"]);
    }
}
