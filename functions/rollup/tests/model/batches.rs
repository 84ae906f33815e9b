//! What one batch does and costs.

use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use nsl_test_support::Failure;
use serde_json::{Value, json};

use crate::naive::assert_agrees;
use crate::world::{Shop, World};

/// Stores a report at each of `seconds`, as one source does, and gives the records.
pub(crate) async fn report_each_second(
    world: &World,
    shop: &mut Shop,
    seconds: impl Iterator<Item = i64>,
) -> Vec<Value> {
    let mut records = Vec::new();
    for second in seconds {
        let document = json!({"cpu": {"usage": second % 60, "cores": 4}});
        let report = shop.report(second * 1_000 + 387, "web-1", &document);
        records.push(world.store(shop, report).await);
    }
    records
}

#[tokio::test]
async fn a_batch_writes_each_touched_span_once() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let records = report_each_second(&world, &mut shop, 30..90).await;
    world.set_clock(90_000);
    world.env.take_calls();
    assert!(world.deliver(&records).await.failures.is_empty());
    let lines = world.env.take_lines();
    let puts = lines.iter().filter(|line| *line == "PutItem RollupsTable").count();
    // Two minutes, the ten minutes twice (opened, then filled), the hour and the day opened, the last report.
    assert_eq!(puts, 7, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.ends_with("eventual")), "{lines:#?}");
    assert_agrees(&world, &shop).await;

    // The same batch again reads and changes nothing but asks whether its last report is the last.
    assert!(world.deliver(&records).await.failures.is_empty());
    let lines = world.env.take_lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("PutItem")).count(), 1, "{lines:#?}");
}

#[tokio::test]
async fn an_hour_of_batches_costs_few_writes() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let mut puts = 0;
    for batch in 0..61_i64 {
        // How many reports there are changes no number of writes.
        let seconds = (batch * 60 + 30..batch * 60 + 90).step_by(15);
        let records = report_each_second(&world, &mut shop, seconds).await;
        world.set_clock((batch * 60 + 95) * 1_000);
        world.env.take_calls();
        world.deliver(&records).await;
        puts += world.env.take_lines().iter().filter(|line| line.starts_with("PutItem")).count();
    }
    // Two minutes, one of ten minutes and the last report a batch; the rest is opening and the ends of tens.
    assert!(puts <= 61 * 4 + 2 * 7 + 12, "{puts} writes");
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn what_an_application_left_unfinished_is_finished_when_it_comes_back() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let records = report_each_second(&world, &mut shop, 0..30).await;
    world.set_clock(30_000);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 3);
    let later_s = 30 * 60 * 60;
    let records = report_each_second(&world, &mut shop, later_s..later_s + 10).await;
    world.set_clock(30 * HOUR_MS + 10_000);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 3);
    world.set_clock(60 * HOUR_MS);
    world.deliver(&records).await;
    assert_eq!(assert_agrees(&world, &shop).await, 0);
}

#[tokio::test]
async fn a_malformed_record_is_set_aside_whole_and_blocks_nothing() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let mut records = report_each_second(&world, &mut shop, 0..3).await;
    records[1]["dynamodb"]["NewImage"]["document"] = json!({"S": "{\"a\":"});
    records.push(json!({"who": "knows"}));
    world.set_clock(2 * MINUTE_MS);
    assert!(world.deliver(&records).await.failures.is_empty());
    let rows = world.env.rows("RollupsTable").await;
    let quarantined: Vec<_> =
        rows.iter().filter(|row| row["pk"]["S"].as_str().unwrap().ends_with("#quarantine")).collect();
    assert_eq!(quarantined.len(), 2);
    let of_shop = quarantined.iter().find(|row| row["pk"]["S"] != "#quarantine").unwrap();
    let kept: Value = serde_json::from_str(of_shop["record"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(kept, records[1]);
    assert_eq!(of_shop["sk"]["S"], records[1]["dynamodb"]["SequenceNumber"]);
    let in_two_weeks = world.now().plus_ms(14 * DAY_MS).seconds().to_string();
    assert_eq!(of_shop["expiresAt"]["N"], in_two_weeks);
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn a_fault_brings_back_the_batch_from_the_first_record_concerned() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    let mut records = report_each_second(&world, &mut shop, 0..3).await;
    records.extend(report_each_second(&world, &mut shop, 600..603).await);
    world.set_clock(HOUR_MS);
    // Three attempts of the first call, which concerns the first of the two minutes.
    world.env.dynamodb.fail("GetItem", Failure::Throttled, 3);
    let answer = world.deliver(&records).await;
    let sequence = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
    let returned: Vec<_> = answer.failures.into_iter().map(|item| item.sequence).collect();
    assert_eq!(returned, [sequence(&records[0])]);
    assert!(world.deliver(&records).await.failures.is_empty());
    assert_agrees(&world, &shop).await;
}

#[tokio::test]
async fn a_throttled_table_slows_the_function_down_and_loses_nothing() {
    let world = World::start().await;
    for operation in ["GetItem", "Query", "PutItem"] {
        // Fewer refusals than attempts of a call are not noticed; more bring the batch back until they end.
        for refusals in [2, 3, 20] {
            let mut shop = world.open(1).await;
            let mut records = report_each_second(&world, &mut shop, 0..3).await;
            records.extend(report_each_second(&world, &mut shop, 600..603).await);
            world.set_clock(2 * HOUR_MS);
            world.env.dynamodb.fail(operation, Failure::Throttled, refusals);
            let mut deliveries = 1;
            while !world.deliver(&records).await.failures.is_empty() {
                deliveries += 1;
            }
            assert_eq!(deliveries > 1, refusals > 2, "{operation} {refusals}: {deliveries}");
            assert_agrees(&world, &shop).await;
        }
    }
}

#[tokio::test]
async fn the_last_report_of_a_source_only_moves_forward() {
    let world = World::start().await;
    let mut shop = world.open(2).await;
    let records = report_each_second(&world, &mut shop, 0..5).await;
    world.deliver(&records).await;
    world.deliver(&records[..2]).await;
    let rows = world.env.rows("RollupsTable").await;
    let pk = format!("{}#sources", shop.app.id);
    let last: Vec<_> = rows.iter().filter(|row| row["pk"]["S"] == pk.as_str()).collect();
    assert_eq!(last.len(), 1);
    assert_eq!(last[0]["sk"]["S"], "web-1");
    assert_eq!(last[0]["report"]["S"], shop.reports[4].id());
    assert_eq!(last[0]["document"]["S"], shop.reports[4].document.as_str());
}
