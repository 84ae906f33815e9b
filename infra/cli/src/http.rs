//! Questions to the HTTP API: docs/PROTOCOL.md §3. The key travels as a bearer token and is in no message.

use crate::target::{Credential, Target};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for an answer: API Gateway gives a function 30 seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(35);

/// Characters that are shown of an answer that is no error of ours.
const MAX_SHOWN: usize = 200;

/// How the HTTP API refuses.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    field: Option<String>,
}

/// Asks for `path` with `query`, and answers with the body of a success.
pub(crate) async fn ask(
    target: &Target,
    path: &str,
    query: &[(&str, String)],
    accept: &str,
) -> anyhow::Result<String> {
    ask_as(Some(&target.credential), &target.address, path, query, accept).await
}

/// Asks the service at `address` for `path` with what opens it, if anything does, and answers with the body of a
/// success.
pub(crate) async fn ask_as(
    credential: Option<&Credential>,
    address: &str,
    path: &str,
    query: &[(&str, String)],
    accept: &str,
) -> anyhow::Result<String> {
    let address = format!("{}{path}", address.trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(ANSWER_LIMIT).build()?;
    let mut request = client.get(&address).query(query).header("accept", accept);
    if let Some(credential) = credential {
        request = request.bearer_auth(credential.text());
    }
    let response = request.send().await.with_context(|| format!("cannot ask {address}"))?;
    let status = response.status();
    let body = response.text().await.with_context(|| format!("cannot read the answer of {address}"))?;
    if !status.is_success() {
        bail!("{address} refused: {}", refusal(status.as_u16(), &body));
    }
    Ok(body)
}

fn refusal(status: u16, body: &str) -> String {
    let Ok(refusal) = serde_json::from_str::<Refusal>(body) else {
        let shown: String =
            body.chars().filter(|character| !character.is_control()).take(MAX_SHOWN).collect();
        return format!("{status} {shown}");
    };
    let code = refusal.code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
    match refusal.field {
        Some(field) => format!("{}: {} ({code})", field, refusal.message),
        None => format!("{} ({code})", refusal.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_told_with_its_code_and_field() {
        let body = r#"{"message":"must be a time","code":"invalid_field","field":"from"}"#;
        assert_eq!(refusal(400, body), "from: must be a time (400 invalid_field)");
        assert_eq!(refusal(401, r#"{"message":"Unauthorized"}"#), "Unauthorized (401)");
        assert_eq!(refusal(502, "<html>\n"), "502 <html>");
    }
}
