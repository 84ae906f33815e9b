//! What an operator sees behind the service: the state of the tables, how far rollups follow what is reported, and
//! which publishers' clocks are wrong.
//!
//! Only where the tables are known: on this machine, or by the name of a stack.

use anyhow::Context as _;
use nsl_aws::publishers::WrongClock;
use nsl_aws::tables::TableState;
use nsl_domain::ids::AppId;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{DAY_MS, TimestampMs};
use nsl_domain::window::Resolution;

use crate::args::Place;
use crate::settings::Settings;
use crate::store;
use crate::target::site;

/// The tables, and of one application the end of the newest minute that is rolled up, and the clocks that are wrong.
#[derive(Debug)]
pub(crate) struct Backstage {
    pub(crate) tables: Vec<TableState>,
    pub(crate) rolled_up_to: Option<TimestampMs>,
    pub(crate) wrong_clocks: Vec<WrongClock>,
    /// Until when the application's reports are refused, because it sent more than it may.
    pub(crate) limited_until: Option<TimestampMs>,
}

/// Looks behind the service that `place` names; `None` where it names addresses alone.
pub(crate) async fn look(
    place: &Place,
    settings: &Settings,
    app: &str,
    now: TimestampMs,
) -> anyhow::Result<Option<Backstage>> {
    if site(place, settings)?.is_none() {
        return Ok(None);
    }
    let store = store::open(place, None, settings).await?;
    let Some(live) = &store.live else { return Ok(None) };
    let mut tables = Vec::new();
    for table in &live.tables {
        tables.push(live.clients.table_state(table).await?);
    }
    let app = AppId::new(app).context("the application")?;
    let wrong_clocks = live.publishers.wrong_clocks(&app, now).await?;
    let app = store.apps.find(&app).await?;
    let mut rolled_up_to = None;
    for shard in 0..app.as_ref().map_or(0, |app| app.shards) {
        let Some(app) = &app else { break };
        let shard = AppShard { app: app.id.clone(), shard };
        let tomorrow = RollupSpan::holding(Resolution::Minute, now.plus_ms(DAY_MS));
        let newest = live.rollups.newest_before(&shard, tomorrow).await?;
        rolled_up_to = rolled_up_to.max(newest.map(|held| held.through));
    }
    let limited_until = app.and_then(|app| app.limited_until).filter(|until| *until > now);
    Ok(Some(Backstage { tables, rolled_up_to, wrong_clocks, limited_until }))
}
