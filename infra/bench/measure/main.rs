//! `nsl-measure`: start-up time, processor time per event and memory of each function.
//!
//! It runs the unmodified binaries with a Runtime API and a fake AWS that returns fixed responses at once, over plain HTTP
//! or TLS, so that only the function is measured, and for comparison a hello-world (`hello/main.rs`). No test uses the
//! fake AWS in place of DynamoDB. Prints one JSON document.

mod args;
mod case;

mod fake_aws;
mod function;
mod measure;
mod rows;
mod runtime_api;
mod serve;
mod tls;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;
use nsl_client::console::Console;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let console = Console::new("nsl-measure", true, true);
    let outcome = measure::all(&args, &console).await.and_then(|figures| Ok(console.document(&figures)?));
    console.exit_code(outcome.map(|()| ExitCode::SUCCESS))
}
