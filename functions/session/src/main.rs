//! The `session` function: holds the conversation of a connection.

mod familiar;
mod handler;
mod perform;
mod relay;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_auth::token::TrustedKeys;
use nsl_aws::tables::Reach;
use nsl_aws::{boot, settings::environment};

use crate::handler::Session;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    boot::logs();
    let settings = boot::required(Settings::read(environment));
    let tokens = &settings.tokens;
    let trusted = TrustedKeys::new(&tokens.secret, &tokens.keys, &tokens.audience);
    let trusted =
        boot::required(trusted.map_err(|fault| format!("misconfigured: TOKEN_SECRET, TOKEN_KEYS: {fault}")));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), Reach::App),
        (&settings.connections_table, Reach::Row),
        (&settings.reports_table, Reach::Rows),
        (&settings.rollups_table, Reach::Rows),
        (&settings.logs_table, Reach::Rows),
    ];
    let session = Session::new(&clients, &settings, trusted);
    boot::warm_up_with_posts(&clients, &tables, &session.courier).await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| session.handle(event.payload))).await
}
