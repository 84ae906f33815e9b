//! Creates the template's tables through DynamoDB's HTTP API. A table that exists stays as it is, with its items.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

use super::client::{Api, CallError, Client};
use crate::access_key::AccessKey;
use crate::template::Table;

/// How long a table may take to become active.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Creates the tables that do not exist at `endpoint` with this access key, and enables their time to live.
pub async fn create_tables(
    endpoint: &str,
    region: &str,
    access_key: &str,
    tables: &[Table],
) -> anyhow::Result<()> {
    let client = Client::new(endpoint, region, &AccessKey::new(access_key))?;
    for table in tables {
        create_table(&client, table).await.with_context(|| format!("cannot create table {}", table.name))?;
    }
    Ok(())
}

async fn create_table(client: &Client, table: &Table) -> anyhow::Result<()> {
    let call = async |operation: &str, body: &Json| client.call(Api::Tables, operation, body).await;
    match call("CreateTable", &table.create).await {
        Err(error) if error.code() != Some("ResourceInUseException") => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    let active = async {
        loop {
            let described = call("DescribeTable", &json!({ "TableName": table.name })).await?;
            if described.pointer("/Table/TableStatus").is_some_and(|status| status == "ACTIVE") {
                return Ok::<(), CallError>(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(ACTIVE_TIMEOUT, active).await.context("it did not become active")??;
    let Some(attribute) = &table.ttl_attribute else { return Ok(()) };
    let ttl = json!({
        "TableName": table.name,
        "TimeToLiveSpecification": { "Enabled": true, "AttributeName": attribute },
    });
    match call("UpdateTimeToLive", &ttl).await {
        Err(CallError::Service { message, .. }) if message.contains("already enabled") => Ok(()),
        Err(error) => bail!(error),
        Ok(_) => Ok(()),
    }
}
