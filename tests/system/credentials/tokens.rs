//! Tokens that `nsl token issue` does not issue: signed here with the right secret, a wrong one, or none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Lifetime of a token in seconds.
const LIFE: i64 = 3_600;

/// The claims of a token that may view `app`, issued at `now` (seconds since 1970).
pub(super) fn claims(app: &str, now: i64) -> Value {
    json!({"sub": "ann", "aud": "nsl", "iat": now, "exp": now + LIFE, "scope": "view", "apps": [app]})
}

/// `claims` with some replaced.
pub(super) fn with(mut claims: Value, changed: Value) -> Value {
    for (name, value) in changed.as_object().expect("claims to change") {
        claims[name] = value.clone();
    }
    claims
}

pub(super) fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .expect("a token")
}

/// Signed with the private key of a public key that the service trusts.
pub(super) fn signed_with_private_key(claims: &Value) -> String {
    let key = EncodingKey::from_ec_der(include_bytes!("../../fixtures/token-key-es256.pk8"));
    encode(&Header::new(Algorithm::ES256), claims, &key).expect("a token")
}

/// A token with `alg: none` and no signature.
pub(super) fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
}

/// `token` with other claims and its old signature.
pub(super) fn altered(token: &str, claims: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], part(claims), parts[2])
}

pub(super) fn base64url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn part(value: &Value) -> String {
    base64url(&value.to_string())
}
