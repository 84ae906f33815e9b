//! What an application sets of its own: its rollups live as long as it says, and one that sent more than it may is
//! refused for a while, once, whatever the stream does.

use nsl_aws::apps::Saved;
use nsl_domain::app::{App, OwnLimits, Status};
use nsl_domain::report::Report;
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_test_support::Failure;
use serde_json::{Value, json};

use crate::naive::assert_agrees;
use crate::world::{START_MS, Shop, World};

const READ_APP: &str = "GetItem AppsTable consistent";
const LIMIT_APP: &str = "UpdateItem AppsTable";

/// The least that an application may be given: a hundred reports at once, and sixty a minute.
const ALLOWED_IN_A_MINUTE: i64 = 160;

impl World {
    async fn registered(&self, app: &App) -> App {
        self.env.apps().find(&app.id).await.unwrap().unwrap()
    }

    /// How many rows of rollups and last reports there are of `shop`.
    async fn rows_of(&self, shop: &Shop) -> usize {
        let prefix = format!("{}#", shop.app.id);
        let rows = self.env.rows("RollupsTable").await;
        rows.iter().filter(|row| row["pk"]["S"].as_str().unwrap().starts_with(&prefix)).count()
    }

    async fn limited_until(&self, shop: &Shop) -> Option<i64> {
        self.registered(&shop.app).await.limited_until.map(|until| until.ms() - START_MS)
    }
}

/// Stores `count` reports of one second each, spread over `sources`, and gives their records.
async fn report(world: &World, shop: &mut Shop, count: i64, sources: i64) -> Vec<Value> {
    let mut records = Vec::new();
    for n in 0..count {
        let source = format!("web-{}", n % sources);
        let report = shop.report(n * 200, &source, &json!({ "n": n }));
        records.push(world.store(shop, report).await);
    }
    records
}

/// How often each call of the Apps table was made since the last look.
fn calls_of_apps(world: &World) -> (usize, usize) {
    let lines = world.env.take_lines();
    let count = |call| lines.iter().filter(|line| *line == call).count();
    (count(READ_APP), count(LIMIT_APP))
}

/// A report of another minute and source.
fn late_report(shop: &Shop) -> Report {
    shop.report(10 * MINUTE_MS, "late", &json!({"n": 1}))
}

fn held_to_one_a_second(shards: u16) -> Shop {
    let mut shop = Shop::open(shards);
    shop.app.limits = OwnLimits { reports: Some(1), ..OwnLimits::default() };
    shop
}

#[tokio::test]
async fn rollups_and_last_reports_live_as_long_as_their_app_says() {
    let world = World::start().await;
    let mut shop = Shop::open(1);
    shop.app.retention =
        AppRetention { minute: Some(100), ten_minutes: Some(1_000), ..AppRetention::default() };
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, 1, 1).await;
    world.set_clock(MINUTE_MS);
    assert!(world.deliver(&records).await.failures.is_empty());
    let rows = world.env.rows("RollupsTable").await;
    let kept_hours = |pk: &str, from_ms: i64| {
        let row = rows.iter().find(|row| row["pk"]["S"] == format!("{}#{pk}", shop.app.id)).unwrap();
        let expires_at: i64 = row["expiresAt"]["N"].as_str().unwrap().parse().unwrap();
        (expires_at * 1_000 - START_MS - from_ms) / HOUR_MS
    };
    assert_eq!(kept_hours("1m#0", MINUTE_MS), 100);
    assert_eq!(kept_hours("10m#0", 10 * MINUTE_MS), 1_000);
    assert_eq!(kept_hours("1h#0", HOUR_MS), 400 * 24, "by default");
    assert_eq!(kept_hours("sources", 0), 100, "as long as the minutes");
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn an_app_is_read_once_a_minute_and_only_limited_when_it_sends_too_much() {
    let world = World::start().await;
    let mut shop = held_to_one_a_second(1);
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, ALLOWED_IN_A_MINUTE, 1).await;
    world.set_clock(MINUTE_MS);
    world.env.take_calls();
    for reads in [1, 0] {
        world.deliver(&records).await;
        assert_eq!(calls_of_apps(&world), (reads, 0), "as many as its buckets let through");
    }
    world.set_clock(2 * MINUTE_MS + 1);
    world.deliver(&records).await;
    assert_eq!(calls_of_apps(&world), (1, 0));
    assert_eq!(world.limited_until(&shop).await, None);
}

#[tokio::test]
async fn an_app_that_sent_too_much_is_refused_once_whatever_the_stream_repeats() {
    let world = World::start().await;
    let mut shop = held_to_one_a_second(1);
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, ALLOWED_IN_A_MINUTE + 30, 1).await;
    world.set_clock(MINUTE_MS);
    world.env.take_calls();
    // No batch holds too many; the minute does.
    for (batch, writes) in records.chunks(50).zip([1, 0, 0, 0]) {
        world.deliver(batch).await;
        assert_eq!(calls_of_apps(&world).1, writes);
    }
    // Three minutes from the end of the minute, and the half minute in which the excess is worked off.
    let until = Some(4 * MINUTE_MS + 30_000);
    assert_eq!(world.limited_until(&shop).await, until);
    // The same again, when what this instance believed is forgotten, and when it is over.
    for at_ms in [3 * MINUTE_MS, HOUR_MS] {
        world.set_clock(at_ms);
        world.deliver(&records).await;
        assert_eq!(calls_of_apps(&world).1, 0, "nothing would change");
        assert_eq!(world.limited_until(&shop).await, until);
    }
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn what_several_shards_take_is_counted_together() {
    let world = World::start().await;
    let mut shop = held_to_one_a_second(2);
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, ALLOWED_IN_A_MINUTE + 20, 8).await;
    let (first, second): (Vec<Value>, Vec<Value>) = records
        .into_iter()
        .partition(|record| record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().ends_with("#0"));
    assert!(first.len() < 160 && second.len() < 160, "no shard alone is too much");
    world.set_clock(MINUTE_MS);
    world.deliver(&first).await;
    assert_eq!(world.limited_until(&shop).await, None, "the other half is not rolled up yet");
    world.deliver(&second).await;
    assert_eq!(world.limited_until(&shop).await, Some(4 * MINUTE_MS + 20_000));
}

