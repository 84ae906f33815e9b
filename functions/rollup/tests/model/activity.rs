//! What `GET /apps` shows of a minute: stored with its rollup, whatever order and however often it is delivered.

use nsl_domain::report::Report;
use nsl_domain::rollup::{Activity, AppShard};
use nsl_domain::time::{MINUTE_MS, SECOND_MS};
use nsl_test_support::fixtures::id;
use serde_json::json;

use crate::world::{Shop, World};

/// The activity of the stored reports of each minute, newest first.
fn expected(shop: &Shop, minutes: impl Iterator<Item = i64>) -> Vec<Activity> {
    let of = |minute: i64| {
        let start = crate::world::at(minute * MINUTE_MS);
        let within = |report: &&Report| report.timestamp.aligned_to(MINUTE_MS) == start;
        let reports: Vec<Report> = shop.reports.iter().filter(within).cloned().collect();
        Activity::of_reports(&reports)
    };
    minutes.filter_map(of).collect()
}

#[tokio::test]
async fn activity_matches_the_reports_after_any_delivery() {
    let (world, mut shop) = World::with_shop(1).await;
    let mut records = Vec::new();
    for second in (0..180).step_by(10) {
        for source in ["web-1", "web-2", "web-3"] {
            let document = json!({"cpu": {"usage": (second * 7 + source.len() as i64) % 100}});
            let report = shop.report(second * SECOND_MS + 387, source, &document);
            records.push(world.store(&mut shop, report).await);
        }
    }
    world.set_clock(179 * SECOND_MS);
    let shard = AppShard { app: shop.app.id.clone(), shard: 0 };
    // The newest minute first, then the oldest, then everything again and backwards.
    let (old, new) = records.split_at(27);
    let mut backwards = records.clone();
    backwards.reverse();
    for batch in [new, old, &records, &backwards] {
        assert!(world.deliver(batch).await.is_empty());
    }
    let found = world.env.rollups().newest_activity(&shard, world.now()).await.unwrap();
    assert_eq!(found, expected(&shop, (0..3).rev()));
    assert_eq!(found[0].sources, 3);

    // A late report of an old minute changes that minute only.
    let late = shop.report(30 * SECOND_MS, "web-9", &json!({"cpu": {"usage": 1}}));
    let late = world.store(&mut shop, late).await;
    assert!(world.deliver(&[late]).await.is_empty());
    let found = world.env.rollups().newest_activity(&shard, world.now()).await.unwrap();
    assert_eq!((found[0].sources, found[1].sources, found[2].sources), (3, 3, 4));
}

#[tokio::test]
async fn activity_is_erased_with_its_application() {
    let (world, mut shop) = World::with_shop(1).await;
    let records = world.store_each_second(&mut shop, 0..5).await;
    assert!(world.deliver(&records).await.is_empty());
    let shard = AppShard { app: shop.app.id.clone(), shard: 0 };
    let found = || async { world.env.rollups().newest_activity(&shard, world.now()).await.unwrap().len() };
    assert_eq!(found().await, 1);
    for partition in world.env.rollups().partitions(&shop.app) {
        partition.erase().await.unwrap();
    }
    assert_eq!(found().await, 0);
    let other = AppShard { app: id("nowhere"), shard: 0 };
    assert!(world.env.rollups().newest_activity(&other, world.now()).await.unwrap().is_empty());
}
