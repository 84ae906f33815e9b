//! The `history` function: answers history over HTTP.

use lambda_http::{Request, service_fn};
use nsl_aws::tables::Reach;
use nsl_aws::{boot, settings::environment};
use nsl_history::handler::History;
use nsl_history::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    boot::logs();
    let settings = boot::required(Settings::read(environment));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), Reach::App),
        (&settings.reports_table, Reach::Rows),
        (&settings.rollups_table, Reach::Rows),
        (&settings.logs_table, Reach::Rows),
    ];
    let history = History::new(&clients, &settings);
    boot::warm_up(&clients, &tables).await;
    lambda_http::run(service_fn(|request: Request| history.handle(request))).await
}
