//! The `authorize` function: authenticates the caller at `$connect` and of each HTTP call.

mod credential;
mod handler;
mod response;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_auth::token::TrustedKeys;
use nsl_aws::counters::Counter;
use nsl_aws::table_probe::TableProbe;
use nsl_aws::{boot, deadline, logging, settings::environment};

use crate::handler::Authorize;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init(env!("CARGO_CRATE_NAME"));
    boot::count_failed_start(Counter::AuthorizeFaults);
    let settings = boot::or_exit(Settings::read(environment));
    let tokens = &settings.tokens;
    let trusted = TrustedKeys::new(&tokens.secret, &tokens.keys, &tokens.audience);
    let trusted =
        boot::or_exit(trusted.map_err(|fault| format!("misconfigured: TOKEN_SECRET, TOKEN_KEYS: {fault}")));
    let clients = boot::clients().await;
    boot::warm_up(&clients, &[(&settings.apps_table, TableProbe::GetApp)]).await;
    let authorize = Authorize::new(&clients, settings, trusted);
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        deadline::of_invocation(event.context.deadline, authorize.handle(event.payload))
    }))
    .await
}
