//! The `rollup` function: recomputes the rollups that a batch of stored reports makes out of date.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_aws::table_probe::TableProbe;
use nsl_aws::{boot, clock, deadline, logging, settings::environment};
use nsl_rollup::handler::RollupHandler;
use nsl_rollup::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init(env!("CARGO_CRATE_NAME"));
    let settings = boot::or_exit(Settings::read(environment));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), TableProbe::GetApp),
        (&settings.reports_table, TableProbe::Query),
        (&settings.rollups_table, TableProbe::GetRow),
    ];
    let handler = RollupHandler::new(&clients, &settings, Arc::new(clock::now));
    boot::warm_up(&clients, &tables).await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        deadline::of_invocation(event.context.deadline, handler.handle(event.payload))
    }))
    .await
}
