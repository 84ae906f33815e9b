//! The secret of one gateway: an access key id that only its functions, its tools and the readers of its ready file have.
//!
//! AWS SDKs send the id in the `Authorization` header of every request, so they need no change to send a secret.
//! The signature is not verified, because the id alone is not guessable.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::ids;

/// The scheme that signed requests name.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 ";
const CREDENTIAL: &str = "Credential=";
/// DynamoDB Local accepts letters and digits only, and keeps a set of tables for each id, so another DynamoDB than the
/// embedded one gets the same id from every start.
const SHARED: &str = "LOCALGATEWAY";

#[derive(Clone)]
pub(crate) struct AccessKey(String);

impl AccessKey {
    pub(crate) fn generate() -> Self {
        Self(format!("LOCAL{}", ids::secret()))
    }

    /// That of a DynamoDB which another program serves.
    pub(crate) fn shared() -> Self {
        Self::new(SHARED)
    }

    pub(crate) fn new(id: &str) -> Self {
        Self(id.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request with these headers is signed with this key.
    pub(crate) fn has_signed(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let parts = authorization.and_then(|text| text.strip_prefix(SIGNATURE)).unwrap_or_default();
        let credential = parts.split(',').find_map(|part| part.trim_start().strip_prefix(CREDENTIAL));
        credential.and_then(|scope| scope.split('/').next()).is_some_and(|id| is_equal(id, &self.0))
    }
}

/// Compares secrets in a time that depends on their lengths only.
pub(crate) fn is_equal(given: &str, secret: &str) -> bool {
    given.as_bytes().ct_eq(secret.as_bytes()).into()
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    #[test]
    fn only_requests_with_the_key_are_signed() {
        let key = AccessKey::new("LOCAL1");
        let scope = "20260101/us-east-1/dynamodb/aws4_request";
        for signed in [
            format!("AWS4-HMAC-SHA256 Credential=LOCAL1/{scope}, SignedHeaders=host, Signature=0"),
            format!("AWS4-HMAC-SHA256 SignedHeaders=host,Credential=LOCAL1/{scope},Signature=0"),
        ] {
            assert!(key.has_signed(&headers(&signed)), "{signed}");
        }
        for other in [
            format!("AWS4-HMAC-SHA256 Credential=LOCAL2/{scope}, SignedHeaders=host, Signature=0"),
            format!("AWS4-HMAC-SHA256 Credential=/{scope}, SignedHeaders=LOCAL1, Signature=LOCAL1"),
            format!("Bearer Credential=LOCAL1/{scope}"),
            "AWS4-HMAC-SHA256 ".to_owned(),
            String::new(),
        ] {
            assert!(!key.has_signed(&headers(&other)), "{other}");
        }
        assert!(!key.has_signed(&HeaderMap::new()));
    }

    #[test]
    fn each_start_has_another_key_which_debug_hides() {
        let key = AccessKey::generate();
        assert_ne!(key.as_str(), AccessKey::generate().as_str());
        assert!(key.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(!format!("{key:?}").contains(key.as_str()));
    }
}
