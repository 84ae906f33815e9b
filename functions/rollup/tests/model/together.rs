//! Batches of many applications: these are dealt with side by side within a bound, and each fails by itself.

use std::time::Duration;

use nsl_domain::time::{HOUR_MS, MINUTE_MS};
use nsl_test_support::{Call, Failure};
use serde_json::{Value, json};

use crate::naive::assert_agrees;
use crate::world::{Shop, World};

/// App-shards that the function deals with at a time.
const AT_A_TIME: usize = 8;

/// Applications of a batch, more than are dealt with at a time.
const MANY: usize = 12;

/// Long enough for calls beyond the bound to be seen, where there are any.
const A_MOMENT: Duration = Duration::from_millis(100);

async fn open_many(world: &World) -> Vec<Shop> {
    let mut shops = Vec::new();
    for _ in 0..MANY {
        shops.push(world.open(1).await);
    }
    shops
}

/// Two reports of each application, those of all in turn, as one shard of the stream holds them.
async fn report_in_turn(world: &World, shops: &mut [Shop], offset_ms: i64) -> Vec<Value> {
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

/// How many rollups are being read.
fn being_read(made: &[Call]) -> usize {
    made.iter().filter(|call| call.operation == "GetItem" && call.target == "RollupsTable").count()
}

#[tokio::test]
async fn app_shards_are_dealt_with_side_by_side_and_a_few_at_a_time() {
    let world = World::start().await;
    let mut shops = open_many(&world).await;
    let records = report_in_turn(&world, &mut shops, 0).await;
    assert!(world.deliver(&records).await.failures.is_empty());
    world.env.take_calls();
    // The applications are known by now: the next call of each is that which looks at what is above its minute.
    world.env.dynamodb.fail("GetItem", Failure::NoResponse, MANY);
    let begun = async {
        world.env.wait(|made| being_read(made) >= AT_A_TIME).await;
        tokio::time::sleep(A_MOMENT).await;
    };
    tokio::select! {
        _ = world.deliver(&records) => panic!("nothing was answered"),
        () = begun => assert_eq!(being_read(&world.env.take_calls()), AT_A_TIME),
    }
}

#[tokio::test]
async fn of_many_applications_at_once_only_those_that_failed_come_again() {
    let world = World::start().await;
    let mut shops = open_many(&world).await;
    let records = report_in_turn(&world, &mut shops, 0).await;
    assert!(world.deliver(&records).await.failures.is_empty());
    // Version 200 of the encoding: what a newer program wrote is left alone, and its batch fails.
    let rows = world.env.rows("RollupsTable").await;
    for place in [9, 4] {
        let hour = format!("{}#1h#0", shops[place].app.id);
        let mut row = rows.iter().find(|row| row["pk"]["S"] == hour.as_str()).unwrap().clone();
        row["buckets"] = json!({"B": "yAAAAAAAAAA="});
        world.env.put("RollupsTable", row).await;
    }
    world.set_clock(2 * HOUR_MS);
    let records = report_in_turn(&world, &mut shops, 20 * MINUTE_MS).await;
    let answer = world.deliver(&records).await;
    let returned: Vec<_> = answer.failures.iter().map(|item| item.sequence.as_str()).collect();
    assert_eq!(returned, ["104"], "the first record of those that failed");
    for (place, shop) in shops.iter().enumerate().filter(|(place, _)| ![9, 4].contains(place)) {
        assert_eq!(assert_agrees(&world, shop).await, 1, "all but the day of {place} is whole");
    }
}
