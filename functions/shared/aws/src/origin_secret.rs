//! The secret by which the APIs recognise requests of the proxy in front of them (docs/SECURITY.md, "Behind CloudFront
//! and WAF"). API Gateway's own names stay reachable, so every request without it is refused.

use subtle::ConstantTimeEq;

/// The header in which the proxy sends the secret.
pub const ORIGIN_SECRET_HEADER: &str = "x-origin-verify";

/// Characters of the shortest secret: 32 of hexadecimal have 128 bits.
pub(crate) const MIN_LENGTH: usize = 32;

/// The accepted secrets: two while one replaces the other, none where callers need no proxy.
#[derive(Clone, Default)]
pub struct OriginSecret {
    accepted: Vec<String>,
}

/// Never shows a secret.
impl std::fmt::Debug for OriginSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "OriginSecret({} accepted)", self.accepted.len())
    }
}

impl OriginSecret {
    pub(crate) fn new(accepted: Vec<String>) -> Self {
        Self { accepted }
    }

    /// Whether a request with this header is answered. Every secret is compared, each in constant time.
    pub fn admits(&self, header: Option<&str>) -> bool {
        if self.accepted.is_empty() {
            return true;
        }
        let sent = header.unwrap_or_default().as_bytes();
        let mut admitted = false;
        for secret in &self.accepted {
            admitted |= bool::from(secret.as_bytes().ct_eq(sent));
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn only_an_accepted_secret_is_admitted() {
        let secret = OriginSecret::new(vec![NEW.into(), OLD.into()]);
        assert!(secret.admits(Some(NEW)));
        assert!(secret.admits(Some(OLD)));
        let both = format!("{NEW},{OLD}");
        for wrong in [None, Some(""), Some(&OLD[1..]), Some(both.as_str()), Some(&OLD.to_uppercase())] {
            assert!(!secret.admits(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn without_a_secret_every_request_is_admitted() {
        for header in [None, Some(""), Some(OLD)] {
            assert!(OriginSecret::default().admits(header));
        }
    }

    #[test]
    fn debug_output_has_no_secret() {
        assert!(!format!("{:?}", OriginSecret::new(vec![OLD.into()])).contains(OLD));
    }
}
