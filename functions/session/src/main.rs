//! The `session` function: holds the conversation of a connection.

mod familiar;
mod handler;
mod perform;
mod relay;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_access::token::TrustedKeys;
use nsl_aws::{boot, settings::environment};

use crate::handler::Session;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    boot::logs();
    let settings = boot::required(Settings::read(environment));
    let trusted = boot::required(TrustedKeys::new(
        &settings.tokens.secret,
        &settings.tokens.keys,
        &settings.tokens.audience,
    ));
    let session = Session::new(&boot::clients().await, &settings, trusted);
    boot::warm_up_with_posts(session.apps(), session.courier()).await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| session.handle(event.payload))).await
}
