//! What becomes of rollups that are damaged, lost, newer than the program, or made of what is gone: by the function's
//! next computation and by a repair.

use nsl_aws::compute::Computed;
use nsl_aws::repair::Repair;
use nsl_domain::resolution::Resolution;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;
use serde_json::{Value, json};

use crate::batches::report_each_second;
use crate::naive::assert_agrees;
use crate::world::{START_MS, Shop, World, event};

/// Bytes of the encoding's version whose check does not agree.
const GARBAGE: &str = "AQAAAAAAAAA=";

/// An application that reported within its first and its fortieth minute, all of it rolled up two hours later.
async fn rolled_up(world: &World) -> Shop {
    let mut shop = world.open(1).await;
    let mut records = report_each_second(world, &mut shop, 0..3).await;
    records.extend(report_each_second(world, &mut shop, 2_400..2_405).await);
    world.set_clock(2 * HOUR_MS);
    assert!(world.deliver(&records).await.failures.is_empty());
    shop
}

/// The rows of one width, by the start of their spans.
async fn rows_of(world: &World, shop: &Shop, width: &str) -> Vec<Value> {
    let pk = format!("{}#{width}#0", shop.app.id);
    let rows = world.env.rows("RollupsTable").await;
    let mut rows: Vec<Value> = rows.into_iter().filter(|row| row["pk"]["S"] == pk.as_str()).collect();
    rows.sort_by_key(|row| row["sk"]["S"].as_str().unwrap().to_owned());
    rows
}

async fn damage(world: &World, mut row: Value, attribute: &str, value: Value) {
    match value {
        Value::Null => drop(row.as_object_mut().unwrap().remove(attribute)),
        value => row[attribute] = value,
    }
    world.env.put("RollupsTable", row).await;
}

async fn forget(world: &World, row: &Value) {
    let key = json!({"pk": row["pk"], "sk": row["sk"]});
    world.env.dynamodb.direct("DeleteItem", "RollupsTable", json!({ "Key": key })).await;
}

/// Repairs the first `span_ms` of the story, and gives what became of how many spans.
async fn repair(world: &World, shop: &Shop, span_ms: i64) -> Vec<Computed> {
    let window = TimeSpan::new(TimestampMs::clamped(START_MS), TimestampMs::clamped(START_MS + span_ms));
    let mut repair = Repair::of(&world.computer, &shop.app, window);
    let mut outcomes = Vec::new();
    while let Some(level) = repair.next_level().await.unwrap() {
        for (shard, span) in &level.spans {
            outcomes.push(world.computer.repair(shard, *span).await.unwrap());
        }
    }
    outcomes
}

fn count(outcomes: &[Computed], outcome: Computed) -> usize {
    outcomes.iter().filter(|one| **one == outcome).count()
}

#[tokio::test]
async fn a_repair_makes_whole_whatever_was_lost() {
    let world = World::start().await;
    let shop = rolled_up(&world).await;
    let right = world.env.rows("RollupsTable").await;
    for lost in ["1m", "10m", "1h", "1d", ""] {
        let of_width = |row: &&Value| row["pk"]["S"].as_str().unwrap().contains(&format!("#{lost}"));
        let buckets = right.iter().filter(|row| row.get("buckets").is_some());
        for row in buckets.filter(of_width) {
            forget(&world, row).await;
        }
        repair(&world, &shop, HOUR_MS).await;
        assert_agrees(&world, &shop).await;
        assert_eq!(world.env.rows("RollupsTable").await.len(), right.len(), "{lost}");
    }
    let outcomes = repair(&world, &shop, HOUR_MS).await;
    // Two minutes, two of ten, the hour, the day.
    assert_eq!(outcomes, [Computed::Unchanged; 6]);
    world.env.take_calls();
    repair(&world, &shop, HOUR_MS).await;
    let lines = world.env.take_lines();
    assert!(lines.iter().all(|line| line.ends_with(" consistent")), "it writes nothing: {lines:#?}");
}

#[tokio::test]
async fn a_repair_of_an_idle_span_stores_nothing() {
    let world = World::start().await;
    let shop = world.open(1).await;
    world.set_clock(2 * HOUR_MS);
    assert_eq!(repair(&world, &shop, 10 * DAY_MS).await, []);
    assert!(world.env.rows("RollupsTable").await.is_empty());
}

