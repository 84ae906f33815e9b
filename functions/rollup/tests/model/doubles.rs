//! Reports of the library, each sent twice over: the function counts them once, whatever cell they are keyed by.

use nsl_aws::reports::{LegacyFrame, StoreOutcome};
use nsl_domain::ids::ConnectionId;
use nsl_domain::report::Report;
use nsl_domain::time::{DAY_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::naive::assert_agrees;
use crate::world::{Shop, World};

/// Offsets of reports whose copies follow five milliseconds later: in a cell, across the edge of a second, of minutes
/// and of the hour, and one whose cell begins before what its minute's other reports are stamped.
const OFFSETS_MS: [i64; 7] =
    [250, 1_497, 2_998, MINUTE_MS - 2, MINUTE_MS + 400, 2 * MINUTE_MS - 5, 60 * MINUTE_MS - 1];

/// Sends a report and its copy as the library does; what of them is stored becomes the shop's.
async fn send_twice(world: &World, shop: &mut Shop, offset_ms: i64) {
    let reports = world.env.reports();
    let library = ConnectionId::new("library=");
    for (message, apart_ms, expected) in [("m1", 0, StoreOutcome::Stored), ("m2", 5, StoreOutcome::Duplicate)]
    {
        let document = json!({"cpu": {"usage": offset_ms % 97}, "at": offset_ms});
        let report: Report = shop.report(offset_ms + apart_ms, "started-2026-11-22T08:00:00Z", &document);
        let message = format!("{message}-{offset_ms}");
        let frame = LegacyFrame { connection: &library, message: &message, index: 0 };
        let kept = reports.store_legacy(&report, frame, &shop.app, 2 * DAY_MS).await.unwrap();
        assert_eq!(kept, expected, "{offset_ms}");
        if kept == StoreOutcome::Stored {
            shop.reports.push(report);
        }
    }
}

/// The stream's records of every stored row.
async fn records(world: &World) -> Vec<Value> {
    let rows = world.env.rows("ReportsTable").await.into_iter().enumerate();
    let record = |(index, image): (usize, Value)| {
        let keys = json!({"pk": image["pk"], "sk": image["sk"]});
        let change = json!({"Keys": keys, "NewImage": image, "SequenceNumber": format!("{}", 100 + index)});
        json!({"eventName": "INSERT", "dynamodb": change})
    };
    rows.map(record).collect()
}

#[tokio::test]
async fn a_doubled_report_is_rolled_up_once_in_the_minute_of_its_own_time() {
    let world = World::start().await;
    let mut shop = world.open(1).await;
    for offset_ms in OFFSETS_MS {
        send_twice(&world, &mut shop, offset_ms).await;
    }
    world.set_clock(61 * MINUTE_MS);
    let records = records(&world).await;
    assert_eq!(records.len(), OFFSETS_MS.len());
    for _ in 0..2 {
        let answer = world.deliver(&records).await;
        assert!(answer.failures.is_empty(), "{answer:?}");
        assert_agrees(&world, &shop).await;
    }
    assert!(
        world
            .env
            .rows("RollupsTable")
            .await
            .iter()
            .all(|row| { !row["pk"]["S"].as_str().unwrap().ends_with("quarantine") }),
        "the function takes the key of a cell for a report's own"
    );
}
