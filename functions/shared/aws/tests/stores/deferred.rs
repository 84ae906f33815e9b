//! Deferred minutes: merged by write shard, and removed only if nothing was added meanwhile.

use std::collections::BTreeSet;

use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::MINUTE_MS;

use super::*;

fn minutes(ages: &[i64]) -> BTreeSet<RollupSpan> {
    let minute = |age: &i64| RollupSpan::containing(Resolution::Minute, now().plus_ms(-age * MINUTE_MS));
    ages.iter().map(minute).collect()
}

fn shard(app: &str, shard: u16) -> AppShard {
    AppShard { app: id(app), shard }
}

#[tokio::test]
async fn minutes_are_merged_by_write_shard() {
    let env = TestEnvironment::start().await;
    let rollups = env.rollups();
    for (app, number, ages) in [("shop", 1, &[7, 8][..]), ("shop", 1, &[8, 9]), ("bank", 0, &[7])] {
        rollups.defer(&shard(app, number), &minutes(ages), now()).await.unwrap();
        assert_eq!(env.take_lines(), ["UpdateItem RollupsTable"]);
    }
    let found = rollups.deferred().await.unwrap();
    assert_eq!(env.take_lines(), ["Query RollupsTable consistent"]);
    let found: Vec<_> = found.into_iter().map(|row| (row.shard, row.minutes)).collect();
    assert_eq!(found, [(shard("bank", 0), minutes(&[7])), (shard("shop", 1), minutes(&[7, 8, 9]))]);
}

#[tokio::test]
async fn finished_minutes_are_removed() {
    let env = TestEnvironment::start().await;
    let rollups = env.rollups();
    rollups.defer(&shard("shop", 0), &minutes(&[7, 8]), now()).await.unwrap();
    let row = rollups.deferred().await.unwrap().remove(0);
    env.take_calls();
    rollups.finish_deferred(&row, &minutes(&[7])).await.unwrap();
    assert_eq!(env.take_lines(), ["UpdateItem RollupsTable"]);
    let row = rollups.deferred().await.unwrap().remove(0);
    assert_eq!(row.minutes, minutes(&[8]));
    env.take_calls();
    rollups.finish_deferred(&row, &minutes(&[8])).await.unwrap();
    assert_eq!(env.take_lines(), ["DeleteItem RollupsTable"]);
    assert!(env.rows("RollupsTable").await.is_empty());
}

#[tokio::test]
async fn minutes_deferred_meanwhile_are_kept() {
    let env = TestEnvironment::start().await;
    let rollups = env.rollups();
    rollups.defer(&shard("shop", 0), &minutes(&[7, 8]), now()).await.unwrap();
    let row = rollups.deferred().await.unwrap().remove(0);
    // A report of a minute that is being computed may have been stored after it was read.
    rollups.defer(&shard("shop", 0), &minutes(&[7]), now()).await.unwrap();
    for done in [minutes(&[7]), minutes(&[7, 8])] {
        rollups.finish_deferred(&row, &done).await.unwrap();
        assert_eq!(rollups.deferred().await.unwrap()[0].minutes, minutes(&[7, 8]));
    }
}
