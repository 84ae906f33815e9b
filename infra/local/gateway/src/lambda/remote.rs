//! Invocation through another Lambda endpoint: `sam local start-lambda`, `cargo lambda watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::error::{InvokeError, error_message};
use crate::options::FunctionNames;
use crate::template::Function;

/// Lambda's greatest function timeout.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(900);

/// A client of Lambda's Invoke call.
#[derive(Debug)]
pub(crate) struct RemoteLambda {
    base: String,
    client: reqwest::Client,
    /// The endpoint's names of the functions, by logical id.
    names: BTreeMap<String, String>,
}

impl RemoteLambda {
    pub(crate) fn new<'a>(
        base: &str,
        functions: impl IntoIterator<Item = &'a Function>,
        names: FunctionNames,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(INVOCATION_TIMEOUT).build()?;
        let named = |function: &Function| match names {
            FunctionNames::LogicalId => (function.logical_id.clone(), function.logical_id.clone()),
            FunctionNames::Binary => (function.logical_id.clone(), function.binary.clone()),
        };
        let names = functions.into_iter().map(named).collect();
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client, names })
    }

    /// Invokes the function with this logical id.
    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let function = self.names.get(function).map_or(function, String::as_str);
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.base);
        let unavailable =
            |error: reqwest::Error| InvokeError::Unavailable(format!("cannot invoke {function}: {error}"));
        let response = self.client.post(&url).body(event).send().await.map_err(unavailable)?;
        let status = response.status();
        let failed = response.headers().contains_key("x-amz-function-error");
        let body = response.bytes().await.map_err(unavailable)?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            return Err(InvokeError::Unavailable(format!("{url} responded with {status}: {text}")));
        }
        if failed {
            return Err(InvokeError::Function { message: error_message(&body) });
        }
        Ok(body)
    }
}
