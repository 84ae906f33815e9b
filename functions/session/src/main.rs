//! The `session` function: `$connect`, `$disconnect`, and every frame that is not a report.

mod connection_cache;
mod effects;
mod handler;
mod legacy;
mod replay_limiter;
mod session;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_auth::token::TrustedKeys;
use nsl_aws::table_probe::TableProbe;
use nsl_aws::{boot, deadline, logging, settings::environment};

use crate::session::Session;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init(env!("CARGO_CRATE_NAME"));
    let settings = boot::or_exit(Settings::read(environment));
    let tokens = &settings.tokens;
    let trusted = TrustedKeys::new(&tokens.secret, &tokens.keys, &tokens.audience);
    let trusted =
        boot::or_exit(trusted.map_err(|fault| format!("misconfigured: TOKEN_SECRET, TOKEN_KEYS: {fault}")));
    let clients = boot::clients().await;
    let tables = [
        (settings.apps_table.as_str(), TableProbe::GetApp),
        (&settings.connections_table, TableProbe::GetRow),
        (&settings.reports_table, TableProbe::Query),
        (&settings.rollups_table, TableProbe::Query),
        (&settings.logs_table, TableProbe::Query),
    ];
    let session = Session::new(&clients, &settings, trusted);
    boot::warm_up_with_posts(&clients, &tables, &session.connections_api).await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        deadline::of_invocation(event.context.deadline, session.handle(event.payload))
    }))
    .await
}
