//! The commands, one per file. Each is a function `run(arguments, place, settings, console)`.

mod agent;
mod app_activate;
mod app_create;
mod app_delete;
mod app_list;
mod app_rotate_key;
mod app_show;
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
use crate::settings::Settings;
use nsl_client::console::Console;
use nsl_domain::app::Status;

/// Runs the command that the arguments name.
pub(crate) async fn run(args: Args, settings: &Settings, console: &Console) -> anyhow::Result<()> {
    let place = &args.place;
    match args.command {
        Command::Agent(args) => agent::run(args, place, settings, console).await,
        Command::App { command } => run_app(command, place, settings, console).await,
        Command::History(args) => history::run(args, place, settings, console).await,
        Command::Repair(args) if args.list => repair_list::run(args, place, settings, console).await,
        Command::Repair(args) => repair::run(args, place, settings, console).await,
        Command::Send(args) => send::run(args, place, settings, console).await,
        Command::Status(args) => status::run(args, place, settings, console).await,
        Command::Tail(args) => tail::run(args, place, settings, console).await,
        Command::Token { command: TokenCommand::Issue(args) } => {
            token_issue::run(args, place, settings, console)
        }
        Command::Token { command: TokenCommand::Inspect(args) } => {
            token_inspect::run(&args, place, settings, console)
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
        AppCommand::Create(args) => app_create::run(args, place, settings, console).await,
        AppCommand::List(args) => app_list::run(args, place, settings, console).await,
        AppCommand::Show(args) => app_show::run(args, place, settings, console).await,
        AppCommand::Update(args) => app_update::run(args, place, settings, console).await,
        AppCommand::RotateKey(args) => app_rotate_key::run(args, place, settings, console).await,
        AppCommand::Deactivate(args) => {
            app_activate::run(args, Status::Inactive, place, settings, console).await
        }
        AppCommand::Activate(args) => app_activate::run(args, Status::Active, place, settings, console).await,
        AppCommand::Delete(args) => app_delete::run(args, place, settings, console).await,
    }
}
