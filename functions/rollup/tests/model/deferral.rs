//! One app delays no other: its late minutes beyond a budget, and what cannot be computed for a while, are computed by
//! later batches.

use std::time::Duration;

use nsl_aws::deadline;
use nsl_domain::late::LATE_MINUTES;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use nsl_test_support::Failure;
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{START_MS, Shop, World, sequence};

/// Times of the tests, as offsets: late enough for two days of late reports.
const NOW: i64 = 3 * DAY_MS;

/// `records` as the stream has them of reports stored at `offset_ms`.
fn created(mut records: Vec<Value>, offset_ms: i64) -> Vec<Value> {
    for record in &mut records {
        record["dynamodb"]["ApproximateCreationDateTime"] = json!((START_MS + offset_ms) as f64 / 1_000.0);
    }
    records
}

impl World {
    /// Stores a report of the present at `offset_ms` and delivers it alone; returns the sequence numbers to retry.
    async fn deliver_one(&self, shop: &mut Shop, offset_ms: i64) -> Vec<String> {
        self.set_clock(offset_ms);
        let report = shop.report(offset_ms - SECOND_MS, "web-1", &json!({ "n": offset_ms }));
        let records = vec![self.store(shop, report).await];
        self.deliver(&created(records, offset_ms)).await
    }

    async fn deferred(&self) -> usize {
        let rows = self.env.rows("RollupsTable").await;
        let minutes = |row: &Value| row["dirty"]["NS"].as_array().map_or(0, Vec::len);
        rows.iter().filter(|row| row["pk"]["S"] == "#deferred").map(minutes).sum()
    }

    /// Replaces the hour of `shop` by one of a newer program, which is not overwritten; returns the row.
    async fn break_hour(&self, shop: &Shop) -> Value {
        let whole = self.rows_in(shop, "1h#0").await.remove(0);
        let mut newer = whole.clone();
        newer["buckets"] = json!({"B": "yAAAAAAAAAA="});
        self.env.put("RollupsTable", newer).await;
        whole
    }
}

#[tokio::test]
async fn backlog_of_one_app_delays_no_other() {
    let (world, mut flood) = World::with_shop(1).await;
    let mut other = world.register_shop(1).await;
    world.set_clock(NOW);
    // More late minutes than one instance of ingest accepts.
    let burst = LATE_MINUTES.burst as usize;
    let late = (0..260).map(|n| NOW - HOUR_MS - n * MINUTE_MS);
    let late = late.map(|ms| flood.report(ms, "web-1", &json!({ "n": ms }))).collect();
    let mut records = world.store_all(&mut flood, late).await;
    let report = other.report(NOW - SECOND_MS, "web-1", &json!({"n": 1}));
    records.push(world.store(&mut other, report).await);
    world.env.take_calls();
    assert!(world.deliver(&created(records, NOW)).await.is_empty(), "nothing is delivered again");
    let lines = world.env.take_lines();
    let puts = lines.iter().filter(|line| *line == "PutItem RollupsTable").count();
    // The budget of the batch and that of deferred minutes, with what is above them.
    assert!((burst..2 * burst * 2).contains(&puts), "{puts} writes");
    assert!((260 - 2 * burst..=260 - burst).contains(&world.deferred().await), "the rest is deferred");
    assert_agrees(&world, &other).await;

    // Batches of the other app compute the rest, sixty a minute.
    let mut minute = 0;
    while world.deferred().await > 0 {
        minute += 1;
        assert!(minute <= 10, "{} are still deferred", world.deferred().await);
        assert!(world.deliver_one(&mut other, NOW + minute * MINUTE_MS).await.is_empty());
    }
    assert_agrees(&world, &flood).await;
    assert_agrees(&world, &other).await;
    assert!(!world.env.rows("RollupsTable").await.iter().any(|row| row["pk"]["S"] == "#deferred"));
}

