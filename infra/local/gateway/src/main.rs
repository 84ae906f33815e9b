//! The `nsl-gateway` program: arguments, settings, run.

use std::process::ExitCode;

use clap::Parser;
use nsl_gateway::{
    EXEC_FLAG, Options, Settings, exec_with_parent_death_signal, keep_files_private, print_error, run,
    shutdown_signal,
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == EXEC_FLAG) {
        print_error(&exec_with_parent_death_signal(arguments));
        return ExitCode::FAILURE;
    }
    keep_files_private();
    match start(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(options: Options) -> anyhow::Result<()> {
    run(options, Settings::from_env(), shutdown_signal()).await
}
