//! Batches of many applications: handled concurrently within a limit, each failing on its own.

use std::time::Duration;

use nsl_domain::time::{HOUR_MS, MINUTE_MS};
use nsl_test_support::{Call, Failure};
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{Shop, World};

/// Write shards that the function handles at a time.
const CONCURRENT_SHARDS: usize = 8;

/// Applications of a batch, more than are handled at a time.
const MANY: usize = 12;

/// Long enough for calls beyond the limit to arrive, if there are any.
const A_MOMENT: Duration = Duration::from_millis(100);

async fn register_many(world: &World) -> Vec<Shop> {
    let mut shops = Vec::new();
    for _ in 0..MANY {
        shops.push(world.register_shop(1).await);
    }
    shops
}

/// Stores two reports of each application, interleaved as in one shard of the stream.
async fn store_interleaved(world: &World, shops: &mut [Shop], offset_ms: i64) -> Vec<Value> {
    let mut records = Vec::new();
    for second in 0..2 {
        for shop in &mut *shops {
            let report = shop.report(offset_ms + second * 1_000, "web-1", &json!({ "n": second }));
            let mut record = world.store(shop, report).await;
            record["dynamodb"]["SequenceNumber"] = json!((records.len() + 100).to_string());
            records.push(record);
        }
    }
    records
}

/// How many reads of rollups have started.
fn rollup_reads(made: &[Call]) -> usize {
    made.iter().filter(|call| call.operation == "GetItem" && call.target == "RollupsTable").count()
}

#[tokio::test]
async fn at_most_eight_write_shards_run_concurrently() {
    let world = World::start().await;
    let mut shops = register_many(&world).await;
    let records = store_interleaved(&world, &mut shops, 0).await;
    assert!(world.deliver(&records).await.is_empty());
    world.env.take_calls();
    // The applications are cached by now: the next call of each reads the span above its minute.
    world.env.dynamodb.fail("GetItem", Failure::NoResponse, MANY);
    let started = async {
        world.env.wait(|made| rollup_reads(made) >= CONCURRENT_SHARDS).await;
        tokio::time::sleep(A_MOMENT).await;
    };
    tokio::select! {
        _ = world.deliver(&records) => panic!("DynamoDB does not respond"),
        () = started => assert_eq!(rollup_reads(&world.env.take_calls()), CONCURRENT_SHARDS),
    }
}

#[tokio::test]
async fn only_records_of_failed_apps_are_retried() {
    let world = World::start().await;
    let mut shops = register_many(&world).await;
    let records = store_interleaved(&world, &mut shops, 0).await;
    assert!(world.deliver(&records).await.is_empty());
    // Version 200 of the encoding: a rollup of a newer program is not overwritten, and its batch fails.
    for index in [9, 4] {
        let mut row = world.rows_in(&shops[index], "1h#0").await.remove(0);
        row["buckets"] = json!({"B": "yAAAAAAAAAA="});
        world.env.put("RollupsTable", row).await;
    }
    world.set_clock(2 * HOUR_MS);
    let records = store_interleaved(&world, &mut shops, 20 * MINUTE_MS).await;
    assert_eq!(world.deliver(&records).await, ["104"], "the first record of the failed apps");
    for (index, shop) in shops.iter().enumerate().filter(|(index, _)| ![9, 4].contains(index)) {
        assert_eq!(assert_agrees(&world, shop).await, 1, "all but the day of {index} is complete");
    }
}

#[tokio::test]
async fn panic_for_one_app_costs_no_other_and_is_quarantined() {
    let world = World::start().await;
    let mut shops = register_many(&world).await;
    let records = store_interleaved(&world, &mut shops, 0).await;
    world.set_clock(2 * MINUTE_MS);
    // The first computation and its repetition.
    world.env.panic_on("Query", &format!("\"{}#2026-11-22T09#0\"", shops[3].app.id), 2);
    assert!(world.deliver(&records).await.is_empty(), "nothing is retried");
    for (index, shop) in shops.iter().enumerate() {
        let quarantined = world.rows_in(shop, "quarantine").await;
        assert_eq!(quarantined.len(), if index == 3 { 2 } else { 0 }, "{index}");
        if index == 3 {
            assert_eq!(quarantined[0]["reason"]["S"], "rolling up the report panicked");
            assert_eq!(quarantined[0]["sk"]["S"], records[3]["dynamodb"]["SequenceNumber"]);
        } else {
            assert_agrees(&world, shop).await;
        }
    }
    // The reports are stored, so a later batch of the minute finds them.
    world.deliver(&records).await;
    assert_agrees(&world, &shops[3]).await;
}

#[tokio::test]
async fn panic_that_does_not_repeat_loses_nothing() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 0..3).await;
    world.set_clock(2 * MINUTE_MS);
    for operation in ["Query", "GetItem", "PutItem"] {
        world.env.panic_on(operation, &format!("{}#", shop.app.id), 1);
        assert!(world.deliver(&records).await.is_empty(), "{operation}");
        assert!(world.rows_in(&shop, "quarantine").await.is_empty(), "{operation}");
    }
    assert_agrees(&world, &shop).await;
}
