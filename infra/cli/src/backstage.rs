//! What an operator sees behind the service: the state of the tables, and of an application how far rollups follow
//! what it reports, who reported last, and which publishers' clocks are wrong.
//!
//! Only where the tables are known: on this machine, or by the name of a stack.

use nsl_aws::publishers::WrongClock;
use nsl_aws::tables::TableStatus;
use nsl_domain::app::App;
use nsl_domain::ids::Source;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{DAY_MS, MINUTE_MS, TimestampMs};
use std::collections::BTreeMap;

use crate::store::Live;

/// How far back the newest stored report is looked for: what is older is noted as the last of its source by then.
const RECENT_MS: i64 = 10 * MINUTE_MS;

/// What is told of one application.
#[derive(Debug)]
pub(crate) struct Backstage {
    /// The end of the newest minute that is rolled up.
    pub(crate) rolled_up_to: Option<TimestampMs>,
    /// Publishers whose clocks are wrong.
    pub(crate) wrong_clocks: Vec<WrongClock>,
    /// Until when the application's reports are refused, because it sent more than it may.
    pub(crate) limited_until: Option<TimestampMs>,
}

/// The state of each table.
pub(crate) async fn tables(live: &Live) -> anyhow::Result<Vec<TableStatus>> {
    let mut tables = Vec::new();
    for table in &live.tables {
        tables.push(live.clients.table_status(table).await?);
    }
    Ok(tables)
}

/// Looks at `app`.
pub(crate) async fn look(live: &Live, app: &App, now: TimestampMs) -> anyhow::Result<Backstage> {
    let wrong_clocks = live.publishers.wrong_clocks(&app.id, now).await?;
    let tomorrow = RollupSpan::containing(Resolution::Minute, now.plus_ms(DAY_MS));
    let mut rolled_up_to = None;
    for shard in 0..app.shards {
        let shard = AppShard { app: app.id.clone(), shard };
        let newest = live.rollups.newest_before(&shard, tomorrow).await?;
        rolled_up_to = rolled_up_to.max(newest.map(|held| held.through));
    }
    let limited_until = app.limited_until.filter(|until| *until > now);
    Ok(Backstage { rolled_up_to, wrong_clocks, limited_until })
}

/// When each source of `app` reported last: as the rollup function noted it, and of the newest report as it is stored.
pub(crate) async fn last_reports(
    live: &Live,
    app: &App,
    now: TimestampMs,
) -> anyhow::Result<BTreeMap<Source, TimestampMs>> {
    let (noted, _) = live.rollups.last_reports(&app.id, now).await?;
    let (newest, _) = live.reports.recent(app, now.plus_ms(-RECENT_MS), now, 1).await?;
    let mut last = BTreeMap::new();
    for report in noted.into_iter().chain(newest) {
        let known = last.entry(report.source).or_insert(report.timestamp);
        *known = report.timestamp.max(*known);
    }
    Ok(last)
}
