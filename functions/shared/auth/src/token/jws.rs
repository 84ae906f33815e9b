//! The compact form of a signed token (RFC 7515): three parts, with a header that we understand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// The algorithms of trusted keys: RFC 7518 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

impl Algorithm {
    /// The name in a header.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
        }
    }
}

/// A token whose signature was not checked yet.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    /// Which key signed it.
    pub(super) kid: Option<String>,
    /// What was signed.
    pub(super) message: &'a [u8],
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The parameters that decide; `typ`, `cty` and unknown ones are ignored, as RFC 7515 §4 demands. A repeated one is an error.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    /// Extensions that must be understood (§4.1.11), and that of RFC 7797. We understand none.
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
    b64: Option<bool>,
}

/// True for any value, `null` too.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Jws<'a> {
    /// Reads `token`; `None` for anything else than three parts, such as an encrypted token, and for a header that we do
    /// not understand.
    pub(super) fn read(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let Header { alg, kid, crit, b64 } = serde_json::from_slice(&decode(header)?).ok()?;
        if crit || b64 == Some(false) {
            return None;
        }
        Some(Self {
            algorithm: alg,
            kid,
            message: message.as_bytes(),
            claims: decode(claims)?,
            signature: decode(signature)?,
        })
    }
}

/// Decodes base64url without padding, in its one canonical form.
pub(super) fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

pub(super) fn encode(part: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(part)
}
