//! Faults of the tables: their kinds, and the retries of a call.

use nsl_aws::counters::Counter;
use nsl_aws::fault::{Fault, Kind};
use nsl_aws::legacy::{LegacyFrame, ReportedSource};
use nsl_domain::ids::KeyHash;
use nsl_domain::legacy::command::{Command, IssuedCommand, Switch};
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::process::{Process, ProcessStart};
use nsl_domain::legacy::session::ReplyKind;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Rollup, RollupSpan};
use nsl_domain::time_span::TimeSpan;
use nsl_test_support::Failure;

use super::*;

const ATTEMPTS: usize = nsl_aws::retries::MAX_ATTEMPTS as usize;

/// The outcome of each operation of the stores, with the attempt that its fault names.
async fn every_operation(env: &TestEnvironment) -> Vec<(&'static str, Result<(), Fault>)> {
    let id = connection("a=");
    let report = report_of("web-1", 0, "{}");
    let (shop, span) = (app("shop"), TimeSpan::new(now(), now().plus_ms(1)));
    let (apps, sessions) = (env.apps(), env.sessions());
    let (subscriptions, reports, rollups) = (env.subscriptions(), env.reports(), env.rollups());
    let shard = shard(0);
    let minute = RollupSpan::containing(Resolution::Minute, now());
    let (publishers, processes) = (env.publishers(), env.processes());
    let start = ProcessStart { at: now(), host: String::new() };
    let process = Process { source: report.source.clone(), start, connection: id.clone(), since: now() };
    let frame = LegacyFrame { connection: &id, message: "m", index: 0 };
    let reported = ReportedSource { source: &report.source, ahead_ms: None, now: now() };
    let renamed = App { name: "Renamed".into(), ..shop.clone() };
    vec![
        ("read app", apps.find(&shop.id).await.map(drop)),
        ("read deleted app", apps.id_free_since(&shop.id).await.map(drop)),
        ("read key pointer", apps.find_by_key(KeyHash::of("x")).await.map(drop)),
        ("create app", apps.create(&shop).await.map(drop)),
        ("save app", apps.save(&shop, &renamed).await.map(drop)),
        ("delete app", apps.delete(&renamed, now()).await.map(drop)),
        ("put publisher", publishers.add(std::slice::from_ref(&shop.id), &id, &proof(), now()).await),
        ("delete publisher", publishers.delete(&shop.id, &id).await),
        ("delete gone publisher", publishers.delete_gone(&shop.id, &id, now()).await),
        ("query connections", publishers.connected(&shop.id, now()).await.map(drop)),
        ("read connection count", publishers.has_connection_room(&shop.id, 1, now()).await.map(drop)),
        ("query partition", publishers.partitions(&shop.id)[0].erase().await.map(drop)),
        ("list apps", apps.of_owner(&shop.owner).await.map(drop)),
        ("open session", sessions.open(&id, Role::Program, &[], now()).await),
        ("read session", sessions.find(&id).await.map(drop)),
        ("store grant", sessions.store_grant(&id, &grant("shop"), now()).await.map(drop)),
        ("count rejection", sessions.count_rejection(&id, now()).await.map(drop)),
        ("read legacy session", sessions.find_legacy(&id).await.map(drop)),
        ("claim reply", sessions.claim(&id, ReplyKind::Status, now()).await.map(drop)),
        ("store legacy grant", sessions.store_legacy_grant(&id, &grant("shop"), now()).await.map(drop)),
        (
            "store grant of a frame",
            sessions.store_frame_grant(&id, &grant("shop"), None, now()).await.map(drop),
        ),
        ("note check", sessions.note_check(&id, true, now()).await),
        ("claim notice", sessions.claim_notice(&id, Notice::Full, now()).await.map(drop)),
        ("put log entries", env.log_entries().put(&shop.id, &id, &["{}".to_owned()], now()).await),
        ("query log entries", env.log_entries().newest(&shop.id, now(), now()).await.map(drop)),
        ("put command", env.commands().put(&shop.id, &given()).await),
        ("query commands", env.commands().of_app(&shop.id).await.map(drop)),
        ("query publishers", publishers.of_app(&shop.id, now()).await.map(drop)),
        ("note subscription", subscriptions.add(&shop.id, &viewer(&id), now()).await.map(drop)),
        ("query subscriptions", subscriptions.of_app(&shop.id, now()).await.map(drop)),
        ("end subscription", subscriptions.remove(&shop.id, &id, now()).await),
        ("expire subscription", subscriptions.expire(&shop.id, &viewer(&id)).await.map(drop)),
        ("delete subscription", subscriptions.delete(&shop.id, &id).await),
        ("delete gone subscription", subscriptions.delete_gone(&shop.id, &id).await),
        ("end session", sessions.end(&id, now()).await.map(drop)),
        ("close session", sessions.close(&id).await.map(drop)),
        ("put report", reports.store(&report, &shop, 60_000).await),
        ("put legacy report", reports.store_legacy(&report, frame, &shop, 60_000).await.map(drop)),
        ("read source", publishers.source_of(&shop.id, &id).await.map(drop)),
        ("query processes", processes.near(&shop.id, &process.start, now()).await.map(drop)),
        ("add process", processes.add(&shop.id, &process).await.map(drop)),
        ("replace process", processes.replace(&shop.id, &process, &process).await.map(drop)),
        ("remove process", processes.remove(&shop.id, &process).await),
        ("record source", publishers.record_source(&shop.id, &id, reported).await.map(drop)),
        ("query clocks", publishers.wrong_clocks(&shop.id, now()).await.map(drop)),
        ("query recent reports", reports.recent(&shop, now(), now(), 1).await.map(drop)),
        ("query reports", reports.for_each(&shop, span, now(), drop).await),
        ("query the reports of a minute", reports.for_each_in_minute(&shard, minute, drop).await),
        ("read rollup", rollups.find(&shard, minute).await.map(drop)),
        ("query rollups", rollups.between(&shard, minute.resolution(), span, now()).await.map(drop)),
        ("query the rollup before", rollups.newest_before(&shard, minute).await.map(drop)),
        ("put rollup", rollups.put(&shard, &Rollup::empty(minute), vec![1], None).await.map(drop)),
        ("put the last report", rollups.put_last_report(&report).await.map(drop)),
    ]
}

