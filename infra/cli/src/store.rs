//! The way to the tables: the local gateway's DynamoDB endpoint, or AWS by the usual environment and profile.

use crate::args::Place;
use crate::settings::Settings;
use crate::target::site;
use anyhow::{Context as _, bail};
use nsl_aws::apps::Apps;
use nsl_aws::boot::{self, Clients, LocalEndpoints};
use nsl_aws::commands::Commands;
use nsl_aws::courier::Courier;
use nsl_aws::logs::Logs;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_domain::rollup::Retention;
use std::collections::BTreeMap;

/// The template's names of what the commands reach.
const APPS_TABLE: &str = "AppsTable";
const CONNECTIONS_TABLE: &str = "ConnectionsTable";
const REPORTS_TABLE: &str = "ReportsTable";
const ROLLUPS_TABLE: &str = "RollupsTable";
const LOGS_TABLE: &str = "LogsTable";

/// What an operator changes.
#[derive(Debug)]
pub(crate) struct Store {
    /// The applications.
    pub(crate) apps: Apps,
    /// What the service does with them, where it is known: a table of applications alone does not tell.
    pub(crate) live: Option<Live>,
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
    pub(crate) courier: Courier,
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
        return Ok(Store { apps: boot::clients().await.apps(table), live: None });
    };
    let clients = match &site.dynamodb {
        Some(tables) => {
            let endpoints = LocalEndpoints {
                tables: tables.clone(),
                connections: site.management.clone(),
                region: site.region.clone(),
            };
            boot::local_clients(&endpoints).await
        }
        None if place.stack.is_some() => boot::clients_posting_to(&site.management).await,
        None => bail!("the ready file names no DynamoDB endpoint"),
    };
    let table = table.or_else(|| site.outputs.get(APPS_TABLE).map(String::as_str));
    let table = table.with_context(|| format!("no {APPS_TABLE} is named among the outputs"))?;
    Ok(Store { apps: clients.apps(table), live: live(&clients, &site.outputs) })
}

fn live(clients: &Clients, outputs: &BTreeMap<String, String>) -> Option<Live> {
    let names = [APPS_TABLE, CONNECTIONS_TABLE, REPORTS_TABLE, ROLLUPS_TABLE, LOGS_TABLE];
    Some(Live {
        clients: clients.clone(),
        tables: names.iter().filter_map(|name| outputs.get(*name)).cloned().collect(),
        publishers: clients.publishers(outputs.get(CONNECTIONS_TABLE)?),
        courier: clients.courier(),
        reports: clients.reports(outputs.get(REPORTS_TABLE)?),
        rollups: clients.rollups(outputs.get(ROLLUPS_TABLE)?, Retention::default()),
        logs: clients.log_entries(outputs.get(LOGS_TABLE)?),
        commands: clients.commands(outputs.get(CONNECTIONS_TABLE)?),
    })
}
