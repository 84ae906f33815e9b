//! Access to the tables: through the local gateway's DynamoDB endpoint, or on AWS with the usual environment and profile.

use crate::cli::Cli;
use crate::target::site;
use anyhow::{Context as _, bail};
use nsl_aws::apps::Apps;
use nsl_aws::boot::{self, Clients, LocalEndpoints};
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::legacy::Commands;
use nsl_aws::legacy::Logs;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_client::ready_file::ReadyFile;
use nsl_domain::rollup::{AppRetention, Retention};
use std::collections::BTreeMap;

/// Names of the template's outputs.
const APPS_TABLE: &str = "AppsTable";
const CONNECTIONS_TABLE: &str = "ConnectionsTable";
const REPORTS_TABLE: &str = "ReportsTable";
const ROLLUPS_TABLE: &str = "RollupsTable";
const LOGS_TABLE: &str = "LogsTable";

const RAW_RETENTION_HOURS: &str = "RawRetentionHours";

/// The tables of a service.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) apps: Apps,
    /// The other tables; `None` if only the name of the apps table is known.
    pub(crate) live: Option<Live>,
    /// Default retention; `None` for a stack whose template had no such output yet.
    pub(crate) retention: Option<Retention>,
}

/// The tables and APIs with the data of apps.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) clients: Clients,
    /// Names of all tables.
    pub(crate) tables: Vec<String>,
    pub(crate) publishers: Publishers,
    pub(crate) connections_api: ConnectionsApi,
    pub(crate) reports: Reports,
    pub(crate) rollups: Rollups,
    pub(crate) logs: Logs,
    pub(crate) commands: Commands,
}

/// Opens the tables of the service that the arguments name. `table` is the name of the apps table.
pub(crate) async fn open(cli: &Cli, table: Option<&str>) -> anyhow::Result<Store> {
    let Some(site) = site(cli).await? else {
        let Some(table) = table else {
            bail!(
                "no service named: give --local for the gateway on this machine, --stack NAME for one on AWS, or --table NAME"
            );
        };
        return Ok(Store {
            apps: cli.operator().await?.clients(None).apps(table),
            live: None,
            retention: None,
        });
    };
    open_site(&site, cli, table).await
}

/// Opens the tables of the service at `site`.
pub(crate) async fn open_site(site: &ReadyFile, cli: &Cli, table: Option<&str>) -> anyhow::Result<Store> {
    let clients = match &site.dynamodb {
        Some(tables) => {
            let endpoints = LocalEndpoints {
                tables: tables.clone(),
                connections: site.management.clone(),
                region: site.region.clone(),
                access_key: site.access_key_id.clone().unwrap_or_else(|| boot::LOCAL_ACCESS_KEY.to_owned()),
            };
            boot::local_clients(&endpoints).await
        }
        None if cli.place.stack.is_some() => cli.operator().await?.clients(Some(&site.management)),
        None => bail!("the ready file has no DynamoDB endpoint"),
    };
    let table = table.or_else(|| site.outputs.get(APPS_TABLE).map(String::as_str));
    let table = table.with_context(|| format!("the service has no output {APPS_TABLE}"))?;
    let retention = retention(&site.outputs)?;
    let live = live(&clients, &site.outputs, retention.unwrap_or_default());
    Ok(Store { apps: clients.apps(table), live, retention })
}

/// The service's retention.
fn retention(outputs: &BTreeMap<String, String>) -> anyhow::Result<Option<Retention>> {
    let Some(hours) = outputs.get(RAW_RETENTION_HOURS) else { return Ok(None) };
    let invalid = || format!("invalid output {RAW_RETENTION_HOURS}: {hours:?}");
    let raw = AppRetention { raw: Some(hours.parse().with_context(invalid)?), ..AppRetention::default() };
    raw.check().with_context(invalid)?;
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

    fn parsed(hours: &str) -> anyhow::Result<Option<Retention>> {
        retention(&BTreeMap::from([(RAW_RETENTION_HOURS.to_owned(), hours.to_owned())]))
    }

    #[test]
    fn retention_is_read_from_the_outputs() {
        let expected = Retention { raw_ms: 720 * HOUR_MS, ..Retention::default() };
        assert_eq!(parsed("720").unwrap(), Some(expected));
        assert_eq!(retention(&BTreeMap::new()).unwrap(), None);
        for hours in ["", "many", "47", "721"] {
            let error = parsed(hours).unwrap_err().to_string();
            assert!(error.contains("RawRetentionHours"), "{error}");
        }
    }
}
