//! The commands, one per file. Each is a function `run(arguments, cli)`.

mod agent;
mod app_activate;
mod app_config;
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
mod smoke;
pub(crate) mod status;
mod tail;
mod token_inspect;
mod token_issue;

use crate::args::{AppCommand, Command, TokenCommand};
use crate::cli::Cli;
use nsl_domain::app::Status;

/// Runs the command that the arguments name.
pub(crate) async fn run(command: Command, cli: &Cli) -> anyhow::Result<()> {
    match command {
        Command::Agent(args) => agent::run(args, cli).await,
        Command::App { command } => run_app(command, cli).await,
        Command::History(args) => history::run(args, cli).await,
        Command::Repair(args) if args.list => repair_list::run(args, cli).await,
        Command::Repair(args) => repair::run(args, cli).await,
        Command::Send(args) => send::run(args, cli).await,
        Command::Smoke(args) => smoke::run(args, cli).await,
        Command::Status(args) => status::run(args, cli).await,
        Command::Tail(args) => tail::run(args, cli).await,
        Command::Token { command: TokenCommand::Issue(args) } => token_issue::run(args, cli).await,
        Command::Token { command: TokenCommand::Inspect(args) } => token_inspect::run(args, cli).await,
    }
}

async fn run_app(command: AppCommand, cli: &Cli) -> anyhow::Result<()> {
    match command {
        AppCommand::Create(args) => app_create::run(args, cli).await,
        AppCommand::Config(args) => app_config::run(args, cli).await,
        AppCommand::List(args) => app_list::run(args, cli).await,
        AppCommand::Show(args) => app_show::run(args, cli).await,
        AppCommand::Update(args) => app_update::run(args, cli).await,
        AppCommand::RotateKey(args) => app_rotate_key::run(args, cli).await,
        AppCommand::Deactivate(args) => app_activate::run(args, Status::Inactive, cli).await,
        AppCommand::Activate(args) => app_activate::run(args, Status::Active, cli).await,
        AppCommand::Delete(args) => app_delete::run(args, cli).await,
    }
}
