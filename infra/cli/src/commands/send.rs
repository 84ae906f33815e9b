//! `nsl send`: one report, and the service's verdict on it.

use crate::args::{Place, Send};
use crate::clock;
use crate::connect::Connection;
use crate::console::Console;
use crate::host::{self, Host};
use crate::settings::Settings;
use crate::target::Target;
use crate::wire::{ClientFrame, Heard, Rejection, Report, ServiceFrame, iso};
use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// Id of the one report, by which its acknowledgement is known.
const REPORT_ID: &str = "report";

/// Sends the report; a failure where the service does not take it.
pub(crate) async fn run(
    args: Send,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let target = Target::of_websocket(place, args.app.as_deref(), settings)?;
    let metrics = if args.machine { this_machine().await? } else { from_stdin()? };
    let source = args.source.unwrap_or_else(host::source_name);
    let mut connection = Connection::open(&target).await?;
    let timestamp = iso(clock::now());
    let data =
        Report { app_id: &target.app_id, metrics: &metrics, timestamp: timestamp.clone(), source: &source };
    connection.send(&ClientFrame::Metrics { id: Some(REPORT_ID.to_owned()), data }).await?;
    let rejection = verdict(&mut connection).await;
    connection.close().await;
    if let Some(rejection) = rejection? {
        return Err(rejection).context("rejected");
    }
    if console.is_json() {
        console.document(&json!({"appId": target.app_id, "source": source, "timestamp": timestamp}))?;
    } else {
        console.line(&format!("accepted: {} from {source} at {timestamp}", target.app_id))?;
    }
    Ok(())
}

async fn this_machine() -> anyhow::Result<Value> {
    let mut host = Host::new().context("cannot look at this machine")?;
    tokio::time::sleep(host::SETTLING_TIME).await;
    Ok(serde_json::to_value(host.look())?)
}

fn from_stdin() -> anyhow::Result<Value> {
    let metrics: Value =
        serde_json::from_reader(std::io::stdin().lock()).context("stdin is no JSON document of metrics")?;
    if !metrics.is_object() {
        bail!("stdin is no JSON object of metrics");
    }
    Ok(metrics)
}

/// Waits for what the service says of the report: nothing where it was accepted.
async fn verdict(connection: &mut Connection) -> anyhow::Result<Option<Rejection>> {
    loop {
        match connection.hear().await? {
            Heard::Frame(ServiceFrame::Ack { payload }) if payload.id == REPORT_ID => {
                return Ok(payload.rejected.into_iter().next());
            }
            Heard::Frame(ServiceFrame::Error { payload }) => return Ok(Some(payload)),
            Heard::Gateway { message } => bail!("the gateway failed: {message}"),
            Heard::Frame(_) | Heard::Garbage => {}
        }
    }
}
