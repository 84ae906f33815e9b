//! What one batch writes, and what happens when a part of it fails.

use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use nsl_test_support::Failure;
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{World, sequence};

#[tokio::test]
async fn a_batch_writes_each_affected_span_once() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 30..90).await;
    world.set_clock(90_000);
    world.env.take_calls();
    assert!(world.deliver(&records).await.is_empty());
    let lines = world.env.take_lines();
    let puts = lines.iter().filter(|line| *line == "PutItem RollupsTable").count();
    // Two minutes, the ten minutes twice (opened, then filled), the hour and the day opened, the last report.
    assert_eq!(puts, 7, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.ends_with("eventual")), "{lines:#?}");
    assert_agrees(&world, &shop).await;
    let [last] = &world.rows_in(&shop, "sources").await[..] else { panic!("there is one source") };
    assert_eq!(last["report"]["S"], shop.reports[59].id());

    // The same batch again only tries to write its last report.
    assert!(world.deliver(&records).await.is_empty());
    let lines = world.env.take_lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("PutItem")).count(), 1, "{lines:#?}");
}

#[tokio::test]
async fn an_hour_of_batches_needs_few_writes() {
    let (world, mut shop) = World::with_shop(1).await;
    let mut puts = 0;
    for batch in 0..61_i64 {
        // The number of reports does not change the number of writes.
        let seconds = (batch * 60 + 30..batch * 60 + 90).step_by(15);
        let records = world.store_each_second(&mut shop, seconds).await;
        world.set_clock((batch * 60 + 95) * 1_000);
        world.env.take_calls();
        world.deliver(&records).await;
        puts += world.env.take_lines().iter().filter(|line| line.starts_with("PutItem")).count();
    }
    // In each batch two minutes, one span of ten minutes and the last report; the rest opens and ends tens.
    assert!(puts <= 61 * 4 + 2 * 7 + 12, "{puts} writes");
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn incomplete_spans_are_completed_by_the_next_reports() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 0..30).await;
    world.set_clock(30_000);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 3);
    let later_s = 30 * 60 * 60;
    let records = world.store_each_second(&mut shop, later_s..later_s + 10).await;
    world.set_clock(30 * HOUR_MS + 10_000);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 3);
    world.set_clock(60 * HOUR_MS);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 0);
}

#[tokio::test]
async fn malformed_records_are_quarantined_and_block_nothing() {
    let (world, mut shop) = World::with_shop(1).await;
    let mut records = world.store_each_second(&mut shop, 0..3).await;
    records[1]["dynamodb"]["NewImage"]["document"] = json!({"S": "{\"a\":"});
    records.push(json!({"who": "knows"}));
    world.set_clock(2 * MINUTE_MS);
    assert!(world.deliver(&records).await.is_empty());
    let rows = world.env.rows("RollupsTable").await;
    let is_quarantined = |row: &&Value| row["pk"]["S"].as_str().unwrap().ends_with("#quarantine");
    assert_eq!(rows.iter().filter(is_quarantined).count(), 2);
    let [of_shop] = &world.rows_in(&shop, "quarantine").await[..] else { panic!("one is of the shop") };
    let kept: Value = serde_json::from_str(of_shop["record"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(kept, records[1]);
    assert_eq!(of_shop["sk"]["S"], records[1]["dynamodb"]["SequenceNumber"]);
    let in_two_weeks = world.now().plus_ms(14 * DAY_MS).seconds().to_string();
    assert_eq!(of_shop["expiresAt"]["N"], in_two_weeks);
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn fault_retries_from_the_first_affected_record() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, (0..3).chain(600..603)).await;
    world.set_clock(HOUR_MS);
    // Three attempts of the first call, which is for the first of the two minutes.
    world.env.dynamodb.fail("GetItem", Failure::Throttled, 3);
    assert_eq!(world.deliver(&records).await, [sequence(&records[0])]);
    assert!(world.deliver(&records).await.is_empty());
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn a_throttled_table_delays_batches_and_loses_nothing() {
    let world = World::start().await;
    for operation in ["GetItem", "Query", "PutItem"] {
        // Fewer rejections than attempts of a call have no effect; more cause retries of the batch until they end.
        for rejections in [2, 3, 20] {
            let mut shop = world.register_shop(1).await;
            let records = world.store_each_second(&mut shop, (0..3).chain(600..603)).await;
            world.set_clock(2 * HOUR_MS);
            world.env.dynamodb.fail(operation, Failure::Throttled, rejections);
            let mut deliveries = 1;
            while !world.deliver(&records).await.is_empty() {
                deliveries += 1;
            }
            assert_eq!(deliveries > 1, rejections > 2, "{operation} {rejections}: {deliveries}");
            assert_agrees(&world, &shop).await;
        }
    }
}
