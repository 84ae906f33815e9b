//! The count of an app's connections: its calls, and when it is recounted.

use nsl_aws::connection_counts::{RECOUNT_AFTER_MS, RECOUNT_EVERY_MS};
use nsl_domain::time::{HOUR_MS, SECOND_MS};
use nsl_test_support::Failure;
use serde_json::json;

use super::*;

const READ: &str = "GetItem ConnectionsTable consistent";
const PUT: &str = "PutItem ConnectionsTable";
const DELETE: &str = "DeleteItem ConnectionsTable";
const UPDATE: &str = "UpdateItem ConnectionsTable";
const QUERY: &str = "Query ConnectionsTable consistent";
/// The read, the claim, the publishers, the subscriptions, the correction.
const RECOUNT: [&str; 5] = [READ, UPDATE, QUERY, QUERY, UPDATE];

/// Handshakes at once.
const CROWD: usize = 200;

/// Whether `shop` has fewer than `most` connections, `ms` after the present.
async fn has_room(env: &TestEnvironment, most: u32, ms: i64) -> bool {
    env.publishers().has_connection_room(&id("shop"), most, now().plus_ms(ms)).await.unwrap()
}

async fn publish(env: &TestEnvironment, name: &str) {
    env.publishers().add(&[id("shop")], &connection(name), &proof(), now()).await.unwrap();
}

/// A row that is not counted, as a function leaves it that ends before its next write.
async fn put_uncounted(env: &TestEnvironment, name: &str, expires_at: i64) {
    let row = json!({"pk": {"S": "app#shop"}, "sk": {"S": format!("p#{name}")},
        "expiresAt": {"N": expires_at.to_string()}});
    env.put("ConnectionsTable", row).await;
}

async fn delete_uncounted(env: &TestEnvironment, name: &str) {
    let key = json!({"pk": {"S": "app#shop"}, "sk": {"S": format!("p#{name}")}});
    env.dynamodb.direct("DeleteItem", "ConnectionsTable", json!({ "Key": key })).await;
}

/// An app whose count was made at the present.
async fn counted() -> TestEnvironment {
    let env = TestEnvironment::start().await;
    assert!(has_room(&env, 1, 0).await);
    env.forget_calls();
    env
}

#[tokio::test]
async fn rows_of_an_earlier_version_are_counted_first() {
    let env = TestEnvironment::start().await;
    let long = now().plus_ms(HOUR_MS).seconds();
    for (name, expires_at) in [("a=", long), ("b=", long), ("c=", now().seconds())] {
        put_uncounted(&env, name, expires_at).await;
    }
    assert!(has_room(&env, 3, 0).await, "the third is expired");
    assert_eq!(env.take_lines(), RECOUNT);
    assert_eq!([has_room(&env, 2, 0).await, has_room(&env, 3, 0).await], [false, true]);
    assert_eq!(env.take_lines(), [READ; 2]);
}

#[tokio::test]
async fn each_row_is_counted_once_and_off_once() {
    let env = counted().await;
    let watcher = connection("w=");
    open(&env, &watcher).await;
    env.take_calls();
    for calls in [&[PUT, UPDATE][..], &[PUT]] {
        publish(&env, "a=").await;
        assert_eq!(env.take_lines(), calls);
    }
    for calls in [&[UPDATE, PUT, UPDATE][..], &[UPDATE, PUT]] {
        env.subscriptions().add(&id("shop"), &viewer(&watcher), now()).await.unwrap();
        assert_eq!(env.take_lines(), calls);
    }
    assert_eq!([has_room(&env, 2, 0).await, has_room(&env, 3, 0).await], [false, true]);
    env.take_calls();
    for calls in [&[DELETE, UPDATE][..], &[DELETE]] {
        env.publishers().delete(&id("shop"), &connection("a=")).await.unwrap();
        assert_eq!(env.take_lines(), calls);
        env.subscriptions().delete(&id("shop"), &watcher).await.unwrap();
        assert_eq!(env.take_lines(), calls);
    }
    assert!(has_room(&env, 1, 0).await);
}

