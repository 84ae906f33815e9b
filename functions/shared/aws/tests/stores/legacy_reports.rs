//! Legacy reports: of two duplicates one is stored, on either side of a window's edge and in conflicting writes.

use nsl_aws::fault::{Fault, Kind};
use nsl_aws::legacy::{LegacyFrame, ReportedSource, StoreOutcome, WrongClock};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::RollupSpan;
use nsl_domain::time::{HOUR_MS, MINUTE_MS};
use nsl_domain::time_span::TimeSpan;
use nsl_test_support::Failure;

use super::*;

const RETENTION_MS: i64 = 48 * HOUR_MS;

/// 2026-11-22T13:00:00.000Z: the edge of a dedup window, a second, a minute and an hour.
const EDGE_MS: i64 = 1_795_352_400_000;

const PUT: &str = "PutItem ReportsTable";
const TRANSACTION: &str = "TransactWriteItems ReportsTable";

/// The middle of a dedup window, where its neighbours do not matter.
const MIDDLE_MS: i64 = EDGE_MS + 250;

fn report(at_ms: i64, document: &str) -> Report {
    Report {
        app: id("shop"),
        source: Source::new("started-2026-11-22T13:01:00Z").unwrap(),
        timestamp: TimestampMs::clamped(at_ms),
        document: Document::accept(document).unwrap(),
    }
}

