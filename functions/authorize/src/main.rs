//! The `authorize` function: says who a caller is, at `$connect` and for each HTTP call.

mod answer;
mod caller;
mod handler;
mod settings;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use nsl_access::token::TrustedKeys;
use nsl_aws::{boot, settings::environment};

use crate::handler::Authorize;
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
    let authorize = Authorize::new(&boot::clients().await, settings, trusted);
    boot::warm_up(authorize.apps()).await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| authorize.handle(event.payload))).await
}
