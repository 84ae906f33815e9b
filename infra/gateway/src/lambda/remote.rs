//! Invocation through another Lambda endpoint: `sam local start-lambda`, `cargo lambda watch`.

use std::time::Duration;

use bytes::Bytes;

use super::invoke::InvokeFailure;
use super::process::error_message;

/// Longer than any function may run, so that a dead endpoint is noticed.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// A client of Lambda's Invoke call.
#[derive(Debug)]
pub(crate) struct Remote {
    base: String,
    client: reqwest::Client,
}

impl Remote {
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(LONGEST_INVOCATION).build()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client })
    }

    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeFailure> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.base);
        let unavailable =
            |fault: reqwest::Error| InvokeFailure::Unavailable(format!("cannot invoke {function}: {fault}"));
        let response = self.client.post(&url).body(event).send().await.map_err(unavailable)?;
        let status = response.status();
        let failed = response.headers().contains_key("x-amz-function-error");
        let body = response.bytes().await.map_err(unavailable)?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            return Err(InvokeFailure::Unavailable(format!("{url} answered {status}: {text}")));
        }
        if failed {
            return Err(InvokeFailure::Function { message: error_message(&body) });
        }
        Ok(body)
    }
}