#[tokio::test]
async fn app_that_fails_delays_others_for_three_minutes() {
    let (world, mut broken) = World::with_shop(1).await;
    let mut other = world.register_shop(1).await;
    assert!(world.deliver_one(&mut broken, NOW + 10 * SECOND_MS).await.is_empty());
    let whole = world.break_hour(&broken).await;
    let due = NOW + 2 * HOUR_MS;
    let report = broken.report(NOW + MINUTE_MS, "web-1", &json!({"n": 2}));
    let mut records = vec![world.store(&mut broken, report).await];
    let report = other.report(due - SECOND_MS, "web-1", &json!({"n": 2}));
    let of_other = world.store(&mut other, report).await;
    records.push(of_other);
    let records = created(records, due);
    for (age_ms, retried) in [(0, true), (3 * MINUTE_MS - 1, true), (3 * MINUTE_MS, false)] {
        world.set_clock(due + age_ms);
        let expected = if retried { vec![sequence(&records[0]).to_owned()] } else { Vec::new() };
        assert_eq!(world.deliver(&records).await, expected, "{age_ms}");
        assert_agrees(&world, &other).await;
    }
    assert_eq!(world.deferred().await, 1);
    // What is deferred fails again, and costs the batches of others nothing but its calls.
    assert!(world.deliver_one(&mut other, due + 5 * MINUTE_MS).await.is_empty());
    assert_eq!(world.deferred().await, 1);
    world.env.put("RollupsTable", whole).await;
    assert!(world.deliver_one(&mut other, due + 7 * MINUTE_MS).await.is_empty());
    assert_eq!(world.deferred().await, 0);
    assert_agrees(&world, &broken).await;
    assert_agrees(&world, &other).await;
}

#[tokio::test]
async fn deferred_minutes_of_a_deleted_app_are_dropped() {
    let (world, mut broken) = World::with_shop(1).await;
    let mut other = world.register_shop(1).await;
    assert!(world.deliver_one(&mut broken, NOW + 10 * SECOND_MS).await.is_empty());
    world.break_hour(&broken).await;
    let report = broken.report(NOW + MINUTE_MS, "web-1", &json!({"n": 2}));
    let records = vec![world.store(&mut broken, report).await];
    world.set_clock(NOW + 2 * HOUR_MS);
    assert!(world.deliver(&created(records, NOW)).await.is_empty());
    assert_eq!(world.deferred().await, 1);
    let app = broken.app.clone();
    assert_eq!(world.env.apps().delete(&app, world.now()).await.unwrap(), nsl_aws::apps::Saved::Done);
    assert!(world.deliver_one(&mut other, NOW + 3 * HOUR_MS).await.is_empty());
    assert_eq!(world.deferred().await, 0);
}

#[tokio::test]
async fn batch_without_deferred_minutes_costs_a_query_a_minute() {
    let (world, mut shop) = World::with_shop(1).await;
    for (offset_ms, queries) in [(0, 1), (30_000, 0), (MINUTE_MS + 1, 1)] {
        let report = shop.report(NOW + offset_ms, "web-1", &json!({ "n": offset_ms }));
        let records = vec![world.store(&mut shop, report).await];
        world.set_clock(NOW + offset_ms);
        world.env.take_calls();
        world.deliver(&created(records, NOW + offset_ms)).await;
        let calls = world.env.take_calls();
        let is_look = |call: &&nsl_test_support::Call| {
            call.operation == "Query" && call.body.to_string().contains("#deferred")
        };
        assert_eq!(calls.iter().filter(is_look).count(), queries, "{offset_ms}");
    }
}

#[tokio::test]
async fn minutes_cut_off_by_the_deadline_are_deferred_before_it() {
    let (world, mut shop) = World::with_shop(1).await;
    world.set_clock(NOW);
    let report = shop.report(NOW - SECOND_MS, "web-1", &json!({"n": 1}));
    let records = created(vec![world.store(&mut shop, report).await], NOW);
    world.set_clock(NOW + 4 * MINUTE_MS);
    world.env.dynamodb.fail("Query", Failure::NoResponse, usize::MAX);
    let left = deadline::within(Duration::from_secs(2), world.deliver(&records)).await;
    assert!(left.is_empty(), "the stream goes on: {left:?}");
    assert_eq!(world.deferred().await, 1);
}
