//! JSON web tokens, which a viewer or a publisher may use instead of a key.
//!
//! Each trusted key has one algorithm, so that a token cannot choose how it is checked (`alg: none`, a public key used as
//! a secret). Keys are configured, never fetched.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use nsl_domain::grant::{Grant, GrantedApps, MAX_GRANTED_APPS, Proof};
use nsl_domain::ids::{AppId, Scope, UserId};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{CLOCK_SKEW_MS, SECOND_MS, TimestampMs};
use serde::{Deserialize, Serialize};

/// Fewest bytes of a shared secret: RFC 7518 §3.2, a key at least as long as the hash's output.
pub const MIN_SECRET_BYTES: usize = 32;

/// Why configured keys cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeys {
    /// The shared secret could be guessed.
    #[error("the token secret has fewer than {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// The JWKS document cannot be read.
    #[error("the token keys are not a JWKS document")]
    MalformedJwks(#[source] serde_json::Error),
    /// A key of the document is of another kind than RS256 and ES256.
    #[error("token key {0} is neither an RS256 nor an ES256 key")]
    UnsupportedKey(usize),
}

/// One key and the only algorithm that it checks.
struct TrustedKey {
    name: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
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

/// The claims of a token. Times are seconds since 1970: RFC 7519 §4.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// Which services it is for.
    pub aud: Audience,
    /// When it was issued.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// When it begins, if that is later than its issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Which actions: publish, view, or both.
    pub scope: Scope,
    /// The apps, at most [`MAX_GRANTED_APPS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppId>,
    /// Every app of this owner, if there are no `apps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
}

/// One service or several: RFC 7519 §4.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Any of these.
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, service: &str) -> bool {
        match self {
            Self::One(name) => name == service,
            Self::Several(names) => names.iter().any(|name| name == service),
        }
    }
}

impl From<&str> for Audience {
    fn from(name: &str) -> Self {
        Self::One(name.to_owned())
    }
}

impl TrustedKeys {
    /// Trusts `secret` (HS256) and the public keys of the JWKS document `jwks` (RS256, ES256), for tokens whose `aud`
    /// is `audience`. Empty texts trust no token.
    ///
    /// # Errors
    /// [`InvalidKeys`] for a secret that is too short, and for keys that cannot be read or used.
    pub fn new(secret: &str, jwks: &str, audience: impl Into<String>) -> Result<Self, InvalidKeys> {
        let mut keys = Vec::new();
        if !secret.is_empty() {
            if secret.len() < MIN_SECRET_BYTES {
                return Err(InvalidKeys::ShortSecret);
            }
            let key = DecodingKey::from_secret(secret.as_bytes());
            keys.push(TrustedKey { name: None, algorithm: Algorithm::HS256, key });
        }
        if !jwks.is_empty() {
            let document: JwkSet = serde_json::from_str(jwks).map_err(InvalidKeys::MalformedJwks)?;
            for (index, jwk) in document.keys.iter().enumerate() {
                keys.push(public_key(jwk).ok_or(InvalidKeys::UnsupportedKey(index))?);
            }
        }
        Ok(Self { keys, audience: audience.into() })
    }

    /// The grant that `token` proves at `now`.
    ///
    /// # Errors
    /// `unauthorized`, with the same message for every flaw but age.
    pub fn verify(&self, token: &str, now: TimestampMs) -> Result<Grant, Rejection> {
        let claims = self.signed_claims(token).ok_or_else(Rejection::unauthorized)?;
        if !claims.aud.names(&self.audience) {
            return Err(Rejection::unauthorized());
        }
        let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        if seconds(begins).ms_since(now) > CLOCK_SKEW_MS {
            return Err(Rejection::unauthorized());
        }
        if seconds(claims.exp) <= now {
            return Err(Rejection::new(Code::Unauthorized, "the credentials have expired"));
        }
        grant(claims).ok_or_else(Rejection::unauthorized)
    }

    /// The claims of a token that one of our keys signed, by that key's own algorithm.
    fn signed_claims(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let candidates =
            self.keys.iter().filter(|key| key.algorithm == header.alg && key.matches(&header.kid));
        candidates.into_iter().find_map(|key| {
            let mut validation = Validation::new(key.algorithm);
            // Time and audience are checked by the caller: the library would read the clock itself.
            validation.validate_exp = false;
            validation.validate_aud = false;
            jsonwebtoken::decode(token, &key.key, &validation).ok().map(|decoded| decoded.claims)
        })
    }
}

impl TrustedKey {
    /// A token that names its key is checked with that key only.
    fn matches(&self, kid: &Option<String>) -> bool {
        match (kid, &self.name) {
            (Some(wanted), Some(name)) => wanted == name,
            _ => true,
        }
    }
}

fn public_key(jwk: &Jwk) -> Option<TrustedKey> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(TrustedKey { name: jwk.common.key_id.clone(), algorithm, key })
}

fn seconds(seconds: i64) -> TimestampMs {
    TimestampMs::clamped(seconds.saturating_mul(SECOND_MS))
}

/// `None` for claims without apps, with too many, or with both apps and an owner.
fn grant(claims: Claims) -> Option<Grant> {
    let reach = match claims.owner {
        Some(owner) if claims.apps.is_empty() => GrantedApps::Owner(owner),
        None if (1..=MAX_GRANTED_APPS).contains(&claims.apps.len()) => GrantedApps::Apps(claims.apps),
        _ => return None,
    };
    Some(Grant {
        user: claims.sub,
        scope: claims.scope,
        reach,
        proof: Proof::Token { issued: seconds(claims.iat) },
        until: Some(seconds(claims.exp)),
    })
}

/// Signs `claims` with the shared secret (HS256), for `nsl token issue`.
///
/// # Errors
/// [`InvalidKeys::ShortSecret`] for a secret that the service would not trust.
pub fn issue(claims: &Claims, secret: &str) -> Result<String, InvalidKeys> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(InvalidKeys::ShortSecret);
    }
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).map_err(|_| InvalidKeys::ShortSecret)
}

/// The unverified claims of `token`, for display; `None` for text that is not a token.
pub fn unverified_claims(token: &str) -> Option<serde_json::Value> {
    jsonwebtoken::dangerous::insecure_decode_claims(token).ok()
}

#[cfg(test)]
mod tests;
