//! `nsl-load`: loads a metrics service over its public wire, and checks what it promises.
//!
//! Publishers send reports in the library's shape, subscribers watch, and every acknowledged report must reach every
//! subscriber of its application exactly once. This file is wiring only: arguments, settings, console, the run, the
//! exit status. It speaks docs/PROTOCOL.md and knows nothing of the service's insides, so that it can aim at the
//! local gateway and at AWS alike.

mod args;
mod book;
mod clock;
mod connection;
mod console;
mod document;
mod drive;
mod figures;
mod fleet;
mod history;
mod load;
mod plan;
mod progress;
mod publisher;
mod ramp;
mod settings;
mod subscriber;
mod table;
mod target;
mod trouble;
mod wire;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let settings = settings::Settings::from_environment();
    let console = console::Console::new(args.json);
    let outcome = drive::run(&args, &settings, &console).await;
    console.conclude(outcome)
}
