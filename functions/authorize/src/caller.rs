//! What a handshake or an HTTP call says of its caller: origin, address, credential.
//!
//! Owns where a credential may stand: `Authorization`, `x-api-key`, a subprotocol, the query string. Refuses to judge
//! it. Headers are compared without regard to case, as HTTP demands. Ruled by design.md §8.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What a subprotocol that carries a credential begins with; base64url without padding follows.
const SUBPROTOCOL_PREFIX: &str = "key.";

/// The authorizer's event: of a WebSocket handshake, or of an HTTP call in payload format 2.0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AuthorizerEvent {
    /// `2.0` for an HTTP call, absent for a handshake.
    pub(crate) version: Option<String>,
    /// What a handshake's policy is about.
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

/// What a caller offers as proof.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Nothing.
    Nothing,
    /// One text, perhaps in several places.
    Credential(String),
    /// Texts that contradict each other, or one that cannot be decoded.
    Garbled,
}

/// Never shows a secret.
impl std::fmt::Debug for Offer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Credential(_) => "Credential(..)",
            Self::Garbled => "Garbled",
        })
    }
}

impl AuthorizerEvent {
    /// Whether this is an HTTP call, and no handshake.
    pub(crate) fn is_http(&self) -> bool {
        self.version.as_deref() == Some("2.0")
    }

    /// The caller's address.
    pub(crate) fn source_ip(&self) -> &str {
        let context = &self.request_context;
        let caller = if self.is_http() { &context.http } else { &context.identity };
        caller.source_ip.as_deref().unwrap_or_default()
    }

    /// The page that makes the call; programs name none.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// The credential, wherever it stands. An HTTP call has it in `Authorization` only: its answer is cached by that.
    pub(crate) fn offer(&self) -> Offer {
        let mut offered: Vec<Option<String>> = Vec::new();
        offered.extend(self.header("authorization").map(|value| Some(without_scheme(value))));
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
        let mut offered = offered.into_iter();
        match offered.next() {
            None => Offer::Nothing,
            Some(Some(first)) if offered.all(|other| other.as_ref() == Some(&first)) => {
                Offer::Credential(first)
            }
            Some(_) => Offer::Garbled,
        }
    }
}

/// `Bearer x` is `x`; a value without a scheme is taken as it is.
fn without_scheme(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim().to_owned(),
        _ => value.trim().to_owned(),
    }
}

/// The credentials among the offered subprotocols: `None` for each that cannot be decoded.
fn in_subprotocols(value: &str) -> impl Iterator<Item = Option<String>> {
    let encoded = value.split(',').filter_map(|offered| offered.trim().strip_prefix(SUBPROTOCOL_PREFIX));
    encoded.map(|text| URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn handshake(headers: serde_json::Value, query: serde_json::Value) -> AuthorizerEvent {
        serde_json::from_value(json!({
            "type": "REQUEST", "methodArn": "arn", "headers": headers, "queryStringParameters": query,
            "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
        }))
        .unwrap()
    }

    fn credential() -> Offer {
        Offer::Credential("k".into())
    }

    #[test]
    fn a_credential_is_found_wherever_it_may_stand() {
        for (headers, query) in [
            (json!({"Authorization": "Bearer k"}), json!(null)),
            (json!({"authorization": "bearer  k"}), json!({})),
            (json!({"AUTHORIZATION": "k"}), json!(null)),
            (json!({"X-Api-Key": "k"}), json!(null)),
            (json!({"Sec-WebSocket-Protocol": "nsl.v1, key.aw"}), json!(null)),
            (json!({}), json!({"apiKey": "k"})),
            (json!(null), json!({"token": "k"})),
            (json!({"Authorization": "Bearer k", "x-api-key": "k"}), json!({"apiKey": "k"})),
        ] {
            assert_eq!(handshake(headers.clone(), query).offer(), credential(), "{headers}");
        }
    }

    #[test]
    fn no_credential_is_nothing_and_two_that_differ_are_garbled() {
        assert_eq!(handshake(json!({"Origin": "http://a"}), json!(null)).offer(), Offer::Nothing);
        assert_eq!(
            handshake(json!({"Sec-WebSocket-Protocol": "nsl.v1"}), json!(null)).offer(),
            Offer::Nothing
        );
        assert_eq!(handshake(json!({"x-api-key": "k"}), json!({"token": "t"})).offer(), Offer::Garbled);
        for protocols in ["key.!", "key.aw, key.dA", "nsl.v1, key.aw, key.!"] {
            let offer = handshake(json!({"Sec-WebSocket-Protocol": protocols}), json!(null)).offer();
            assert_eq!(offer, Offer::Garbled, "{protocols}");
        }
    }

    #[test]
    fn an_http_call_is_known_by_its_authorization_alone() {
        let event: AuthorizerEvent = serde_json::from_value(json!({
            "version": "2.0", "type": "REQUEST", "headers": {"x-api-key": "other", "authorization": "Bearer k"},
            "queryStringParameters": {"token": "t"}, "requestContext": {"http": {"method": "GET"}},
        }))
        .unwrap();
        assert!(event.is_http());
        assert_eq!(event.offer(), credential());
    }

    #[test]
    fn an_address_is_found_in_both_kinds_of_event() {
        let call = json!({"version": "2.0", "requestContext": {"http": {"sourceIp": "203.0.113.7"}}});
        let event: AuthorizerEvent = serde_json::from_value(call).unwrap();
        assert_eq!(event.source_ip(), "203.0.113.7");
        assert_eq!(handshake(json!({}), json!({})).source_ip(), "127.0.0.1");
    }

    #[test]
    fn no_offer_is_ever_shown() {
        assert!(!format!("{:?}", Offer::Credential("hush".into())).contains("hush"));
    }
}
