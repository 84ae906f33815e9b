//! The commands, one file each. Every one is `run(arguments, place, settings, console)`.

mod agent;
mod app_create;
mod app_list;
mod history;
mod send;
mod status;
mod tail;

use crate::args::{AppCommand, Args, Command};
use crate::console::Console;
use crate::settings::Settings;

/// Runs the one command that the arguments name.
pub(crate) async fn run(args: Args, settings: &Settings, console: &Console) -> anyhow::Result<()> {
    let place = &args.place;
    match args.command {
        Command::Agent(agent) => agent::run(agent, place, settings, console).await,
        Command::App { command: AppCommand::Create(create) } => {
            app_create::run(create, place, settings, console).await
        }
        Command::App { command: AppCommand::List(list) } => {
            app_list::run(list, place, settings, console).await
        }
        Command::History(history) => history::run(history, place, settings, console).await,
        Command::Send(send) => send::run(send, place, settings, console).await,
        Command::Status(status) => status::run(status, place, settings, console).await,
        Command::Tail(tail) => tail::run(tail, place, settings, console).await,
    }
}
