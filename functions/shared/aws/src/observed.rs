//! Clients that show each call to a table to an observer before it is sent: a test's observer panics.

use std::fmt;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use crate::boot::Clients;

/// Calls its function with the operation and the body of each call.
struct Observer<F>(F);

impl<F> fmt::Debug for Observer<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}

impl<F: Fn(&str, &str) + Send + Sync> Intercept for Observer<F> {
    fn name(&self) -> &'static str {
        "Observer"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.split('.').next_back().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        (self.0)(operation, &String::from_utf8_lossy(body));
        Ok(())
    }
}

impl Clients {
    /// The same clients, with `observe` called for each call to a table, with its operation and its body.
    #[must_use]
    pub fn observed(mut self, observe: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        let config = self.tables.config().to_builder().interceptor(Observer(observe)).build();
        self.tables = aws_sdk_dynamodb::Client::from_conf(config);
        self
    }
}
