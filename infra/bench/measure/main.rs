//! `nsl-measure`: what each function costs by itself: its start, its processor time for each event, its memory.
//!
//! Runs the unmodified binaries against a Runtime API and a stand-in of AWS that answers known bytes at once, over
//! plain HTTP or TLS, so that nothing is measured but the function. Beside them runs a hello-world of the same runtime
//! (`hello/main.rs`). The stand-in stands for DynamoDB in no test: what is measured with it is proved elsewhere.
//! This file is wiring only: arguments, the measurements in turn, one JSON document.

mod args;
mod case;

mod function;
mod measure;
mod rows;
mod runtime_api;
mod serve;
mod stand_in;
mod tls;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    match measure::all(&args).await.and_then(|figures| Ok(serde_json::to_string_pretty(&figures)?)) {
        // Nobody is left to be told when stdout or stderr itself fails.
        Ok(text) => {
            let _ = writeln!(std::io::stdout().lock(), "{text}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            let _ = writeln!(std::io::stderr().lock(), "nsl-measure: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