fn given() -> IssuedCommand {
    let command = Command { switch: Switch::Console, enabled: true };
    IssuedCommand { command, user: Subject::new("ann").unwrap(), at: now() }
}

async fn assert_every_fault(env: &TestEnvironment, kind: Kind) {
    for (attempt, outcome) in every_operation(env).await {
        let fault = outcome.unwrap_err();
        assert_eq!((fault.kind, fault.attempt), (kind, attempt), "{}", fault.chain());
    }
}

#[tokio::test]
async fn unreachable_table_is_unavailable_then_recovers() {
    let env = TestEnvironment::start().await;
    env.dynamodb.go_offline();
    assert_every_fault(&env, Kind::Unavailable).await;
    env.dynamodb.go_online();
    for (attempt, outcome) in every_operation(&env).await {
        assert!(outcome.is_ok(), "{attempt}: {outcome:?}");
    }
}

#[tokio::test]
async fn missing_table_is_misconfigured() {
    let mut env = TestEnvironment::start().await;
    env.hide_tables();
    assert_every_fault(&env, Kind::Misconfigured).await;
}

#[tokio::test]
async fn throttled_call_is_retried_up_to_the_limit() {
    let env = TestEnvironment::start().await;
    env.dynamodb.fail("GetItem", Failure::Throttled, ATTEMPTS - 1);
    env.apps().find(&id("shop")).await.unwrap();
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"; ATTEMPTS]);
    env.dynamodb.fail("GetItem", Failure::Throttled, ATTEMPTS);
    let fault = env.apps().find(&id("shop")).await.unwrap_err();
    let chain = fault.chain();
    assert_eq!((fault.kind, env.take_calls().len()), (Kind::Throttled, ATTEMPTS), "{chain}");
    assert!(chain.starts_with("read app: "), "{chain}");
    assert!(chain.contains("ProvisionedThroughputExceededException"), "{chain}");
    assert_eq!(chain.lines().count(), 1, "{chain}");
    env.apps().find(&id("shop")).await.unwrap();
}