/// Stores a report stamped `at_ms` that `sender` sends as `message`.
async fn keep(env: &TestEnvironment, sender: &str, message: &str, at_ms: i64) -> StoreOutcome {
    store(env, sender, (message, 0), &report(at_ms, r#"{"a":1}"#)).await.unwrap()
}

/// Stores `report`, which `sender` sends at an index of a message.
async fn store(
    env: &TestEnvironment,
    sender: &str,
    (message, index): (&str, usize),
    report: &Report,
) -> Result<StoreOutcome, Fault> {
    let connection = &connection(sender);
    let frame = LegacyFrame { connection, message, index };
    env.reports().store_legacy(report, frame, &app("shop"), RETENTION_MS).await
}

async fn stored(env: &TestEnvironment) -> usize {
    env.rows("ReportsTable").await.len()
}

#[tokio::test]
async fn legacy_report_is_keyed_by_its_dedup_window() {
    let env = TestEnvironment::start().await;
    assert_eq!(keep(&env, "a=", "m1", MIDDLE_MS).await, StoreOutcome::Stored);
    assert_eq!(env.take_lines(), [PUT]);
    let rows = env.rows("ReportsTable").await;
    let hash = report(MIDDLE_MS, r#"{"a":1}"#).document.hash();
    assert_eq!(rows[0]["pk"]["S"], "shop#2026-11-22T13#0");
    assert_eq!(rows[0]["sk"]["S"], format!("{EDGE_MS:015}##a=#{hash:016x}"));
    assert_eq!(rows[0]["timestamp"]["N"], MIDDLE_MS.to_string());
    assert_eq!(rows[0]["source"]["S"], "started-2026-11-22T13:01:00Z");
}

#[tokio::test]
async fn copies_within_a_window_are_stored_once() {
    let env = TestEnvironment::start().await;
    assert_eq!(keep(&env, "a=", "m1", MIDDLE_MS).await, StoreOutcome::Stored);
    for (message, apart_ms) in [("m2", 0), ("m3", 9), ("m4", -10)] {
        env.take_calls();
        assert_eq!(keep(&env, "a=", message, MIDDLE_MS + apart_ms).await, StoreOutcome::Duplicate);
        assert_eq!(env.take_lines(), [PUT]);
    }
    assert_eq!(stored(&env).await, 1);
}

#[tokio::test]
async fn copies_across_a_window_edge_are_stored_once() {
    let env = TestEnvironment::start().await;
    // Edges of a dedup window, a second, a minute and an hour; whichever side comes first.
    for (case, edge_ms) in [EDGE_MS + 500, EDGE_MS + 1_000, EDGE_MS + MINUTE_MS, EDGE_MS, EDGE_MS + HOUR_MS]
        .into_iter()
        .enumerate()
    {
        for (first_ms, second_ms) in [(-1, 0), (0, -1), (-10, 0), (9, -1), (-5, 5)] {
            let sender = format!("{case}/{first_ms}/{second_ms}=");
            env.take_calls();
            assert_eq!(keep(&env, &sender, "m1", edge_ms + first_ms).await, StoreOutcome::Stored);
            assert_eq!(keep(&env, &sender, "m2", edge_ms + second_ms).await, StoreOutcome::Duplicate);
            assert_eq!(env.take_lines(), [TRANSACTION; 2]);
        }
    }
    assert_eq!(stored(&env).await, 25);
}

#[tokio::test]
async fn reports_that_differ_are_both_stored() {
    let env = TestEnvironment::start().await;
    // The same document a second later, and two windows apart; across an edge, but further than copies are.
    for at_ms in [MIDDLE_MS, MIDDLE_MS + 1_000, MIDDLE_MS + 500, EDGE_MS - 5, EDGE_MS - 505] {
        assert_eq!(keep(&env, "a=", &format!("m{at_ms}"), at_ms).await, StoreOutcome::Stored, "{at_ms}");
    }
    assert_eq!(keep(&env, "b=", "n", MIDDLE_MS).await, StoreOutcome::Stored, "another connection");
    let other = store(&env, "a=", ("o", 0), &report(MIDDLE_MS, r#"{"a":2}"#)).await.unwrap();
    assert_eq!(other, StoreOutcome::Stored, "another document of the window");
    assert_eq!(stored(&env).await, 7);
}

#[tokio::test]
async fn modern_report_does_not_deduplicate_a_legacy_one() {
    let env = TestEnvironment::start().await;
    let modern = Report { source: Source::new("a").unwrap(), ..report(EDGE_MS, r#"{"a":1}"#) };
    env.reports().store(&modern, &app("shop"), RETENTION_MS).await.unwrap();
    assert_eq!(keep(&env, "a", "m1", EDGE_MS).await, StoreOutcome::Stored);
    assert_eq!(stored(&env).await, 2);
}

#[tokio::test]
async fn retried_write_after_a_lost_response_succeeds() {
    let env = TestEnvironment::start().await;
    for (operation, at_ms) in [("PutItem", MIDDLE_MS), ("TransactWriteItems", EDGE_MS)] {
        let sender = format!("{operation}=");
        env.dynamodb.fail(operation, Failure::ResponseLost, 2);
        env.take_calls();
        assert_eq!(keep(&env, &sender, "m1", at_ms).await, StoreOutcome::Stored, "{operation}");
        assert_eq!(env.take_calls().len(), 3, "the SDK's own tries");
        let again = keep(&env, &sender, "m1", at_ms).await;
        assert_eq!(again, StoreOutcome::Stored, "the function invoked again");
        assert_eq!(keep(&env, &sender, "m2", at_ms).await, StoreOutcome::Duplicate);
    }
    assert_eq!(stored(&env).await, 2);
}

#[tokio::test]
async fn conflicting_writes_are_retried_up_to_the_limit() {
    let env = TestEnvironment::start().await;
    for (operation, at_ms) in [("PutItem", MIDDLE_MS), ("TransactWriteItems", EDGE_MS)] {
        env.dynamodb.fail(operation, Failure::TransactionConflict, 3);
        env.take_calls();
        assert_eq!(keep(&env, "a=", "m1", at_ms).await, StoreOutcome::Stored, "{operation}");
        assert_eq!(env.take_calls().len(), 4, "{operation}");

        env.dynamodb.fail(operation, Failure::TransactionConflict, 8);
        let fault = store(&env, "b=", ("m2", 0), &report(at_ms, "{}")).await.unwrap_err();
        assert_eq!((fault.kind, fault.attempt), (Kind::Conflict, "put legacy report"));
        assert_eq!(env.take_calls().len(), 8, "{operation}");
    }
}

#[tokio::test]
async fn reports_of_one_frame_are_deduplicated_by_index() {
    let env = TestEnvironment::start().await;
    use StoreOutcome::{Duplicate, Stored};
    for (index, expected) in [(0, Stored), (1, Duplicate), (0, Stored)] {
        let outcome = store(&env, "a=", ("m1", index), &report(MIDDLE_MS, "{}")).await.unwrap();
        assert_eq!(outcome, expected, "{index}");
    }
}

#[tokio::test]
async fn span_is_filtered_by_timestamp_not_by_key() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    // Keyed at the edge, stamped in the window; a modern one of the same window; legacy ones of the windows around.
    for at_ms in [EDGE_MS - 300, EDGE_MS + 100, EDGE_MS + 400, EDGE_MS + 900] {
        assert_eq!(keep(&env, &format!("{at_ms}="), "m", at_ms).await, StoreOutcome::Stored);
    }
    env.reports().store(&report(EDGE_MS + 200, "{}"), &shop, RETENTION_MS).await.unwrap();
    let now = TimestampMs::clamped(EDGE_MS + MINUTE_MS);
    for (from_ms, to_ms, expected) in [
        (0, 500, vec![100, 200, 400]),
        (150, 400, vec![200]),
        (150, 401, vec![200, 400]),
        (101, 1_000, vec![200, 400, 900]),
        (-300, 100, vec![-300]),
        (-299, 101, vec![100]),
    ] {
        let [from, to] = [from_ms, to_ms].map(|ms| TimestampMs::clamped(EDGE_MS + ms));
        let span = TimeSpan::new(from, to);
        let offsets = |reports: Vec<Report>| {
            let mut offsets: Vec<_> = reports.iter().map(|report| report.timestamp.ms() - EDGE_MS).collect();
            offsets.sort_unstable();
            offsets
        };
        let tail = env.reports().tail(&shard(0), span, now).await.unwrap().unwrap();
        assert_eq!(offsets(tail), expected, "tail from {from_ms} to {to_ms}");
        let mut seen = Vec::new();
        env.reports().for_each(&shop, span, now, |report| seen.push(report)).await.unwrap();
        assert_eq!(offsets(seen), expected, "each from {from_ms} to {to_ms}");
        let recent = env.reports().recent(&shop, from, now, 10).await.unwrap().reports;
        let later: Vec<_> = [-300, 100, 200, 400, 900].into_iter().filter(|ms| *ms >= from_ms).collect();
        assert_eq!(offsets(recent), later, "recent from {from_ms}");
    }
    let mut minute = Vec::new();
    let span = RollupSpan::containing(Resolution::Minute, now.plus_ms(-1));
    env.reports().for_each_in_minute(&shard(0), span, |report| minute.push(report)).await.unwrap();
    assert_eq!(minute.len(), 4, "the minute begins at the edge");
}

#[tokio::test]
async fn connection_keeps_its_first_source() {
    let env = TestEnvironment::start().await;
    let (shop, sender) = (id("shop"), connection("a="));
    let (first, later) = (Source::new("first").unwrap(), Source::new("later").unwrap());
    let settle = async |source: &Source, ahead_ms| {
        let reported = ReportedSource { source, ahead_ms, now: now() };
        env.publishers().record_source(&shop, &sender, reported).await.unwrap()
    };
    assert_eq!(settle(&later, None).await, later, "a connection without a row is the reported source");
    assert!(env.connection_rows().await.is_empty(), "and gets none");
    env.publishers().add(std::slice::from_ref(&shop), &sender, &proof(), now()).await.unwrap();
    env.take_calls();
    assert_eq!(settle(&first, None).await, first);
    assert_eq!(settle(&later, Some(-7)).await, first);
    assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"; 2]);
    let clocks = async |at| env.publishers().wrong_clocks(&shop, at).await.unwrap();
    let expected = WrongClock { source: first.clone(), ahead_ms: -7, seen: now() };
    assert_eq!(clocks(now()).await, [expected]);
    assert_eq!(env.take_lines(), ["Query ConnectionsTable consistent"]);
    assert_eq!(clocks(now().plus_ms(3 * HOUR_MS)).await, [], "past its age");
    env.publishers().add(std::slice::from_ref(&shop), &connection("b="), &proof(), now()).await.unwrap();
    assert_eq!(clocks(now()).await.len(), 1, "a publisher whose clock is right");
}
