//! JSON web tokens, which a viewer or a publisher may use instead of a key.
//!
//! Each trusted key has one algorithm, so that a token cannot choose how it is checked (`alg: none`, a public key used as
//! a secret). Keys are configured, never fetched.

mod claims;
mod jwks;
mod jws;
mod trusted_key;

use aws_lc_rs::hmac;
use nsl_domain::frame::control::{MAX_CREDENTIAL_BYTES, trimmed};
use nsl_domain::grant::Grant;
use nsl_domain::rejection::Rejection;
use nsl_domain::time::TimestampMs;

pub use claims::{Audience, Claims};

use claims::SignedClaims;
use jwks::KeySet;
use jws::Jws;
use trusted_key::TrustedKey;

/// Fewest bytes of a shared secret: RFC 7518 §3.2, a key at least as long as the hash's output.
pub const MIN_SECRET_BYTES: usize = 32;

/// The header of the tokens that we issue.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// Why configured keys cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeys {
    /// The shared secret could be guessed.
    #[error("the token secret has fewer than {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// The JWKS document cannot be read.
    #[error("the token keys are not a JWKS document, an object with a list of keys: {0}")]
    MalformedJwks(#[source] serde_json::Error),
}

/// The trusted keys, and the audience that tokens must have.
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
    audience: String,
}

/// Shows the number of keys, never a key.
impl std::fmt::Debug for TrustedKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TrustedKeys({} keys, audience {:?})", self.keys.len(), self.audience)
    }
}

impl TrustedKeys {
    /// Trusts `secret` (HS256) and the public keys of the JWKS document `jwks` (RS256, ES256), for tokens whose `aud`
    /// is `audience`. Empty texts trust no token. A key that cannot be used is logged and skipped.
    ///
    /// # Errors
    /// [`InvalidKeys`] for a secret that is too short, and for a document that is not a JWKS.
    pub fn new(secret: &str, jwks: &str, audience: impl Into<String>) -> Result<Self, InvalidKeys> {
        let mut keys = Vec::new();
        if !secret.is_empty() {
            keys.push(TrustedKey::of_secret(shared_secret(secret)?));
            if trimmed(secret) != secret {
                // An issuer may have the secret as it is stored.
                keys.push(TrustedKey::of_secret(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())));
            }
        }
        if !jwks.trim_ascii().is_empty() {
            let set = KeySet::read(jwks).map_err(InvalidKeys::MalformedJwks)?;
            for key in &set.skipped {
                tracing::warn!(index = key.index, kid = key.kid, reason = key.reason, "token key skipped");
            }
            keys.extend(set.keys);
        }
        Ok(Self { keys, audience: audience.into() })
    }

    /// The grant that `token` proves at `now`.
    ///
    /// # Errors
    /// `unauthorized`: with the same message for every token that no trusted key signed, and with what is wrong with the
    /// claims of one that a trusted key signed.
    pub fn verify(&self, token: &str, now: TimestampMs) -> Result<Grant, Rejection> {
        let claims = self.signed_claims(token).ok_or_else(Rejection::unauthorized)?;
        SignedClaims::read(&claims)?.grant(&self.audience, now)
    }

    /// The claims of a token that one of our keys signed, by that key's own algorithm.
    fn signed_claims(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > MAX_CREDENTIAL_BYTES {
            return None;
        }
        let jws = Jws::read(token)?;
        self.keys.iter().any(|key| key.has_signed(&jws)).then_some(jws.claims)
    }
}

/// The key of a shared secret, without the blanks around it.
fn shared_secret(secret: &str) -> Result<hmac::Key, InvalidKeys> {
    let secret = trimmed(secret);
    if secret.len() < MIN_SECRET_BYTES {
        return Err(InvalidKeys::ShortSecret);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
}

/// Signs `claims` with the shared secret (HS256), for `nsl token issue`.
///
/// # Errors
/// [`InvalidKeys::ShortSecret`] for a secret that the service would not trust.
pub fn issue(claims: &Claims, secret: &str) -> Result<String, InvalidKeys> {
    let key = shared_secret(secret)?;
    // Serializing claims cannot fail; if it did, no service would accept the token.
    let claims = serde_json::to_string(claims).unwrap_or_default();
    let message = format!("{}.{}", jws::encode(HEADER.as_bytes()), jws::encode(claims.as_bytes()));
    let signature = hmac::sign(&key, message.as_bytes());
    Ok(format!("{message}.{}", jws::encode(signature.as_ref())))
}

/// The unverified claims of `token`, for display; `None` for text that is not a token.
pub fn unverified_claims(token: &str) -> Option<serde_json::Value> {
    let (_, rest) = token.split_once('.')?;
    let (claims, _) = rest.split_once('.')?;
    serde_json::from_slice(&jws::decode(claims)?).ok()
}

#[cfg(test)]
mod tests;
