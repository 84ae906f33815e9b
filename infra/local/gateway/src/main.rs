//! The `nsl-gateway` program: arguments, settings, run.

use std::process::ExitCode;

use clap::Parser;
use nsl_gateway::{KEEP, Options, Settings, become_child, fatal, run, signalled};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == KEEP) {
        fatal(&become_child(arguments));
        return ExitCode::FAILURE;
    }
    match start(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            fatal(&fault);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(options: Options) -> anyhow::Result<()> {
    run(options, Settings::from_env(), signalled()).await
}
