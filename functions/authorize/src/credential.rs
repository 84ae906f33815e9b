//! The authorizer's event: origin, address, and the credential, wherever the caller put it (docs/PROTOCOL.md).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nsl_domain::frame::control::trimmed;
use serde::Deserialize;

/// Prefix of a subprotocol that holds a credential, as base64url without padding.
const SUBPROTOCOL_PREFIX: &str = "key.";

/// The authorizer's event: of a WebSocket handshake, or of an HTTP call in payload format 2.0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AuthorizerEvent {
    /// `2.0` for an HTTP call, absent for a handshake.
    pub(crate) version: Option<String>,
    /// The resource of a handshake's policy.
    pub(crate) method_arn: Option<String>,
    headers: Option<HashMap<String, String>>,
    query_string_parameters: Option<HashMap<String, String>>,
    request_context: RequestContext,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    /// Of a handshake.
    identity: Caller,
    /// Of an HTTP call.
    http: Caller,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Caller {
    source_ip: Option<String>,
}

/// The credential of a caller.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Offered {
    /// None.
    Nothing,
    /// One text, perhaps in several places.
    Credential(String),
    /// Texts that contradict each other, or one that cannot be decoded.
    Invalid,
}

/// Never shows a secret.
impl std::fmt::Debug for Offered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Credential(_) => "Credential(..)",
            Self::Invalid => "Invalid",
        })
    }
}

impl AuthorizerEvent {
    /// Whether this is an HTTP call rather than a handshake.
    pub(crate) fn is_http(&self) -> bool {
        self.version.as_deref() == Some("2.0")
    }

    /// The caller's address.
    pub(crate) fn source_ip(&self) -> &str {
        let context = &self.request_context;
        let caller = if self.is_http() { &context.http } else { &context.identity };
        caller.source_ip.as_deref().unwrap_or_default()
    }

    /// The origin of a page; programs send none.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The value of the header `name`, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// The credential, in any of its places. Of an HTTP call only `Authorization` counts, because API Gateway caches the
    /// response by that header.
    pub(crate) fn offered(&self) -> Offered {
        let mut offered: Vec<Option<String>> = Vec::new();
        offered.extend(self.header("authorization").map(|value| Some(without_scheme(value).to_owned())));
        if !self.is_http() {
            offered.extend(self.header("x-api-key").map(|value| Some(value.to_owned())));
            offered.extend(self.header("sec-websocket-protocol").into_iter().flat_map(in_subprotocols));
            offered.extend(
                ["apiKey", "token"]
                    .map(|name| self.parameter(name))
                    .into_iter()
                    .flatten()
                    .map(|value| Some(value.to_owned())),
            );
        }
        let mut offered = offered.into_iter().map(|text| text.map(|text| trimmed(&text).to_owned()));
        match offered.next() {
            None => Offered::Nothing,
            Some(Some(first)) if offered.all(|other| other.as_ref() == Some(&first)) => {
                Offered::Credential(first)
            }
            Some(_) => Offered::Invalid,
        }
    }
}

/// The value of `Authorization` without its optional scheme `Bearer`.
fn without_scheme(value: &str) -> &str {
    let value = trimmed(value);
    match value.split_once(|character: char| character.is_ascii_whitespace()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest,
        _ => value,
    }
}

/// The credentials in a list of subprotocols; `None` for each that cannot be decoded.
fn in_subprotocols(value: &str) -> impl Iterator<Item = Option<String>> {
    let encoded = value.split(',').filter_map(|offered| offered.trim().strip_prefix(SUBPROTOCOL_PREFIX));
    encoded.map(|text| URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn http_call_is_authenticated_by_authorization_only() {
        let event: AuthorizerEvent = serde_json::from_value(json!({
            "version": "2.0", "type": "REQUEST", "headers": {"x-api-key": "other", "authorization": "Bearer k"},
            "queryStringParameters": {"token": "t"}, "requestContext": {"http": {"method": "GET"}},
        }))
        .unwrap();
        assert!(event.is_http());
        assert_eq!(event.offered(), Offered::Credential("k".into()));
    }

    #[test]
    fn address_is_found_in_both_kinds_of_event() {
        for event in [
            json!({"version": "2.0", "requestContext": {"http": {"sourceIp": "203.0.113.7"}}}),
            json!({"methodArn": "arn", "requestContext": {"identity": {"sourceIp": "203.0.113.7"}}}),
        ] {
            let event: AuthorizerEvent = serde_json::from_value(event).unwrap();
            assert_eq!(event.source_ip(), "203.0.113.7");
        }
    }

    #[test]
    fn credential_is_never_debug_printed() {
        assert!(!format!("{:?}", Offered::Credential("hush".into())).contains("hush"));
    }
}
