//! A key that is trusted, and whether it signed a token.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;

use super::jws::{Algorithm, Jws};

/// One key and the only algorithm that it checks.
pub(super) struct TrustedKey {
    pub(super) name: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) verifier: Verifier,
}

pub(super) enum Verifier {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl TrustedKey {
    /// A key of HS256, which has no name.
    pub(super) fn of_secret(key: hmac::Key) -> Self {
        Self { name: None, algorithm: Algorithm::HS256, verifier: Verifier::Secret(Box::new(key)) }
    }

    /// A token that names its key is checked with keys of that name only, and with those that have none.
    pub(super) fn has_signed(&self, jws: &Jws<'_>) -> bool {
        let is_named = match (&jws.kid, &self.name) {
            (Some(wanted), Some(name)) => wanted == name,
            _ => true,
        };
        is_named && self.algorithm == jws.algorithm && self.verifier.accepts(jws.message, &jws.signature)
    }
}

impl Verifier {
    fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}
