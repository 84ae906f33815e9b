//! `nsl`, the command line of the metrics service.
//!
//! Every command is one file in `commands`. `agent`, `send` and `tail` use the WebSocket API and `history` the HTTP API;
//! `app`, `repair` and `status` read and write the tables, and `token` uses the secret that signs tokens.

mod app_edit;
mod app_removal;
mod app_view;
mod args;
mod cli;
mod clock_skew;
mod commands;
mod connection;
mod disconnect;
mod figure;
mod key_file;
mod library_config;
mod machine;
mod rates;
mod reconnect;
mod report_line;
mod secret;
mod shutdown;
mod smoke;
mod sparkline;
mod stack;
mod store;
mod target;

use clap::Parser as _;
use nsl_client::console::Console;
use nsl_client::settings::Settings;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let settings = Settings::from_environment();
    let console = Console::new("nsl", args.json, settings.plain);
    let cli = cli::Cli::new(args.place, settings, console);
    let outcome = commands::run(args.command, &cli).await;
    cli.console.exit_code(outcome.map(|()| ExitCode::SUCCESS))
}
