//! What the tables show about the service and an application: their status, how far rollups have advanced, the last
//! report of each source, and publishers with wrong clocks. Needs access to the tables.

use crate::store::Live;
use nsl_aws::legacy::WrongClock;
use nsl_aws::table_probe::TableStatus;
use nsl_domain::app::App;
use nsl_domain::ids::Source;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{DAY_MS, MINUTE_MS, TimestampMs};
use std::collections::BTreeMap;

/// How far back the newest raw report is read. The rollup function records older ones as the last of their source.
const RECENT_MS: i64 = 10 * MINUTE_MS;

/// The state of one application.
#[derive(Debug)]
pub(crate) struct AppDiagnostics {
    /// End of the newest minute that is rolled up.
    pub(crate) rolled_up_to: Option<TimestampMs>,
    /// Publishers whose clocks are wrong.
    pub(crate) wrong_clocks: Vec<WrongClock>,
    /// Until when reports are rejected, because the application exceeded its rate.
    pub(crate) limited_until: Option<TimestampMs>,
}

/// The status of each table.
pub(crate) async fn tables(live: &Live) -> anyhow::Result<Vec<TableStatus>> {
    let mut tables = Vec::new();
    for table in &live.tables {
        tables.push(live.clients.table_status(table).await?);
    }
    Ok(tables)
}

/// Reads the state of `app`.
pub(crate) async fn read(live: &Live, app: &App, now: TimestampMs) -> anyhow::Result<AppDiagnostics> {
    let wrong_clocks = live.publishers.wrong_clocks(&app.id, now).await?;
    let tomorrow = RollupSpan::containing(Resolution::Minute, now.plus_ms(DAY_MS));
    let mut rolled_up_to = None;
    for shard in 0..app.shards {
        let shard = AppShard { app: app.id.clone(), shard };
        let newest = live.rollups.newest_before(&shard, tomorrow).await?;
        rolled_up_to = rolled_up_to.max(newest.map(|stored| stored.through));
    }
    let limited_until = app.limited_until.filter(|until| *until > now);
    Ok(AppDiagnostics { rolled_up_to, wrong_clocks, limited_until })
}

/// The time of each source's last report, from the rollup function's records and the newest raw report.
pub(crate) async fn last_reports(
    live: &Live,
    app: &App,
    now: TimestampMs,
) -> anyhow::Result<BTreeMap<Source, TimestampMs>> {
    let recorded = live.rollups.last_reports(&app.id, now).await?.reports;
    let newest = live.reports.recent(app, now.plus_ms(-RECENT_MS), now, 1).await?.reports;
    let mut last = BTreeMap::new();
    for report in recorded.into_iter().chain(newest) {
        let latest = last.entry(report.source).or_insert(report.timestamp);
        *latest = report.timestamp.max(*latest);
    }
    Ok(last)
}
