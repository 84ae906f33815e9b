//! The template's tables, created through DynamoDB's HTTP API on whichever endpoint is used.
//!
//! A table that exists stays as it is, with its data.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

use super::client::{Answer, Api, Client};
use crate::template::Table;

/// How long a table may take to become active, and how often that is asked.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Creates the tables at `endpoint` that are not there yet and turns their time to live on.
pub async fn create_tables(endpoint: &str, region: &str, tables: &[Table]) -> anyhow::Result<()> {
    let client = Client::new(endpoint, region)?;
    let call = async |operation: &str, body: &Json| client.call(Api::Tables, operation, body).await;
    for table in tables {
        let name = &table.name;
        if let Answer::Refused { code, message } = call("CreateTable", &table.create).await?
            && code != "ResourceInUseException"
        {
            bail!("cannot create table {name}: {code}: {message}");
        }
        let active = async {
            loop {
                match call("DescribeTable", &json!({ "TableName": name })).await? {
                    Answer::Done(table) if is_active(&table) => return Ok(()),
                    Answer::Done(_) => tokio::time::sleep(ASK_EVERY).await,
                    Answer::Refused { code, message } => {
                        bail!("cannot describe table {name}: {code}: {message}")
                    }
                }
            }
        };
        tokio::time::timeout(ACTIVE_LIMIT, active)
            .await
            .with_context(|| format!("table {name} did not become active"))??;
        let Some(attribute) = &table.ttl_attribute else { continue };
        let ttl = json!({
            "TableName": name,
            "TimeToLiveSpecification": { "Enabled": true, "AttributeName": attribute },
        });
        if let Answer::Refused { code, message } = call("UpdateTimeToLive", &ttl).await?
            && !message.contains("already enabled")
        {
            bail!("cannot turn on the time to live of table {name}: {code}: {message}");
        }
    }
    Ok(())
}

fn is_active(described: &Json) -> bool {
    described.pointer("/Table/TableStatus").is_some_and(|status| status == "ACTIVE")
}
