//! `nsl`: the command of the metrics service, for the people who run applications.
//!
//! This file is wiring only: arguments, settings, console, the one command, the exit status.
//! `agent` and `tail` speak the wire of docs/PROTOCOL.md and nothing else; `app`, `repair` and `status` reach the tables,
//! and `token` alone the secret that signs.

mod args;
mod backstage;
mod clock;
mod clocks;
mod closing;
mod commands;
mod connect;
mod console;
mod host;
mod http;
mod key_file;
mod line;
mod local;
mod progress;
mod random;
mod rates;
mod repeats;
mod secret;
mod settings;
mod sparkline;
mod stack;
mod stop;
mod store;
mod target;
mod wire;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let settings = settings::Settings::from_environment();
    let console = console::Console::new(args.json, settings.plain);
    let outcome = commands::run(args, &settings, &console).await;
    console.conclude(outcome)
}
