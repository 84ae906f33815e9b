//! `nsl-load`: loads a metrics service over its public WebSocket API and checks deliveries.
//!
//! Publishers send reports like those of the library, and subscribers receive them. Every acknowledged report must reach
//! every subscriber of its app exactly once. It uses docs/PROTOCOL.md and nothing else of the service, so that it
//! works with the local gateway and with AWS.

mod args;
mod connections;
mod delivery_log;
mod failure;
mod history_probe;
mod listener;
mod load;
mod plan;
mod publisher;
mod ramp;
mod reports;
mod results;
mod run;
mod stages;
mod subscriber;
mod table;
mod target;

use anyhow::Context as _;
use clap::Parser as _;
use nsl_client::console::Console;
use nsl_client::settings::Settings;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let settings = Settings::from_environment();
    let console = Console::new("nsl-load", args.json, settings.plain);
    let outcome = stages::run(&args, &settings, &console).await;
    console
        .exit_code(outcome.and_then(|results| print(&results, &console).context("cannot print the results")))
}

fn print(results: &results::RunResults, console: &Console) -> std::io::Result<ExitCode> {
    if console.is_json() {
        console.document(results)?;
    } else {
        console.lines(table::render(results).lines())?;
    }
    Ok(if results.is_flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