#[tokio::test]
async fn every_kind_of_deletion_counts_off() {
    let env = counted().await;
    let (shop, watcher) = (id("shop"), connection("w="));
    open(&env, &watcher).await;
    let late = now().plus_ms(30 * SECOND_MS);
    for kind in 0..4 {
        env.subscriptions().add(&shop, &viewer(&watcher), now()).await.unwrap();
        publish(&env, "a=").await;
        env.publishers().delete_gone(&shop, &connection("a="), now()).await.unwrap();
        assert!(!has_room(&env, 2, 0).await, "a publisher in its handshake stays");
        env.publishers().delete_gone(&shop, &connection("a="), late).await.unwrap();
        assert_eq!([has_room(&env, 1, 0).await, has_room(&env, 2, 0).await], [false, true]);
        let subscriptions = env.subscriptions();
        match kind {
            0 => subscriptions.delete(&shop, &watcher).await.unwrap(),
            1 => subscriptions.delete_gone(&shop, &watcher).await.unwrap(),
            2 => subscriptions.remove(&shop, &watcher, now()).await.unwrap(),
            _ => assert!(subscriptions.expire(&shop, &viewer(&watcher)).await.unwrap()),
        }
        assert!(has_room(&env, 1, 0).await, "{kind}");
    }
}

#[tokio::test]
async fn place_is_free_at_once_when_a_connection_ends() {
    let env = counted().await;
    publish(&env, "a=").await;
    for name in ["b=", "c=", "d="] {
        publish(&env, name).await;
        assert!(!has_room(&env, 2, 0).await);
        env.publishers().delete(&id("shop"), &connection(name)).await.unwrap();
        assert!(has_room(&env, 2, 0).await);
    }
}

#[tokio::test]
async fn full_app_is_recounted_once_in_ten_seconds() {
    let env = counted().await;
    for name in ["a=", "b="] {
        publish(&env, name).await;
    }
    delete_uncounted(&env, "a=").await;
    env.take_calls();
    for ms in [0, RECOUNT_EVERY_MS - 1] {
        assert!(!has_room(&env, 2, ms).await);
        assert_eq!(env.take_lines(), [READ]);
    }
    assert!(has_room(&env, 2, RECOUNT_EVERY_MS).await, "the place of the lost one is seen");
    assert_eq!(env.take_lines(), RECOUNT);
    assert!(!has_room(&env, 1, 2 * RECOUNT_EVERY_MS - 1).await);
    assert_eq!(env.take_lines(), [READ]);
}

#[tokio::test]
async fn old_count_is_recounted() {
    let env = counted().await;
    put_uncounted(&env, "a=", now().plus_ms(HOUR_MS).seconds()).await;
    assert!(has_room(&env, 1, RECOUNT_AFTER_MS - 1).await, "it is not counted yet");
    assert_eq!(env.take_lines(), [READ]);
    assert!(!has_room(&env, 1, RECOUNT_AFTER_MS).await);
    assert_eq!(env.take_lines(), RECOUNT);
}

#[tokio::test]
async fn one_of_many_handshakes_recounts() {
    let env = TestEnvironment::start().await;
    put_uncounted(&env, "a=", now().plus_ms(HOUR_MS).seconds()).await;
    for ms in [0, RECOUNT_AFTER_MS] {
        let handshakes = (0..CROWD).map(|_| has_room(&env, 2, ms));
        let admitted = futures_util::future::join_all(handshakes).await;
        assert!(admitted.into_iter().all(|admitted| admitted));
        let queries = env.take_lines().into_iter().filter(|line| line == QUERY).count();
        assert_eq!(queries, 2, "after {ms} ms");
    }
}

