//! Rollups that are corrupt, lost, written by a newer program, or made of expired data: what the function's next
//! computation does with them, and what a repair does.

use nsl_aws::compute::Computed;
use nsl_aws::repair::Repair;
use nsl_domain::resolution::Resolution;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use nsl_domain::time_span::TimeSpan;
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{Shop, World, at};

/// Bytes of version 1 whose check does not match.
const CORRUPT: &str = "AQAAAAAAAAA=";
/// Bytes of version 200.
const NEWER: &str = "yAAAAAAAAAA=";

/// An application with reports in its first and its fortieth minute, rolled up two hours later.
async fn rolled_up_shop(world: &World) -> Shop {
    let mut shop = world.register_shop(1).await;
    let records = world.store_each_second(&mut shop, (0..3).chain(2_400..2_405)).await;
    world.set_clock(2 * HOUR_MS);
    assert!(world.deliver(&records).await.is_empty());
    shop
}

/// Replaces an attribute of a row, or removes it if `value` is null.
async fn overwrite(world: &World, mut row: Value, attribute: &str, value: Value) {
    match value {
        Value::Null => drop(row.as_object_mut().unwrap().remove(attribute)),
        value => row[attribute] = value,
    }
    world.env.put("RollupsTable", row).await;
}

async fn delete(world: &World, table: &str, row: &Value) {
    let key = json!({"pk": row["pk"], "sk": row["sk"]});
    world.env.dynamodb.direct("DeleteItem", table, json!({ "Key": key })).await;
}

/// Repairs the first `span_ms` and returns the outcome of each span.
async fn repair(world: &World, shop: &Shop, span_ms: i64) -> Vec<Computed> {
    let mut repair = Repair::new(&world.computer, &shop.app, TimeSpan::new(at(0), at(span_ms)));
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
async fn a_repair_restores_lost_rollups_of_any_resolution() {
    let world = World::start().await;
    let shop = rolled_up_shop(&world).await;
    let complete = world.rows(&shop).await;
    for lost in ["1m", "10m", "1h", "1d", ""] {
        let is_lost = |row: &&Value| {
            row.get("buckets").is_some() && row["pk"]["S"].as_str().unwrap().contains(&format!("#{lost}"))
        };
        for row in complete.iter().filter(is_lost) {
            delete(&world, "RollupsTable", row).await;
        }
        repair(&world, &shop, HOUR_MS).await;
        assert_agrees(&world, &shop).await;
        assert_eq!(world.rows(&shop).await.len(), complete.len(), "{lost}");
    }
    let outcomes = repair(&world, &shop, HOUR_MS).await;
    // Two minutes, two of ten, the hour, the day.
    assert_eq!(outcomes, [Computed::Unchanged; 6]);
    world.env.take_calls();
    repair(&world, &shop, HOUR_MS).await;
    let lines = world.env.take_lines();
    assert!(lines.iter().all(|line| line.ends_with(" consistent")), "no writes: {lines:#?}");
}

#[tokio::test]
async fn a_repair_of_an_idle_span_stores_nothing() {
    let (world, shop) = World::with_shop(1).await;
    world.set_clock(2 * HOUR_MS);
    assert_eq!(repair(&world, &shop, 10 * DAY_MS).await, []);
    assert!(world.env.rows("RollupsTable").await.is_empty());
}

#[tokio::test]
async fn a_repair_restores_rows_with_any_corrupt_attribute() {
    let world = World::start().await;
    for (attribute, value) in [
        ("buckets", json!({"B": CORRUPT})),
        ("buckets", json!({"S": "text"})),
        ("buckets", Value::Null),
        ("version", Value::Null),
        ("version", json!({"S": "three"})),
        ("version", json!({"N": "-1"})),
        ("through", json!({"N": "1e30"})),
        ("through", Value::Null),
        ("expiresAt", Value::Null),
    ] {
        let shop = rolled_up_shop(&world).await;
        for partition in ["1m#0", "10m#0", "1h#0", "1d#0"] {
            let row = world.rows_in(&shop, partition).await.remove(0);
            overwrite(&world, row, attribute, value.clone()).await;
        }
        let outcomes = repair(&world, &shop, HOUR_MS).await;
        assert_eq!(count(&outcomes, Computed::Written), 4, "{attribute}: {outcomes:?}");
        assert_agrees(&world, &shop).await;
        assert!(world.rows_in(&shop, "1m#0").await[0]["expiresAt"]["N"].is_string());
    }
}

#[tokio::test]
async fn corrupt_rollups_are_recomputed_and_newer_ones_kept() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 0..3).await;
    world.set_clock(HOUR_MS);
    world.deliver(&records).await;
    let minute = world.rows_in(&shop, "1m#0").await.remove(0);
    let mut hour = world.rows_in(&shop, "1h#0").await.remove(0);
    overwrite(&world, minute, "buckets", json!({"B": CORRUPT})).await;
    world.set_clock(HOUR_MS + MINUTE_MS);
    let mut late = world.store_each_second(&mut shop, 60..61).await;
    assert!(world.deliver(&late).await.is_empty());
    assert_agrees(&world, &shop).await;

    hour["buckets"] = json!({"B": NEWER});
    world.env.put("RollupsTable", hour.clone()).await;
    late.extend(world.store_each_second(&mut shop, 120..121).await);
    assert_eq!(world.deliver(&late).await.len(), 1);
    assert!(world.rows(&shop).await.contains(&hour), "the newer rollup was overwritten");
}

#[tokio::test]
async fn unrecoverable_corrupt_part_does_not_shrink_counts() {
    let world = World::start().await;
    let shop = rolled_up_shop(&world).await;
    let (tens, minutes) = (world.rows_in(&shop, "10m#0").await, world.rows_in(&shop, "1m#0").await);
    overwrite(&world, minutes[0].clone(), "buckets", json!({"B": CORRUPT})).await;
    // The raw reports have expired by now, the minutes have not.
    world.set_clock(4 * DAY_MS);
    let outcomes = repair(&world, &shop, HOUR_MS).await;
    assert!(count(&outcomes, Computed::TooOld) >= 2, "{outcomes:?}");
    assert_eq!(world.rows_in(&shop, "10m#0").await, tens);
    // Where the ten minutes are corrupt too, they are recomputed from the minutes that are left.
    overwrite(&world, tens[0].clone(), "buckets", json!({"B": CORRUPT})).await;
    repair(&world, &shop, HOUR_MS).await;
    let left = world.stored(&shop.first_shard(), Resolution::TenMinutes).await;
    let reports: Vec<u64> = left.iter().map(|stored| stored.rollup().unwrap().reports()).collect();
    assert_eq!(reports, [0, 5]);
}

#[tokio::test]
async fn minute_with_expired_reports_is_not_recomputed() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 0..3).await;
    world.deliver(&records).await;
    let before = world.stored(&shop.first_shard(), Resolution::Minute).await;
    delete(&world, "ReportsTable", &records[0]["dynamodb"]["Keys"]).await;
    world.set_clock(3 * DAY_MS);
    assert!(world.deliver(&records).await.is_empty());
    let after = world.stored(&shop.first_shard(), Resolution::Minute).await;
    assert_eq!(before[0].bytes, after[0].bytes);
}
