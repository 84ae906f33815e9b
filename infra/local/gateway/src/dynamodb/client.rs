//! One call of DynamoDB's HTTP API, or of that of its streams, on whichever endpoint is used.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value as Json;

use crate::clock;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What an operation belongs to, as the target header names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Api {
    Tables,
    Streams,
}

impl Api {
    fn prefix(self) -> &'static str {
        match self {
            Self::Tables => "DynamoDB_20120810",
            Self::Streams => "DynamoDBStreams_20120810",
        }
    }
}

/// The answer of one call.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Json),
    /// DynamoDB's own error: its code and message.
    Refused {
        code: String,
        message: String,
    },
}

/// A client of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: String,
    region: String,
}

impl Client {
    pub(crate) fn new(endpoint: &str, region: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(CALL_LIMIT).build()?;
        Ok(Self { http, endpoint: endpoint.to_owned(), region: region.to_owned() })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls `operation`; an error where no answer came.
    pub(crate) async fn call(&self, api: Api, operation: &str, body: &Json) -> anyhow::Result<Answer> {
        let answer = self.send(api, operation, body).await;
        answer.with_context(|| format!("cannot call {operation} of the DynamoDB at {}", self.endpoint))
    }

    async fn send(&self, api: Api, operation: &str, body: &Json) -> anyhow::Result<Answer> {
        let time = clock::signing_time(clock::now_ms());
        let date = time.split('T').next().unwrap_or_default();
        // Local engines read the key and the region out of the signature, and do not verify it.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{date}/{}/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature={}",
            crate::lambda::ACCESS_KEY_ID,
            self.region,
            "0".repeat(64)
        );
        let response = self
            .http
            .post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{}.{operation}", api.prefix()))
            .header("x-amz-date", &time)
            .header("authorization", authorization)
            .body(body.to_string())
            .send()
            .await?;
        let succeeded = response.status().is_success();
        let answer: Json = response.json().await?;
        if succeeded {
            return Ok(Answer::Done(answer));
        }
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| answer.get(*name)).and_then(Json::as_str);
            found.unwrap_or_default().to_owned()
        };
        let code = text(["__type", "code"]);
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        Ok(Answer::Refused { code, message: text(["message", "Message"]) })
    }
}
