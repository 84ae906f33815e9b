//! The commands, one file each. Every one is `run(arguments, place, settings, console)`.

mod agent;
mod app_change;
mod app_create;
mod app_delete;
mod app_list;
mod app_rotate_key;
mod app_show;
mod app_switch;
mod app_update;
mod history;
mod repair;
mod repair_list;
mod send;
mod status;
mod tail;
mod token_inspect;
mod token_issue;

use crate::args::{AppCommand, Args, Command, Place, TokenCommand};
use crate::console::Console;
use crate::settings::Settings;
use nsl_domain::app::Status;

/// Runs the one command that the arguments name.
pub(crate) async fn run(args: Args, settings: &Settings, console: &Console) -> anyhow::Result<()> {
    let place = &args.place;
    match args.command {
        Command::Agent(agent) => agent::run(agent, place, settings, console).await,
        Command::App { command } => run_app(command, place, settings, console).await,
        Command::History(history) => history::run(history, place, settings, console).await,
        Command::Repair(repair) if repair.list => repair_list::run(repair, place, settings, console).await,
        Command::Repair(repair) => repair::run(repair, place, settings, console).await,
        Command::Send(send) => send::run(send, place, settings, console).await,
        Command::Status(status) => status::run(status, place, settings, console).await,
        Command::Tail(tail) => tail::run(tail, place, settings, console).await,
        Command::Token { command: TokenCommand::Issue(issue) } => {
            token_issue::run(issue, place, settings, console)
        }
        Command::Token { command: TokenCommand::Inspect(inspect) } => {
            token_inspect::run(&inspect, place, settings, console)
        }
    }
}

async fn run_app(
    command: AppCommand,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    match command {
        AppCommand::Create(create) => app_create::run(create, place, settings, console).await,
        AppCommand::List(list) => app_list::run(list, place, settings, console).await,
        AppCommand::Show(named) => app_show::run(named, place, settings, console).await,
        AppCommand::Update(update) => app_update::run(update, place, settings, console).await,
        AppCommand::RotateKey(rotate) => app_rotate_key::run(rotate, place, settings, console).await,
        AppCommand::Deactivate(named) => {
            app_switch::run(named, Status::Inactive, place, settings, console).await
        }
        AppCommand::Activate(named) => app_switch::run(named, Status::Active, place, settings, console).await,
        AppCommand::Delete(delete) => app_delete::run(delete, place, settings, console).await,
    }
}