#[tokio::test]
async fn handshake_of_a_full_app_waits_for_the_recount_of_another() {
    let env = counted().await;
    publish(&env, "a=").await;
    delete_uncounted(&env, "a=").await;
    env.take_calls();
    let held = env.dynamodb.hold("Query");
    let calls = |operation: &'static str, least: usize| {
        env.wait(move |calls| calls.iter().filter(|call| call.operation == operation).count() >= least)
    };
    let other = async {
        calls("Query", 2).await;
        let waiting = has_room(&env, 1, RECOUNT_EVERY_MS);
        let release = async {
            calls("GetItem", 2).await;
            drop(held);
        };
        futures_util::join!(waiting, release).0
    };
    assert_eq!(futures_util::join!(has_room(&env, 1, RECOUNT_EVERY_MS), other), (true, true));
}

#[tokio::test]
async fn recount_keeps_what_is_written_meanwhile() {
    let env = TestEnvironment::start().await;
    for name in ["a=", "b="] {
        publish(&env, name).await;
    }
    env.take_calls();
    let held = env.dynamodb.hold("UpdateItem");
    let recount = has_room(&env, 9, 0);
    let meanwhile = async {
        // Claimed; the rows are counted after this.
        env.wait(|calls| calls.iter().any(|call| call.operation == "UpdateItem")).await;
        drop(held);
        env.wait(|calls| calls.iter().any(|call| call.operation == "Query")).await;
    };
    assert!(futures_util::join!(recount, meanwhile).0);
    let held = env.dynamodb.hold("Query");
    let recount = has_room(&env, 9, RECOUNT_AFTER_MS);
    let meanwhile = async {
        env.wait(|calls| calls.iter().filter(|call| call.operation == "Query").count() > 2).await;
        publish(&env, "c=").await;
        drop(held);
    };
    assert!(futures_util::join!(recount, meanwhile).0);
    let ms = RECOUNT_AFTER_MS;
    assert!(!has_room(&env, 4, ms).await, "the new one is counted twice, which is full and not above");
    assert!(!has_room(&env, 3, ms + RECOUNT_EVERY_MS).await);
    assert!(has_room(&env, 4, ms + RECOUNT_EVERY_MS).await, "until the next recount");
}

#[tokio::test]
async fn negative_count_is_recounted() {
    let env = counted().await;
    publish(&env, "a=").await;
    let count = json!({"pk": {"S": "count#shop"}, "sk": {"S": "connections"}, "publishers": {"N": "-1"},
        "countedAt": {"N": NOW_MS.to_string()}});
    env.put("ConnectionsTable", count).await;
    env.take_calls();
    assert!(!has_room(&env, 1, 0).await);
    assert_eq!(env.take_lines(), RECOUNT);
}

#[tokio::test]
async fn unreadable_count_refuses_no_connection() {
    let env = counted().await;
    let count = json!({"pk": {"S": "count#shop"}, "sk": {"S": "connections"}, "publishers": {"S": "many"},
        "countedAt": {"S": "soon"}, "claimedAt": {"S": "later"}});
    env.put("ConnectionsTable", count).await;
    publish(&env, "a=").await;
    assert!(has_room(&env, 1, 0).await);
}

#[tokio::test]
async fn failed_count_costs_no_connection() {
    let env = counted().await;
    env.dynamodb.fail("UpdateItem", Failure::Throttled, 2 * nsl_aws::retries::MAX_ATTEMPTS as usize);
    publish(&env, "a=").await;
    env.publishers().delete(&id("shop"), &connection("a=")).await.unwrap();
    env.dynamodb.fail("Query", Failure::InternalError, 2 * nsl_aws::retries::MAX_ATTEMPTS as usize);
    assert!(has_room(&env, 1, RECOUNT_AFTER_MS).await, "the old count is used");
}

#[tokio::test]
async fn late_end_makes_no_count_of_a_deleted_app() {
    let env = counted().await;
    publish(&env, "a=").await;
    let [connections, count, processes] = env.publishers().partitions(&id("shop"));
    for (partition, rows) in [(connections, 1), (count, 1), (processes, 0)] {
        assert_eq!(partition.erase().await.unwrap(), rows);
    }
    put_uncounted(&env, "a=", now().seconds()).await;
    env.publishers().delete(&id("shop"), &connection("a=")).await.unwrap();
    assert!(env.rows("ConnectionsTable").await.is_empty());
}