#[tokio::test]
async fn an_app_that_cannot_be_read_loses_nothing_and_one_that_cannot_be_limited_neither() {
    let world = World::start().await;
    let mut shop = held_to_one_a_second(1);
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, ALLOWED_IN_A_MINUTE + 1, 1).await;
    world.set_clock(MINUTE_MS);
    world.env.dynamodb.fail("GetItem", Failure::InternalError, 3);
    let answer = world.deliver(&records).await;
    let returned: Vec<_> = answer.failures.iter().map(|item| item.sequence.as_str()).collect();
    assert_eq!(returned, [records[0]["dynamodb"]["SequenceNumber"].as_str().unwrap()], "all come again");
    assert!(world.env.rows("RollupsTable").await.is_empty(), "nothing is kept by a guess");
    world.env.dynamodb.fail("UpdateItem", Failure::InternalError, 3);
    assert!(world.deliver(&records).await.failures.is_empty());
    assert_agrees(&world, &shop).await;
    assert_eq!(world.limited_until(&shop).await, None);
    assert!(world.deliver(&records).await.failures.is_empty());
    assert_eq!(world.limited_until(&shop).await, Some(4 * MINUTE_MS + 1_000), "the next batch tells again");
}

#[tokio::test]
async fn a_damaged_app_and_one_that_is_gone_hold_up_nobody() {
    let world = World::start().await;
    let (mut damaged, mut gone, mut other) = (Shop::open(1), Shop::open(1), world.open(1).await);
    world.env.put("AppsTable", json!({"appId": {"S": damaged.app.id.as_str()}})).await;
    let mut records = report(&world, &mut damaged, 2, 1).await;
    records.extend(report(&world, &mut gone, 2, 1).await);
    records.extend(report(&world, &mut other, 2, 1).await);
    world.set_clock(MINUTE_MS);
    assert!(world.deliver(&records).await.failures.is_empty());
    assert_agrees(&world, &damaged).await;
    assert_agrees(&world, &other).await;
    assert_eq!(world.rows_of(&gone).await, 0);
}

#[tokio::test]
async fn a_deleted_apps_last_records_leave_nothing_to_the_next_owner_of_its_id() {
    let world = World::start().await;
    let mut shop = world.open(2).await;
    let records = report(&world, &mut shop, 4, 4).await;
    let off = App { status: Status::Inactive, ..shop.app.clone() };
    assert_eq!(world.env.apps().save(&shop.app, &off).await.unwrap(), Saved::Done);
    assert_eq!(world.env.apps().delete(&off).await.unwrap(), Saved::Done);
    world.set_clock(MINUTE_MS);
    assert!(world.deliver(&records).await.failures.is_empty(), "nothing comes again");
    assert_eq!(world.rows_of(&shop).await, 0);
}

#[tokio::test]
async fn an_app_that_is_switched_off_is_not_believed_to_be_there_a_moment_longer() {
    let world = World::start().await;
    let mut shop = Shop::open(1);
    shop.app.status = Status::Inactive;
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, 2, 1).await;
    world.set_clock(MINUTE_MS);
    world.deliver(&records).await;
    assert_eq!(calls_of_apps(&world), (1, 0));
    let before = world.rows_of(&shop).await;
    assert!(before > 0, "what it reported before it was switched off counts");
    assert_eq!(world.env.apps().delete(&shop.app).await.unwrap(), Saved::Done);
    let late = late_report(&shop);
    let records = [world.store(&mut shop, late).await];
    world.env.take_calls();
    assert!(world.deliver(&records).await.failures.is_empty());
    assert_eq!(world.env.take_lines(), [READ_APP], "it is asked for and nothing else is done");
    assert_eq!(world.rows_of(&shop).await, before);
}

#[tokio::test]
async fn a_limit_that_an_operator_raised_ends_with_the_next_look() {
    let world = World::start().await;
    let mut shop = held_to_one_a_second(1);
    world.env.register(&shop.app).await;
    let records = report(&world, &mut shop, ALLOWED_IN_A_MINUTE + 1, 1).await;
    world.set_clock(MINUTE_MS);
    world.deliver(&records).await;
    let limited = world.registered(&shop.app).await;
    assert_eq!(limited.refused_for_ms(TimestampMs::clamped(START_MS + 4 * MINUTE_MS)), Some(1_000));
    let raised = App { limits: OwnLimits::default(), limited_until: None, ..limited.clone() };
    assert_eq!(world.env.apps().save(&limited, &raised).await.unwrap(), Saved::Done);
    world.set_clock(2 * MINUTE_MS + 1);
    world.deliver(&records).await;
    assert_eq!(world.limited_until(&shop).await, None);
}
