//! The `ingest` function: validates reports, stores them and posts them to the subscribers of their app.

mod authorise;
mod deliver;
mod handler;
mod late_minutes;
mod legacy;
mod limits;
mod min_interval;
mod processes;
mod rejection_limiter;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_aws::table_probe::TableProbe;
use nsl_aws::{boot, deadline, logging, settings::environment};

use crate::handler::Ingest;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init(env!("CARGO_CRATE_NAME"));
    let settings = boot::or_exit(Settings::read(environment));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), TableProbe::GetApp),
        (&settings.connections_table, TableProbe::GetRow),
        (&settings.reports_table, TableProbe::Put),
    ];
    let ingest = Ingest::new(&clients, &settings);
    boot::warm_up_with_posts(&clients, &tables, &ingest.connections_api).await;
    // As a task, on a handler that lives as long as the process: waking the first future of a runtime costs a system call,
    // and every response of AWS wakes it.
    let ingest: &'static Ingest = Box::leak(Box::new(ingest));
    tokio::spawn(lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        deadline::of_invocation(event.context.deadline, ingest.handle(event.payload))
    })))
    .await?
}
