//! Publishers: a row for each app that a connection may report for, and everything of an app erased.

use std::collections::BTreeSet;

use nsl_aws::publishers::Publisher;
use nsl_aws::sessions::Closed;
use nsl_domain::time::HOUR_MS;
use serde_json::json;

use super::*;

/// More rows than one batch takes.
const MANY_ROWS: usize = 60;

#[tokio::test]
async fn adding_a_publisher_costs_two_writes() {
    let env = TestEnvironment::start().await;
    let publisher = connection("a=");
    let apps = [id("shop"), id("bank")];
    env.sessions().open(&publisher, Role::Program, &apps, now()).await.unwrap();
    env.publishers().add(&apps, &publisher, &proof(), now()).await.unwrap();
    let (put, count) = ("PutItem ConnectionsTable", "UpdateItem ConnectionsTable");
    assert_eq!(env.take_lines(), [put, put, count, put, count]);
    let connected = env.publishers().connected(&id("shop"), now()).await.unwrap();
    assert_eq!(connected, BTreeSet::from([publisher.clone()]));
    assert_eq!(env.take_lines(), ["Query ConnectionsTable consistent"]);
    let Closed { watched, mut published } = env.sessions().close(&publisher).await.unwrap();
    published.sort();
    assert_eq!((watched, published), (vec![], vec![id("bank"), id("shop")]));
    for app in &apps {
        env.publishers().delete(app, &publisher).await.unwrap();
    }
    assert!(env.connection_rows().await.is_empty());
}

#[tokio::test]
async fn in_band_auth_updates_the_session_row() {
    let env = TestEnvironment::start().await;
    let publisher = connection("a=");
    open(&env, &publisher).await;
    env.take_calls();
    for app in ["shop", "bank", "shop"] {
        env.sessions().store_grant(&publisher, &grant(app), now()).await.unwrap();
        assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"]);
    }
    let viewer = Grant { scope: Scope::VIEW, ..grant("cafe") };
    env.sessions().store_grant(&publisher, &viewer, now()).await.unwrap();
    let mut published = env.sessions().close(&publisher).await.unwrap().published;
    published.sort();
    assert_eq!(published, [id("bank"), id("shop")]);
}

#[tokio::test]
async fn connected_lists_each_unexpired_connection_once() {
    let env = TestEnvironment::start().await;
    let both = connection("a=");
    open(&env, &both).await;
    env.publishers().add(&[id("shop")], &both, &proof(), now()).await.unwrap();
    env.subscriptions().add(&id("shop"), &viewer(&both), now()).await.unwrap();
    env.publishers().add(&[id("shop"), id("shopper")], &connection("b="), &proof(), now()).await.unwrap();
    env.put(
        "ConnectionsTable",
        json!({"pk": {"S": "app#shop"}, "sk": {"S": "q#c="}, "expiresAt": {"N": "9999999999"}}),
    )
    .await;
    let connected = async |at| env.publishers().connected(&id("shop"), at).await.unwrap();
    assert_eq!(connected(now()).await, BTreeSet::from([both, connection("b=")]));
    assert_eq!(connected(now().plus_ms(3 * HOUR_MS)).await, BTreeSet::new());
    let subscribers = env.subscriptions().of_app(&id("shop"), now()).await.unwrap();
    assert_eq!(subscribers.len(), 1, "a publisher watches nothing");
    let publisher = |name| Publisher { connection: connection(name), proof: proof() };
    let publishers = env.publishers().of_app(&id("shop"), now()).await.unwrap();
    assert_eq!(publishers, [publisher("a="), publisher("b=")]);
}

#[tokio::test]
async fn publisher_row_of_an_overtaken_auth_is_not_stored() {
    let env = TestEnvironment::start().await;
    let proofs = ["older", "newer"].map(|key| {
        let proof = Proof::Key(KeyRecord::of(key, Scope::BOTH).id);
        Grant { proof, ..grant("shop") }.stored_proof()
    });
    for (proof, ms) in proofs.iter().zip([0, 1]).rev() {
        let at = now().plus_ms(ms);
        env.publishers().add(&[id("shop")], &connection("a="), proof, at).await.unwrap();
    }
    let found = env.publishers().of_app(&id("shop"), now()).await.unwrap();
    assert_eq!(found.into_iter().map(|publisher| publisher.proof).collect::<Vec<_>>(), proofs[1..]);
}

