//! The binary of the `history` function.

use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Request, Service, lambda_runtime, service_fn};
use nsl_aws::table_probe::TableProbe;
use nsl_aws::{boot, deadline, logging, settings::environment};
use nsl_history::event::convertible;
use nsl_history::handler::History;
use nsl_history::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logging::init(env!("CARGO_CRATE_NAME"));
    let settings = boot::or_exit(Settings::read(environment));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), TableProbe::GetApp),
        (&settings.reports_table, TableProbe::Query),
        (&settings.rollups_table, TableProbe::Query),
        (&settings.logs_table, TableProbe::Query),
    ];
    let history = History::new(&clients, &settings);
    boot::warm_up(&clients, &tables).await;
    let mut adapter = Adapter::from(service_fn(|request: Request| history.handle(request)));
    let handle = |event: LambdaEvent<LambdaRequest>| {
        deadline::of_invocation(event.context.deadline, adapter.call(convertible(event)))
    };
    lambda_runtime::run(service_fn(handle)).await
}
