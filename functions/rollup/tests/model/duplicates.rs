//! Reports that the library sends twice are counted once, in the minute of their own timestamp.

use nsl_aws::legacy::{LegacyFrame, StoreOutcome};
use nsl_domain::ids::ConnectionId;
use nsl_domain::time::{DAY_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{Shop, World, stream_record};

/// Offsets of reports whose copies follow five milliseconds later: within a dedup window, across the edge of a second,
/// of minutes and of the hour, and one whose window begins before the other reports of its minute.
const OFFSETS_MS: [i64; 7] =
    [250, 1_497, 2_998, MINUTE_MS - 2, MINUTE_MS + 400, 2 * MINUTE_MS - 5, 60 * MINUTE_MS - 1];

/// Stores a report and its copy as the library sends them.
async fn store_twice(world: &World, shop: &mut Shop, offset_ms: i64) {
    let library = ConnectionId::new("library=");
    for (message, delay_ms, expected) in [("m1", 0, StoreOutcome::Stored), ("m2", 5, StoreOutcome::Duplicate)]
    {
        let document = json!({"cpu": {"usage": offset_ms % 97}, "at": offset_ms});
        let report = shop.report(offset_ms + delay_ms, "started-2026-11-22T08:00:00Z", &document);
        let message = format!("{message}-{offset_ms}");
        let frame = LegacyFrame { connection: &library, message: &message, index: 0 };
        let outcome = world.env.reports().store_legacy(&report, frame, &shop.app, 2 * DAY_MS).await.unwrap();
        assert_eq!(outcome, expected, "{offset_ms}");
        if outcome == StoreOutcome::Stored {
            shop.reports.push(report);
        }
    }
}

#[tokio::test]
async fn a_duplicated_report_is_rolled_up_once() {
    let (world, mut shop) = World::with_shop(1).await;
    for offset_ms in OFFSETS_MS {
        store_twice(&world, &mut shop, offset_ms).await;
    }
    world.set_clock(61 * MINUTE_MS);
    let rows = world.env.rows("ReportsTable").await;
    let records: Vec<Value> = (100..).zip(rows).map(|(sequence, row)| stream_record(sequence, row)).collect();
    assert_eq!(records.len(), OFFSETS_MS.len());
    for _ in 0..2 {
        assert!(world.deliver(&records).await.is_empty());
        assert_agrees(&world, &shop).await;
    }
    let quarantined = world.rows_in(&shop, "quarantine").await;
    assert!(quarantined.is_empty(), "the key of a legacy report was taken for malformed: {quarantined:?}");
}