#[tokio::test]
async fn gone_publisher_is_deleted_unless_in_its_handshake() {
    let env = TestEnvironment::start().await;
    let (shop, publisher) = (id("shop"), connection("a="));
    env.publishers().add(std::slice::from_ref(&shop), &publisher, &proof(), now()).await.unwrap();
    env.take_calls();
    for (ms, left, calls) in [(29_000, 1, 1), (30_000, 0, 2), (30_000, 0, 1)] {
        env.publishers().delete_gone(&shop, &publisher, now().plus_ms(ms)).await.unwrap();
        assert_eq!(env.take_lines().len(), calls, "counted off where it is deleted");
        assert_eq!(env.connection_rows().await.len(), left, "after {ms} ms");
    }
}

#[tokio::test]
async fn erasing_a_partition_leaves_the_others() {
    let env = TestEnvironment::start().await;
    for index in 0..MANY_ROWS {
        let publisher = connection(&format!("{index}="));
        env.publishers().add(&[id("shop"), id("bank")], &publisher, &proof(), now()).await.unwrap();
    }
    env.take_calls();
    let erased = env.publishers().partitions(&id("shop"))[0].erase().await.unwrap();
    assert_eq!(erased, MANY_ROWS as u64);
    let lines = env.take_lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("BatchWriteItem")).count(), 3, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("Query")).count(), 1, "{lines:?}");
    assert_eq!(env.connection_rows().await.len(), MANY_ROWS);
}

#[tokio::test]
async fn every_report_of_an_app_lies_in_its_partitions() {
    let env = TestEnvironment::start().await;
    let shop = App { shards: 3, ..app("shop") };
    let hour = |ago: i64| now().plus_ms(-ago * HOUR_MS);
    for app in [&shop, &App { id: id("bank"), ..shop.clone() }] {
        for (index, stamp) in
            [hour(0), hour(1), hour(47), hour(719), now().plus_ms(299_000)].into_iter().enumerate()
        {
            let report = report_of(&format!("web-{index}"), 0, "{}");
            let report = Report { app: app.id.clone(), timestamp: stamp, ..report };
            env.reports().store(&report, app, 720 * HOUR_MS).await.unwrap();
        }
    }
    let partitions = env.reports().partitions(&shop, now());
    assert_eq!(partitions.len(), 745 * 3);
    env.take_calls();
    let mut erased = 0;
    for partition in &partitions {
        erased += partition.erase().await.unwrap();
    }
    assert_eq!(erased, 5);
    assert_eq!(env.rows("ReportsTable").await.len(), 5, "another app's reports stay");
}

#[tokio::test]
async fn room_counts_publishers_and_subscriptions() {
    let env = TestEnvironment::start().await;
    let shop = id("shop");
    for index in 0..3 {
        let publisher = connection(&format!("{index}="));
        env.publishers().add(std::slice::from_ref(&shop), &publisher, &proof(), now()).await.unwrap();
    }
    let watcher = connection("w=");
    open(&env, &watcher).await;
    env.subscriptions().add(&shop, &viewer(&watcher), now()).await.unwrap();
    let has_room = async |most, at| env.publishers().has_connection_room(&shop, most, at).await.unwrap();
    assert_eq!([has_room(4, now()).await, has_room(5, now()).await], [false, true]);
    env.take_calls();
    let may_watch = async |who: &ConnectionId, most| {
        env.publishers().has_subscription_room(&shop, who, most, now()).await.unwrap()
    };
    assert!(may_watch(&connection("x="), 2).await);
    assert_eq!(env.take_lines(), ["GetItem ConnectionsTable consistent"]);
    assert_eq!([may_watch(&connection("x="), 1).await, may_watch(&watcher, 1).await], [false, true]);
    assert_eq!(env.take_lines(), ["GetItem ConnectionsTable consistent"; 4], "the count, and the own row");
    // Rows past their age are still there, and take no room.
    assert!(has_room(4, now().plus_ms(3 * HOUR_MS)).await);
    assert!(env.publishers().has_connection_room(&id("bank"), 1, now()).await.unwrap());
}
