//! Calls to DynamoDB's HTTP API and to that of its streams, on any endpoint.

use std::time::Duration;

use serde_json::Value as Json;

use crate::access_key::AccessKey;
use crate::clock;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// The header that names an operation.
pub(crate) const TARGET: &str = "x-amz-target";

/// The service of an operation, as the target header names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Api {
    Tables,
    Streams,
}

impl Api {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Tables => "DynamoDB_20120810",
            Self::Streams => "DynamoDBStreams_20120810",
        }
    }
}

/// A call without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// DynamoDB's own error.
    #[error("{operation} failed: {code}: {message}")]
    Service { operation: String, code: String, message: String },
    #[error("cannot call {operation} of the DynamoDB at {endpoint}")]
    Unreachable { operation: String, endpoint: String, source: reqwest::Error },
}

impl CallError {
    /// The code of DynamoDB's own error.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::Unreachable { .. } => None,
        }
    }
}

/// A client of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: String,
    region: String,
    access_key: AccessKey,
}

impl Client {
    pub(crate) fn new(endpoint: &str, region: &str, access_key: &AccessKey) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).build()?;
        Ok(Self {
            http,
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            access_key: access_key.clone(),
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) async fn call(&self, api: Api, operation: &str, body: &Json) -> Result<Json, CallError> {
        let (is_success, response) = self.send(api, operation, body).await.map_err(|source| {
            let (operation, endpoint) = (operation.to_owned(), self.endpoint.clone());
            CallError::Unreachable { operation, endpoint, source }
        })?;
        if is_success {
            return Ok(response);
        }
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| response.get(*name)).and_then(Json::as_str);
            found.unwrap_or_default().to_owned()
        };
        let code = text(["__type", "code"]);
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let (operation, message) = (operation.to_owned(), text(["message", "Message"]));
        Err(CallError::Service { operation, code, message })
    }

    /// Whether the call succeeded, and the body of its response.
    async fn send(&self, api: Api, operation: &str, body: &Json) -> Result<(bool, Json), reqwest::Error> {
        let time = clock::signing_time(clock::now_ms());
        let date = time.split('T').next().unwrap_or_default();
        // Local engines read the key and the region, and do not verify the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{date}/{}/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature={}",
            self.access_key.as_str(),
            self.region,
            "0".repeat(64)
        );
        let response = self
            .http
            .post(&self.endpoint)
            .header("content-type", CONTENT_TYPE)
            .header(TARGET, format!("{}.{operation}", api.prefix()))
            .header("x-amz-date", &time)
            .header("authorization", authorization)
            .body(body.to_string())
            .send()
            .await?;
        Ok((response.status().is_success(), response.json().await?))
    }
}
