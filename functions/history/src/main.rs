//! The `history` function: answers history over HTTP.

use history::handler::History;
use history::settings::Settings;
use lambda_http::{Request, service_fn};
use nsl_aws::{boot, settings::environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    boot::logs();
    let settings = boot::required(Settings::read(environment));
    let history = History::new(&boot::clients().await, &settings);
    boot::warm_up(history.apps()).await;
    lambda_http::run(service_fn(|request: Request| history.handle(request))).await
}
