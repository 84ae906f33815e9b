//! Identifiers in AWS's formats, from the operating system's random generator.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use uuid::Uuid;

use crate::clock;

/// Eleven bytes give sixteen characters of base64 with one `=` at the end.
const ID_BYTES: usize = 11;
const TRACE_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// An API Gateway id for a connection, request or message: `L0SM9cOFvHcCIhw=`.
pub(crate) fn gateway_id() -> String {
    URL_SAFE.encode(random::<ID_BYTES>())
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// 64 hexadecimal digits.
pub(crate) fn secret() -> String {
    hex(&random::<SECRET_BYTES>())
}

/// An X-Ray trace header that is not sampled, because nothing here collects traces.
pub(crate) fn trace_id() -> String {
    let bytes = random::<TRACE_BYTES>();
    let seconds = clock::now_ms() / 1000;
    let (root, parent) = (hex(bytes.get(..12).unwrap_or_default()), hex(bytes.get(8..).unwrap_or_default()));
    format!("Root=1-{seconds:08x}-{root};Parent={parent};Sampled=0")
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without entropy ids could repeat, and frames would reach the wrong connection.
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_formats_of_aws() {
        let id = gateway_id();
        assert_eq!(id.len(), 16);
        assert!(id.ends_with('=') && !id.ends_with("=="));
        assert_ne!(id, gateway_id());
        assert!(trace_id().starts_with("Root=1-"));
    }
}
