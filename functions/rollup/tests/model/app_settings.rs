//! An application's own settings: its rollups are kept as long as it sets, and once it sends too much its reports are
//! rejected for a while, exactly once however often the stream repeats a batch.

use nsl_aws::apps::Saved;
use nsl_domain::app::{App, OwnLimits, Status};
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::{HOUR_MS, MINUTE_MS};
use nsl_test_support::Failure;
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{START_MS, Shop, World, at, sequence};

const READ_APP: &str = "GetItem AppsTable consistent";
const LIMIT_APP: &str = "UpdateItem AppsTable";

/// The lowest limit that an application can have: a hundred reports at once, and sixty a minute.
const ALLOWED_IN_A_MINUTE: i64 = 160;

impl World {
    async fn load(&self, shop: &Shop) -> App {
        self.env.apps().find(&shop.app.id).await.unwrap().unwrap()
    }

    /// Until when reports of `shop` are rejected, as an offset.
    async fn limited_until(&self, shop: &Shop) -> Option<i64> {
        self.load(shop).await.limited_until.map(|until| until.ms() - START_MS)
    }

    /// Stores `count` reports within a minute, spread over `sources`, and returns their records.
    async fn store_many(&self, shop: &mut Shop, count: i64, sources: i64) -> Vec<Value> {
        let report = |n: i64| shop.report(n * 200, &format!("web-{}", n % sources), &json!({ "n": n }));
        let reports = (0..count).map(report).collect();
        self.store_all(shop, reports).await
    }

    /// How often the Apps table was read and written since the last take.
    fn calls_of_apps(&self) -> (usize, usize) {
        let lines = self.env.take_lines();
        let count = |call| lines.iter().filter(|line| *line == call).count();
        (count(READ_APP), count(LIMIT_APP))
    }
}

/// An application that may send one report a second and sent so many more in its first minute, which just ended, spread
/// over `sources`; and its records.
async fn limited_shop(shards: u16, surplus: i64, sources: i64) -> (World, Shop, Vec<Value>) {
    let world = World::start().await;
    let mut shop = Shop::unregistered(shards);
    shop.app.limits = OwnLimits { reports: Some(1), ..OwnLimits::default() };
    world.env.register(&shop.app).await;
    let records = world.store_many(&mut shop, ALLOWED_IN_A_MINUTE + surplus, sources).await;
    world.set_clock(MINUTE_MS);
    world.env.take_calls();
    (world, shop, records)
}