#[tokio::test]
async fn broken_call_is_retried() {
    let env = TestEnvironment::start().await;
    for failure in [Failure::InternalError, Failure::ConnectionDropped] {
        env.dynamodb.fail("GetItem", failure, ATTEMPTS - 1);
        env.apps().find(&id("shop")).await.unwrap();
        assert_eq!(env.take_calls().len(), ATTEMPTS, "{failure:?}");
        env.dynamodb.fail("GetItem", failure, ATTEMPTS);
        let fault = env.apps().find(&id("shop")).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Unavailable, "{}", fault.chain());
        env.take_calls();
    }
}

#[tokio::test]
async fn call_times_out_before_the_function() {
    let env = TestEnvironment::start().await;
    let begun = tokio::time::Instant::now();
    env.dynamodb.fail("GetItem", Failure::NoResponse, ATTEMPTS);
    let fault = env.apps().find(&id("shop")).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unavailable);
    // Enough below the functions' own ten seconds to answer the caller.
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn throttled_and_failed_calls_are_counted() {
    let env = TestEnvironment::start().await;
    let counters = env.clients.counters("test");
    let counts = || {
        [Counter::ThrottledReads, Counter::ThrottledWrites, Counter::FailedReads, Counter::FailedWrites]
            .map(|counter| counters.total(counter))
    };
    let read = async || env.apps().find(&id("shop")).await;
    let write = async || env.sessions().open(&connection("a="), Role::Program, &[], now()).await;
    let retried = (ATTEMPTS - 1) as u64;
    env.dynamodb.fail("GetItem", Failure::Throttled, ATTEMPTS - 1);
    env.dynamodb.fail("PutItem", Failure::Throttled, ATTEMPTS - 1);
    read().await.unwrap();
    write().await.unwrap();
    assert_eq!(counts(), [retried, retried, 0, 0], "they succeeded in the end");
    env.dynamodb.fail("GetItem", Failure::Throttled, ATTEMPTS);
    read().await.unwrap_err();
    assert_eq!(counts(), [retried + ATTEMPTS as u64, retried, 1, 0]);
    for failure in [Failure::InternalError, Failure::ConnectionDropped] {
        env.dynamodb.fail("PutItem", failure, ATTEMPTS);
        write().await.unwrap_err();
    }
    env.dynamodb.fail("GetItem", Failure::NoResponse, ATTEMPTS);
    read().await.unwrap_err();
    env.dynamodb.go_offline();
    read().await.unwrap_err();
    assert_eq!(counts()[2..], [3, 2]);
}

#[tokio::test]
async fn false_condition_is_no_failed_call() {
    let (env, shop) = with_shop().await;
    let counters = env.clients.counters("test");
    let gone = env.sessions().store_grant(&connection("a="), &grant("shop"), now()).await.unwrap();
    assert_eq!(gone, nsl_aws::sessions::Updated::Gone);
    assert_eq!(env.apps().create(&shop).await.unwrap(), nsl_aws::apps::Created::AlreadyExists);
    env.dynamodb.fail("TransactWriteItems", Failure::TransactionConflict, 1);
    let _ = env.apps().save(&shop, &App { name: "Renamed".into(), ..shop.clone() }).await;
    assert_eq!(
        [Counter::FailedWrites, Counter::ThrottledWrites].map(|counter| counters.total(counter)),
        [0, 0]
    );
}
