//! HTTP client: docs/PROTOCOL.md, "HTTP". The credential is sent as a bearer token and appears in no error.

use crate::credential::Credential;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::sleep;

/// Characters of an unexpected response body that are shown.
const MAX_SHOWN: usize = 200;

/// Longest wait for which a call that was limited is made again.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Most of these waits.
const MAX_PAUSES: usize = 3;

/// A client of one HTTP API.
#[derive(Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    base: String,
}

/// The method of a call.
pub use reqwest::Method;

/// A call with any method and headers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the parts of an HTTP request")]
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: String,
}

/// A response of any status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header; empty if it is absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot connect to {url}")]
    Connect {
        /// The address.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// No response in time.
    #[error("no response from {url} in time")]
    TimedOut {
        /// The address.
        url: String,
    },
    /// A response that is not a success.
    #[error("{url} returned {}", rejection(*.status, .body))]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The body, as received.
        body: String,
        /// After which time the same call may succeed, if the response states it.
        retry_after: Option<Duration>,
    },
    /// The connection broke.
    #[error("cannot read the response of {url}")]
    Interrupted {
        /// The address.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
}

impl HttpClient {
    /// A client for the API at `base`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(base: &str, timeout: Duration) -> reqwest::Result<Self> {
        Self::build(base, reqwest::Client::builder().timeout(timeout))
    }

    /// The same without proxies and redirects: it connects to `base` and to no other address.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn direct(base: &str, timeout: Duration) -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder().timeout(timeout);
        Self::build(base, builder.no_proxy().redirect(Policy::none()))
    }

    fn build(base: &str, builder: reqwest::ClientBuilder) -> reqwest::Result<Self> {
        Ok(Self { client: builder.build()?, base: base.trim_end_matches('/').to_owned() })
    }

    /// The body of a successful GET. One that was limited is made again after the time that the response states.
    ///
    /// # Errors
    /// If there is no response, or one that is not a success.
    pub async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
        credential: Option<&Credential>,
    ) -> Result<String, HttpError> {
        for _ in 0..MAX_PAUSES {
            match self.request(path, query, accept, credential).await {
                Err(HttpError::Status { status: 429, retry_after: Some(wait), .. }) if wait <= MAX_PAUSE => {
                    sleep(wait).await;
                }
                outcome => return outcome,
            }
        }
        self.request(path, query, accept, credential).await
    }

    async fn request(
        &self,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
        credential: Option<&Credential>,
    ) -> Result<String, HttpError> {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.get(&url).query(query).header("accept", accept);
        if let Some(credential) = credential {
            request = request.bearer_auth(credential.text());
        }
        let response = request.send().await.map_err(|source| HttpError::of(&url, source))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = response.text().await.map_err(|source| HttpError::of(&url, source))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(HttpError::Status { url, status: status.as_u16(), body, retry_after })
    }
}

impl HttpClient {
    /// The response to any call, whatever its status.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn send(&self, call: Call<'_>) -> Result<Answer, HttpError> {
        let url = format!("{}{}", self.base, call.path);
        let request = self.client.request(call.method, &url).body(call.body);
        let request =
            call.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.map_err(|source| HttpError::of(&url, source))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.map_err(|source| HttpError::of(&url, source))?;
        Ok(Answer { status, headers, body })
    }
}

impl HttpError {
    fn of(url: &str, source: reqwest::Error) -> Self {
        let url = url.to_owned();
        if source.is_timeout() {
            Self::TimedOut { url }
        } else if source.is_body() || source.is_decode() {
            Self::Interrupted { url, source }
        } else {
            Self::Connect { url, source }
        }
    }
}

/// The whole seconds of `Retry-After`; a date is ignored.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get(reqwest::header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Status and body of a response in one line.
fn rejection(status: u16, body: &str) -> String {
    #[derive(Deserialize)]
    struct Rejection {
        message: String,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        field: Option<String>,
    }
    let Ok(Rejection { message, code, field }) = serde_json::from_str(body) else {
        let shown: String = body.trim_end().chars().take(MAX_SHOWN).collect();
        return format!("{status} {shown}");
    };
    let code = code.map_or_else(String::new, |code| format!(" {code}"));
    let field = field.map_or_else(String::new, |field| format!(" {field}"));
    format!("{status}{code}:{field} {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejection_shows_status_code_field_and_message() {
        let body = r#"{"message":"must be a time","code":"invalid_field","field":"from"}"#;
        assert_eq!(rejection(400, body), "400 invalid_field: from must be a time");
        assert_eq!(rejection(401, r#"{"message":"Unauthorized"}"#), "401: Unauthorized");
        assert_eq!(rejection(502, "<html>\n"), "502 <html>");
    }
}
