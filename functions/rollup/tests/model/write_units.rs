//! The write units that rollups add to those of the reports, as the engine counts them.

use nsl_domain::report::Report;
use nsl_domain::time::{HOUR_MS, SECOND_MS};
use nsl_test_support::ConsumedCapacity;
use serde_json::{Value, json};

use crate::world::{Shop, World};

/// A report as large as the library's, with changing and constant series.
fn library_report(shop: &Shop, source: u64, ms: i64) -> Report {
    let wander = |period: i64| (ms / 1_000 * 7_919 + 31 * source as i64) % period;
    let document = json!({
        "cpu": {"usage": wander(1_000) as f64 / 10.0, "system": wander(300) as f64 / 10.0, "cores": 8,
            "loadAverage": [wander(400) as f64 / 100.0, 1.31, 1.27]},
        "memory": {"total": 33_554_432_000_i64, "used": 8_438_513_664 + wander(4_000) * 4_096,
            "free": 25_115_918_336 - wander(4_000) * 4_096, "usagePercent": 25.1},
        "process": {"uptime": 86_400 + ms / 1_000, "memoryUsage": {"rss": 54_000_000 + wander(900) * 4_096,
            "heapTotal": 9_961_472, "heapUsed": 5_000_000 + wander(4_000_000), "external": 2_147_741,
            "arrayBuffers": 25_691}},
        "network": {"interfaces": {"lo": {"bytesReceived": 0, "bytesSent": 0, "packetsReceived": 0, "packetsSent": 0},
            "eth0": {"bytesReceived": 0, "bytesSent": 0, "packetsReceived": 0, "packetsSent": 0}}},
    });
    shop.report(ms, &format!("web-{source}.example.org"), &document)
}

/// Write units of reports and of rollups.
struct Units {
    /// As if each source reported every second.
    reports: f64,
    rollups: f64,
}

impl Units {
    fn assert_at_most(&self, share: f64, what: &str) {
        let Self { reports, rollups } = self;
        println!("{what}: {rollups} added to {reports}, {:.1} %", rollups / reports * 100.0);
        assert!(*rollups <= share * reports, "{rollups} added to {reports}");
    }
}

/// Delivers batches of `batch_s` seconds, in which each source reports every `every_s` seconds, and counts all but the
/// first two.
async fn units(sources: u64, every_s: i64, batch_s: i64, batches: i64) -> Units {
    let (world, mut shop) = World::with_shop(1).await;
    let mut units = Units { reports: 0.0, rollups: 0.0 };
    // The counted batches include the end of an hour.
    let first_s = 3_600 - (batches + 1) / 2 * batch_s + 17;
    for batch in 0..batches {
        let mut records: Vec<Value> = Vec::new();
        for second in (0..batch_s).step_by(every_s as usize) {
            for source in 0..sources {
                let ms = (first_s + batch * batch_s + second) * SECOND_MS + 387;
                let report = library_report(&shop, source, ms);
                records.push(world.store(&mut shop, report).await);
            }
        }
        world.set_clock((first_s + (batch + 1) * batch_s) * SECOND_MS + 1_500);
        let stored = written(&world.env.take_consumed());
        assert_eq!(stored, records.len() as f64, "a report is one unit");
        assert!(world.deliver(&records).await.is_empty());
        let spent = written(&world.env.take_consumed());
        // The first batches open the coarser spans.
        if batch >= 2 {
            units.reports += (sources * batch_s as u64) as f64;
            units.rollups += spent;
        }
    }
    assert!(world.now().ms() % HOUR_MS < HOUR_MS / 2, "an hour has ended");
    units
}

fn written(spent: &[ConsumedCapacity]) -> f64 {
    spent.iter().filter(|one| !one.is_read()).map(|one| one.units).sum()
}

#[tokio::test]
async fn one_source_adds_at_most_15_percent() {
    // The number of reports of a batch changes the size of its rollups, but not the number of writes.
    units(1, 2, 60, 24).await.assert_at_most(0.15, "1 source");
}

#[tokio::test]
async fn hundred_sources_add_at_most_3_percent() {
    // 6 MB of records end a batch after forty seconds.
    units(100, 20, 40, 8).await.assert_at_most(0.03, "100 sources");
}
