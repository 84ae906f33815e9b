//! Rollups: written only over what was read, read by span, and the last reports beside them.

use nsl_aws::rollups::{LastReportPut, Put};
use nsl_domain::report::RecentReports;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Rollup, RollupSpan};
use nsl_domain::time::{DAY_MS, HOUR_MS};
use nsl_domain::time_span::TimeSpan;

use super::*;

fn hour(hours: i64) -> RollupSpan {
    RollupSpan::containing(Resolution::Hour, now().plus_ms(hours * HOUR_MS))
}

async fn put(env: &TestEnvironment, span: RollupSpan) {
    let mut rollup = Rollup::empty(span);
    let bytes = rollup.to_bytes().unwrap();
    assert_eq!(env.rollups().put(&shard(3), &rollup, bytes, None).await.unwrap(), Put::Written);
}

#[tokio::test]
async fn rollup_overwrites_only_the_version_read() {
    let env = TestEnvironment::start().await;
    let rollups = env.rollups();
    assert!(rollups.find(&shard(3), hour(0)).await.unwrap().is_none());
    assert_eq!(env.take_lines(), ["GetItem RollupsTable consistent"]);
    put(&env, hour(0)).await;
    let calls = env.take_calls();
    assert_eq!(calls[0].to_string(), "PutItem RollupsTable");
    assert_eq!(calls[0].text("/ConditionExpression"), "attribute_not_exists(pk)");

    let held = rollups.find(&shard(3), hour(0)).await.unwrap().unwrap();
    assert_eq!((held.version, held.span, held.through), (1, hour(0), hour(0).start()));
    assert_eq!(held.rollup().unwrap(), Rollup::empty(hour(0)));
    let concluded = Rollup::empty(hour(0)).into_complete();
    let (shard, bytes) = (shard(3), held.bytes.clone());
    assert_eq!(rollups.put(&shard, &concluded, bytes, None).await.unwrap(), Put::Conflict);
    assert_eq!(rollups.put(&shard, &concluded, held.bytes.clone(), Some(&held)).await.unwrap(), Put::Written);
    assert_eq!(
        rollups.put(&shard, &concluded, held.bytes.clone(), Some(&held)).await.unwrap(),
        Put::Conflict
    );
    let held = rollups.find(&shard, hour(0)).await.unwrap().unwrap();
    assert_eq!((held.version, held.through), (2, hour(0).end()));

    let rows = env.rows("RollupsTable").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"]["S"], "shop#1h#3");
    assert_eq!(rows[0]["sk"]["S"], "001795352400000");
    let expires_at = hour(0).end().plus_ms(400 * DAY_MS).seconds().to_string();
    assert_eq!(rows[0]["expiresAt"]["N"], expires_at);
}

#[tokio::test]
async fn rollups_are_read_by_the_starts_of_their_spans() {
    let env = TestEnvironment::start().await;
    for hours in [-3, -2, 0, 1] {
        put(&env, hour(hours)).await;
    }
    env.take_calls();
    let span = TimeSpan::new(hour(-2).start(), hour(1).start());
    let starts = |held: Vec<nsl_aws::rollups::StoredRollup>| {
        held.into_iter().map(|held| held.span).collect::<Vec<_>>()
    };
    let found = env.rollups().between(&shard(3), Resolution::Hour, span, now()).await.unwrap();
    assert_eq!(starts(found), [hour(-2), hour(0)]);
    assert_eq!(env.take_lines(), ["Query RollupsTable consistent"]);
    let aged = now().plus_ms(399 * DAY_MS + 23 * HOUR_MS);
    let found = env.rollups().between(&shard(3), Resolution::Hour, span, aged).await.unwrap();
    assert_eq!(starts(found), [hour(0)]);

    let newest = env.rollups().newest_before(&shard(3), hour(0)).await.unwrap();
    assert_eq!(newest.map(|held| held.span), Some(hour(-2)));
    let newest = env.rollups().newest_before(&shard(3), hour(-3)).await.unwrap();
    assert!(newest.is_none());
}

#[tokio::test]
async fn the_last_report_of_a_source_moves_forward_only() {
    let env = TestEnvironment::start().await;
    let report = |seconds: i64| report_of("web-1", seconds * 1_000, r#"{"a":1}"#);
    for (seconds, noted) in [
        (0, LastReportPut::Stored),
        (-1, LastReportPut::Older),
        (0, LastReportPut::Older),
        (1, LastReportPut::Stored),
    ] {
        assert_eq!(env.rollups().put_last_report(&report(seconds)).await.unwrap(), noted);
        assert_eq!(env.take_lines(), ["PutItem RollupsTable"]);
    }
    let rows = env.rows("RollupsTable").await;
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["pk"]["S"], &rows[0]["sk"]["S"]), (&"shop#sources".into(), &"web-1".into()));
    assert_eq!(rows[0]["report"]["S"], report(1).id());
    assert_eq!(rows[0]["document"]["S"], "{\"a\":1}");
}

#[tokio::test]
async fn last_reports_page_reports_completeness() {
    let env = TestEnvironment::start().await;
    let document = format!("{{\"a\":\"{}\"}}", "x".repeat(13 * 1024));
    for (sources, is_all) in [(10, true), (100, false)] {
        for n in 0..sources {
            let report = report_of(&format!("s-{n:02}"), sources, &document);
            env.rollups().put_last_report(&report).await.unwrap();
        }
        env.take_calls();
        let RecentReports { reports: page, is_complete } =
            env.rollups().last_reports(&id("shop"), now()).await.unwrap();
        assert_eq!(env.take_lines(), ["Query RollupsTable consistent"]);
        let expected = (0..sources).rev().take(page.len()).map(|n| format!("s-{n:02}"));
        assert!(page.iter().map(|report| report.source.to_string()).eq(expected));
        assert_eq!((page.len() == sources as usize, is_complete), (is_all, is_all));
        assert!(page.len() <= 80, "{}", page.len());
    }
}

#[tokio::test]
async fn everything_of_an_app_lies_in_its_partitions() {
    let env = TestEnvironment::start().await;
    let shop = App { shards: 4, ..app("shop") };
    for resolution in Resolution::ALL {
        put(&env, RollupSpan::containing(resolution, now())).await;
    }
    env.rollups().put_last_report(&report_of("web-1", 0, "{}")).await.unwrap();
    let mut erased = 0;
    for partition in env.rollups().partitions(&shop) {
        erased += partition.erase().await.unwrap();
    }
    assert_eq!(erased, 5);
    assert!(env.rows("RollupsTable").await.is_empty());
}
