//! The way to the tables: the local gateway's DynamoDB endpoint, or AWS by the usual environment and profile.

use crate::args::Place;
use crate::settings::Settings;
use crate::target::read_ready_file;
use anyhow::{Context as _, bail};
use nsl_aws::apps::Apps;
use nsl_aws::boot::{self, LocalEndpoints};

/// The template's name of the table of applications.
const APPS_TABLE: &str = "AppsTable";

/// The table of applications. `table` is its name, which a ready file knows by itself.
pub(crate) async fn apps(place: &Place, table: Option<&str>, settings: &Settings) -> anyhow::Result<Apps> {
    let Some(ready) = read_ready_file(place, settings)? else {
        let Some(table) = table else {
            bail!(
                "which service? say --local for the gateway on this machine, or give --table NAME for one on AWS"
            );
        };
        return Ok(boot::clients().await.apps(table));
    };
    let table = table.or_else(|| ready.outputs.get(APPS_TABLE).map(String::as_str));
    let table = table.with_context(|| format!("the ready file names no {APPS_TABLE} among its outputs"))?;
    let endpoints = LocalEndpoints {
        tables: ready.dynamodb.context("the ready file names no DynamoDB endpoint")?,
        connections: ready.management,
        region: ready.region,
    };
    Ok(boot::local_clients(&endpoints).await.apps(table))
}
