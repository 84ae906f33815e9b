//! The way to the tables: the local gateway's DynamoDB endpoint, or AWS by the usual environment and profile.

use crate::args::Place;
use crate::local::ReadyFile;
use crate::settings::Settings;
use crate::target::site;
use anyhow::{Context as _, bail};
use nsl_aws::apps::Apps;
use nsl_aws::boot::{self, Clients, LocalEndpoints};
use nsl_aws::commands::Commands;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::logs::Logs;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_domain::rollup::{AppRetention, Retention};
use std::collections::BTreeMap;

/// The template's names of what the commands reach.
const APPS_TABLE: &str = "AppsTable";
const CONNECTIONS_TABLE: &str = "ConnectionsTable";
const REPORTS_TABLE: &str = "ReportsTable";
const ROLLUPS_TABLE: &str = "RollupsTable";
const LOGS_TABLE: &str = "LogsTable";

/// The template's name of how many hours raw reports are kept.
const RAW_RETENTION_HOURS: &str = "RawRetentionHours";

/// What an operator changes.
#[derive(Debug)]
pub(crate) struct Store {
    /// The applications.
    pub(crate) apps: Apps,
    /// What the service does with them, where it is known: a table of applications alone does not tell.
    pub(crate) live: Option<Live>,
    /// How long it keeps what applications set no retention for, where it tells that: a stack that was deployed by an
    /// older template does not.
    pub(crate) retention: Option<Retention>,
}

/// Connections, reports and rollups of the applications.
#[derive(Debug)]
pub(crate) struct Live {
    /// The way to all of it.
    pub(crate) clients: Clients,
    /// Names of its tables.
    pub(crate) tables: Vec<String>,
    /// Who is connected.
    pub(crate) publishers: Publishers,
    /// What closes connections.
    pub(crate) connections_api: ConnectionsApi,
    /// What was reported.
    pub(crate) reports: Reports,
    /// What was made of it.
    pub(crate) rollups: Rollups,
    /// What was logged.
    pub(crate) logs: Logs,
    /// What publishers were told.
    pub(crate) commands: Commands,
}

/// The tables of the place. `table` is the name of that of applications, which a ready file and a stack know.
pub(crate) async fn open(place: &Place, table: Option<&str>, settings: &Settings) -> anyhow::Result<Store> {
    let Some(site) = site(place, settings)? else {
        let Some(table) = table else {
            bail!(
                "which service? say --local for the gateway on this machine, --stack NAME for one on AWS, or --table NAME"
            );
        };
        return Ok(Store { apps: boot::clients().await.apps(table), live: None, retention: None });
    };
    open_site(&site, place, table).await
}

/// The tables of the service that `place` names, which is at `site`.
pub(crate) async fn open_site(site: &ReadyFile, place: &Place, table: Option<&str>) -> anyhow::Result<Store> {
    let clients = match &site.dynamodb {
        Some(tables) => {
            let endpoints = LocalEndpoints {
                tables: tables.clone(),
                connections: site.management.clone(),
                region: site.region.clone(),
            };
            boot::local_clients(&endpoints).await
        }
        None if place.stack.is_some() => boot::clients_with_connections_at(&site.management).await,
        None => bail!("the ready file names no DynamoDB endpoint"),
    };
    let table = table.or_else(|| site.outputs.get(APPS_TABLE).map(String::as_str));
    let table = table.with_context(|| format!("no {APPS_TABLE} is named among the outputs"))?;
    let retention = retention(&site.outputs)?;
    let live = live(&clients, &site.outputs, retention.unwrap_or_default());
    Ok(Store { apps: clients.apps(table), live, retention })
}

/// The service's retention, which the rollup function is told in the same words.
fn retention(outputs: &BTreeMap<String, String>) -> anyhow::Result<Option<Retention>> {
    let Some(hours) = outputs.get(RAW_RETENTION_HOURS) else { return Ok(None) };
    let told = || format!("cannot understand the output {RAW_RETENTION_HOURS} {hours:?}");
    let raw = AppRetention { raw: Some(hours.parse().with_context(told)?), ..AppRetention::default() };
    raw.check().with_context(told)?;
    Ok(Some(raw.with_defaults(Retention::default())))
}

fn live(clients: &Clients, outputs: &BTreeMap<String, String>, retention: Retention) -> Option<Live> {
    let names = [APPS_TABLE, CONNECTIONS_TABLE, REPORTS_TABLE, ROLLUPS_TABLE, LOGS_TABLE];
    Some(Live {
        clients: clients.clone(),
        tables: names.iter().filter_map(|name| outputs.get(*name)).cloned().collect(),
        publishers: clients.publishers(outputs.get(CONNECTIONS_TABLE)?),
        connections_api: clients.connections_api(),
        reports: clients.reports(outputs.get(REPORTS_TABLE)?),
        rollups: clients.rollups(outputs.get(ROLLUPS_TABLE)?, retention),
        logs: clients.log_entries(outputs.get(LOGS_TABLE)?),
        commands: clients.commands(outputs.get(CONNECTIONS_TABLE)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::time::HOUR_MS;

    fn told(hours: &str) -> anyhow::Result<Option<Retention>> {
        retention(&BTreeMap::from([(RAW_RETENTION_HOURS.to_owned(), hours.to_owned())]))
    }

    #[test]
    fn a_service_tells_its_own_retention_or_none() {
        let expected = Retention { raw_ms: 720 * HOUR_MS, ..Retention::default() };
        assert_eq!(told("720").unwrap(), Some(expected));
        assert_eq!(retention(&BTreeMap::new()).unwrap(), None);
        for hours in ["", "many", "47", "721"] {
            let fault = told(hours).unwrap_err().to_string();
            assert!(fault.contains("RawRetentionHours"), "{fault}");
        }
    }
}
