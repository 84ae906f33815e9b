//! `nsl send`: sends one report and waits until it is accepted or rejected.

use crate::args::Send;
use crate::cli::Cli;
use crate::connection::Connection;
use crate::machine::{self, Machine};
use crate::target::Target;
use anyhow::{Context as _, bail};
use nsl_client::clock;
use nsl_client::frame::{ClientFrame, Rejection, Report, Reports, ServiceFrame};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

/// Id of the acknowledgement.
const REPORT_ID: &str = "report";

pub(crate) async fn run(args: Send, cli: &Cli) -> anyhow::Result<()> {
    let target = Target::of_websocket(cli, args.app.as_deref()).await?;
    let metrics = if args.machine { machine_metrics().await? } else { metrics_from_stdin()? };
    let source = args.source.unwrap_or_else(machine::source_name);
    let mut connection = Connection::open(&target).await?;
    let timestamp = clock::now();
    let report = Report { app_id: &target.app_id, metrics: &metrics, timestamp, source: &source };
    let id = Some(REPORT_ID.to_owned());
    connection.send(&ClientFrame::Metrics { id, data: Reports::One(report) }).await?;
    let rejection = reply(&mut connection).await;
    connection.close().await;
    if let Some(rejection) = rejection? {
        return Err(rejection).context("report rejected");
    }
    let document = json!({"appId": target.app_id, "source": source, "timestamp": timestamp});
    let text = || format!("accepted: {} from {source} at {timestamp}", target.app_id);
    Ok(cli.console.show(&document, text)?)
}

async fn machine_metrics() -> anyhow::Result<Box<RawValue>> {
    let mut machine = Machine::new().context("cannot read this machine's metrics")?;
    tokio::time::sleep(machine::MIN_CPU_INTERVAL).await;
    Ok(to_raw_value(&machine.metrics())?)
}

fn metrics_from_stdin() -> anyhow::Result<Box<RawValue>> {
    let metrics: Map<String, Value> =
        serde_json::from_reader(std::io::stdin().lock()).context("stdin is not a JSON object of metrics")?;
    Ok(to_raw_value(&metrics)?)
}

/// Why the report was rejected; `None` if it was accepted.
async fn reply(connection: &mut Connection) -> anyhow::Result<Option<Rejection>> {
    loop {
        match ServiceFrame::parse(&connection.receive().await?) {
            ServiceFrame::Ack(ack) if ack.id == REPORT_ID => return Ok(ack.rejected.into_iter().next()),
            ServiceFrame::Error(rejection) => return Ok(Some(rejection)),
            ServiceFrame::GatewayError(message) => bail!("API Gateway reported an error: {message}"),
            // The acknowledgement of another frame, or a frame that a publisher does not use.
            ServiceFrame::Ack(_)
            | ServiceFrame::AuthSuccess
            | ServiceFrame::Subscribed(_)
            | ServiceFrame::Replay(_)
            | ServiceFrame::Metrics(_)
            | ServiceFrame::Pong
            | ServiceFrame::Other
            | ServiceFrame::Malformed => {}
        }
    }
}