#[tokio::test]
async fn a_damaged_row_is_made_whole_whichever_of_its_attributes_is_damaged() {
    let world = World::start().await;
    for (attribute, value) in [
        ("buckets", json!({"B": GARBAGE})),
        ("buckets", json!({"S": "text"})),
        ("buckets", Value::Null),
        ("version", Value::Null),
        ("version", json!({"S": "three"})),
        ("version", json!({"N": "-1"})),
        ("through", json!({"N": "1e30"})),
        ("through", Value::Null),
        ("expiresAt", Value::Null),
    ] {
        let shop = rolled_up(&world).await;
        for width in ["1m", "10m", "1h", "1d"] {
            let row = rows_of(&world, &shop, width).await.remove(0);
            damage(&world, row, attribute, value.clone()).await;
        }
        let outcomes = repair(&world, &shop, HOUR_MS).await;
        assert_eq!(count(&outcomes, Computed::Written), 4, "{attribute}: {outcomes:?}");
        assert_agrees(&world, &shop).await;
        assert!(rows_of(&world, &shop, "1m").await[0]["expiresAt"]["N"].is_string());
    }
}

#[tokio::test]
async fn a_corrupt_rollup_is_computed_anew_and_a_newer_one_is_left_alone() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let records = report_each_second(&world, &mut shop, 0..3).await;
    world.set_clock(HOUR_MS);
    world.deliver(&records).await;
    let rows = world.env.rows("RollupsTable").await;
    let with_width = |width: &str| {
        let pk = format!("{}#{width}#0", shop.app.id);
        rows.iter().find(|row| row["pk"]["S"] == pk).unwrap().clone()
    };
    let (mut minute, mut hour) = (with_width("1m"), with_width("1h"));
    minute["buckets"] = json!({"B": "AQAAAAAAAAA="});
    world.env.put("RollupsTable", minute).await;
    world.set_clock(HOUR_MS + MINUTE_MS);
    let mut late = report_each_second(&world, &mut shop, 60..61).await;
    assert!(world.deliver(&late).await.failures.is_empty());
    assert_agrees(&world, &shop).await;

    // Version 200 of the encoding.
    hour["buckets"] = json!({"B": "yAAAAAAAAAA="});
    world.env.put("RollupsTable", hour.clone()).await;
    late.extend(report_each_second(&world, &mut shop, 120..121).await);
    assert_eq!(world.deliver(&late).await.failures.len(), 1);
    let rows = world.env.rows("RollupsTable").await;
    assert!(rows.contains(&hour), "the newer rollup was overwritten");
}

#[tokio::test]
async fn what_was_counted_does_not_shrink_because_a_part_of_it_is_damaged_and_its_reports_are_gone() {
    let world = World::start().await;
    let shop = rolled_up(&world).await;
    let (tens, minutes) = (rows_of(&world, &shop, "10m").await, rows_of(&world, &shop, "1m").await);
    damage(&world, minutes[0].clone(), "buckets", json!({"B": GARBAGE})).await;
    // Raw reports of that time are gone by now, minutes are still kept.
    world.set_clock(4 * DAY_MS);
    let outcomes = repair(&world, &shop, HOUR_MS).await;
    assert!(count(&outcomes, Computed::TooOld) >= 2, "{outcomes:?}");
    assert_eq!(rows_of(&world, &shop, "10m").await, tens);
    // Where the ten minutes are damaged as well, what is left of them is better than nothing.
    damage(&world, tens[0].clone(), "buckets", json!({"B": GARBAGE})).await;
    repair(&world, &shop, HOUR_MS).await;
    let shard = shop.shards().next().unwrap();
    let left = world.stored(&shard, Resolution::TenMinutes).await;
    let reports: Vec<u64> = left.iter().map(|held| held.rollup().unwrap().reports()).collect();
    assert_eq!(reports, [0, 5]);
}

#[tokio::test]
async fn a_minute_whose_reports_are_partly_gone_stays_as_it_is() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let records = report_each_second(&world, &mut shop, 0..3).await;
    world.deliver(&records).await;
    let before = world.stored(&shop.shards().next().unwrap(), Resolution::Minute).await;
    let gone = shop.reports.remove(0);
    let key = json!({"pk": records[0]["dynamodb"]["Keys"]["pk"], "sk": {"S": gone.id()}});
    world.env.dynamodb.direct("DeleteItem", "ReportsTable", json!({"Key": key})).await;
    world.set_clock(3 * DAY_MS);
    assert!(world.rolling.handle(event(&records)).await.unwrap().failures.is_empty());
    let after = world.stored(&shop.shards().next().unwrap(), Resolution::Minute).await;
    assert_eq!(before[0].bytes, after[0].bytes);
}
