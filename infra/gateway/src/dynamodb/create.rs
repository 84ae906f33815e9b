//! The template's tables, created through DynamoDB's HTTP API on whichever endpoint is used.
//!
//! A table that exists stays as it is, with its data.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Client;
use serde_json::{Value as Json, json};

use crate::clock;
use crate::template::Table;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How long a table may take to become active, and how often that is asked.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The answer of one call.
enum Answer {
    Done(Json),
    /// DynamoDB's own error: its code and message.
    Refused {
        code: String,
        message: String,
    },
}

/// Creates the tables at `endpoint` that are not there yet and turns their time to live on.
pub async fn create_tables(endpoint: &str, region: &str, tables: &[Table]) -> anyhow::Result<()> {
    let client = Client::builder().timeout(CALL_LIMIT).build()?;
    let call = async |operation: &str, body: &Json| {
        let answer = call(&client, endpoint, region, operation, body).await;
        answer.with_context(|| format!("cannot call {operation} of the DynamoDB at {endpoint}"))
    };
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

async fn call(
    client: &Client,
    endpoint: &str,
    region: &str,
    operation: &str,
    body: &Json,
) -> anyhow::Result<Answer> {
    let time = clock::signing_time(clock::now_ms());
    let date = time.split('T').next().unwrap_or_default();
    // Local engines read the key and the region out of the signature, and do not verify it.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{date}/{region}/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-target, Signature={}",
        crate::lambda::ACCESS_KEY_ID,
        "0".repeat(64)
    );
    let response = client
        .post(endpoint)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", &time)
        .header("authorization", authorization)
        .body(body.to_string())
        .send()
        .await?;
    let succeeded = response.status().is_success();
    let answer: Json = response.json().await?;
    if succeeded {
        return Ok(Answer::Done(answer));
    }
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| answer.get(*name)).and_then(Json::as_str);
        found.unwrap_or_default().to_owned()
    };
    let code = text(["__type", "code"]);
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    Ok(Answer::Refused { code, message: text(["message", "Message"]) })
}