#[tokio::test]
async fn rollups_and_last_reports_use_the_apps_retention() {
    let world = World::start().await;
    let mut shop = Shop::unregistered(1);
    shop.app.retention =
        AppRetention { minute: Some(100), ten_minutes: Some(1_000), ..AppRetention::default() };
    world.env.register(&shop.app).await;
    let records = world.store_many(&mut shop, 1, 1).await;
    world.set_clock(MINUTE_MS);
    assert!(world.deliver(&records).await.is_empty());
    for (partition, end_ms, hours, reason) in [
        ("1m#0", MINUTE_MS, 100, "its own"),
        ("10m#0", 10 * MINUTE_MS, 1_000, "its own"),
        ("1h#0", HOUR_MS, 400 * 24, "the default"),
        ("sources", 0, 100, "as long as the minutes"),
    ] {
        let row = world.rows_in(&shop, partition).await.remove(0);
        let expires_at: i64 = row["expiresAt"]["N"].as_str().unwrap().parse().unwrap();
        assert_eq!((expires_at * 1_000 - START_MS - end_ms) / HOUR_MS, hours, "{partition}: {reason}");
    }
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn app_is_read_once_a_minute_written_when_limited() {
    let (world, shop, records) = limited_shop(1, 0, 1).await;
    for reads in [1, 0] {
        world.deliver(&records).await;
        assert_eq!(world.calls_of_apps(), (reads, 0), "as many reports as allowed");
    }
    world.set_clock(2 * MINUTE_MS + 1);
    world.deliver(&records).await;
    assert_eq!(world.calls_of_apps(), (1, 0));
    assert_eq!(world.limited_until(&shop).await, None);
}

#[tokio::test]
async fn repeated_batches_limit_an_app_once() {
    let (world, shop, records) = limited_shop(1, 30, 1).await;
    // No batch alone exceeds the limit; the minute does.
    for (batch, writes) in records.chunks(50).zip([1, 0, 0, 0]) {
        world.deliver(batch).await;
        assert_eq!(world.calls_of_apps().1, writes);
    }
    // Three minutes from the end of the minute, and half a minute for the thirty surplus reports.
    let until = Some(4 * MINUTE_MS + 30_000);
    assert_eq!(world.limited_until(&shop).await, until);
    // The same records once the instance's cache has expired, and once the limit has.
    for at_ms in [3 * MINUTE_MS, HOUR_MS] {
        world.set_clock(at_ms);
        world.deliver(&records).await;
        assert_eq!(world.calls_of_apps().1, 0, "nothing would change");
        assert_eq!(world.limited_until(&shop).await, until);
    }
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn reports_of_all_write_shards_count_together() {
    let (world, shop, records) = limited_shop(2, 20, 8).await;
    let (first, second): (Vec<Value>, Vec<Value>) = records
        .into_iter()
        .partition(|record| record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().ends_with("#0"));
    assert!(first.len() < 160 && second.len() < 160, "no shard alone exceeds the limit");
    world.deliver(&first).await;
    assert_eq!(world.limited_until(&shop).await, None, "the other half is not rolled up yet");
    world.deliver(&second).await;
    assert_eq!(world.limited_until(&shop).await, Some(4 * MINUTE_MS + 20_000));
}

#[tokio::test]
async fn faults_of_the_apps_table_lose_nothing() {
    let (world, shop, records) = limited_shop(1, 1, 1).await;
    world.env.dynamodb.fail("GetItem", Failure::InternalError, 3);
    assert_eq!(world.deliver(&records).await, [sequence(&records[0])], "all are retried");
    assert!(world.env.rows("RollupsTable").await.is_empty(), "no retention is guessed");
    world.env.dynamodb.fail("UpdateItem", Failure::InternalError, 3);
    assert!(world.deliver(&records).await.is_empty());
    assert_agrees(&world, &shop).await;
    assert_eq!(world.limited_until(&shop).await, None);
    assert!(world.deliver(&records).await.is_empty());
    assert_eq!(world.limited_until(&shop).await, Some(4 * MINUTE_MS + 1_000), "the next batch limits it");
}

#[tokio::test]
async fn corrupt_and_deleted_apps_do_not_block_others() {
    let world = World::start().await;
    let (mut corrupt, mut deleted) = (Shop::unregistered(1), Shop::unregistered(1));
    let mut other = world.register_shop(1).await;
    world.env.put("AppsTable", json!({"appId": {"S": corrupt.app.id.as_str()}})).await;
    let mut records = world.store_many(&mut corrupt, 2, 1).await;
    records.extend(world.store_many(&mut deleted, 2, 1).await);
    records.extend(world.store_many(&mut other, 2, 1).await);
    world.set_clock(MINUTE_MS);
    assert!(world.deliver(&records).await.is_empty());
    assert_agrees(&world, &corrupt).await;
    assert_agrees(&world, &other).await;
    assert!(world.rows(&deleted).await.is_empty());
}

#[tokio::test]
async fn inactive_app_is_read_for_each_batch() {
    let world = World::start().await;
    let mut shop = Shop::unregistered(1);
    shop.app.status = Status::Inactive;
    world.env.register(&shop.app).await;
    let records = world.store_many(&mut shop, 2, 1).await;
    world.set_clock(MINUTE_MS);
    world.deliver(&records).await;
    assert_eq!(world.calls_of_apps(), (1, 0));
    let before = world.rows(&shop).await;
    assert!(!before.is_empty(), "reports from before it became inactive count");
    assert_eq!(world.env.apps().delete(&shop.app, world.now()).await.unwrap(), Saved::Done);
    let late = shop.report(10 * MINUTE_MS, "late", &json!({"n": 1}));
    let records = [world.store(&mut shop, late).await];
    world.env.take_calls();
    assert!(world.deliver(&records).await.is_empty());
    assert_eq!(world.env.take_lines(), [READ_APP], "it is read and nothing else happens");
    assert_eq!(world.rows(&shop).await, before);
}

#[tokio::test]
async fn last_report_of_an_earlier_app_is_not_stored() {
    let world = World::start().await;
    let mut shop = Shop::unregistered(1);
    shop.app.created_at = Some(at(2 * MINUTE_MS));
    shop.app.id_free_since = Some(at(2 * MINUTE_MS));
    world.env.register(&shop.app).await;
    world.set_clock(3 * MINUTE_MS);
    for (source, stored_ms) in [("earlier", 2 * MINUTE_MS - 1_000), ("new", 2 * MINUTE_MS), ("unknown", 0)] {
        let report = shop.report(MINUTE_MS, source, &json!({"n": 1}));
        let mut record = world.store(&mut shop, report).await;
        if stored_ms > 0 {
            record["dynamodb"]["ApproximateCreationDateTime"] = json!(at(stored_ms).seconds());
        }
        assert!(world.deliver(&[record]).await.is_empty());
    }
    let last = world.env.rollups().last_reports(&shop.app.id, world.now()).await.unwrap().reports;
    let mut sources: Vec<_> = last.iter().map(|report| report.source.as_str()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["new", "unknown"]);
}

#[tokio::test]
async fn raising_a_limit_ends_the_rejection() {
    let (world, shop, records) = limited_shop(1, 1, 1).await;
    world.deliver(&records).await;
    let limited = world.load(&shop).await;
    assert_eq!(limited.rejected_for_ms(at(4 * MINUTE_MS)), Some(1_000));
    let raised = App { limits: OwnLimits::default(), limited_until: None, ..limited.clone() };
    assert_eq!(world.env.apps().save(&limited, &raised).await.unwrap(), Saved::Done);
    world.set_clock(2 * MINUTE_MS + 1);
    world.deliver(&records).await;
    assert_eq!(world.limited_until(&shop).await, None);
}
