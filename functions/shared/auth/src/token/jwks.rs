//! Public keys from a JWKS document (RFC 7517). A key that we cannot use is skipped with its reason, because an issuer
//! publishes keys for others too, and tomorrow's beside today's.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::jws::{Algorithm, decode};
use super::trusted_key::{TrustedKey, Verifier};

/// Bits of an RSA modulus: RFC 7518 §3.3 demands 2048, and the cryptography takes no more than 8192.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// Most bytes of an RSA exponent, which the cryptography limits to 33 bits.
const MAX_EXPONENT_BYTES: usize = 5;

/// Bytes of a coordinate of P-256.
const COORDINATE_BYTES: usize = 32;

/// The first byte of an elliptic point that is not compressed: SEC 1 §2.3.3.
const UNCOMPRESSED: u8 = 4;

/// A document: members beside `keys` are ignored.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members of a key that decide; others are ignored.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SkippedKey {
    /// Its place in the document, from 0.
    pub(super) index: usize,
    pub(super) kid: Option<String>,
    pub(super) reason: String,
}

/// The usable keys of a document, and the others.
pub(super) struct KeySet {
    pub(super) keys: Vec<TrustedKey>,
    pub(super) skipped: Vec<SkippedKey>,
}

impl KeySet {
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        let document: Document<'_> = serde_json::from_str(text)?;
        let mut set = Self { keys: Vec::new(), skipped: Vec::new() };
        for (index, entry) in document.keys.iter().enumerate() {
            match serde_json::from_str::<Jwk>(entry.get()) {
                Ok(jwk) => match public_key(&jwk) {
                    Ok(key) => set.keys.push(key),
                    Err(reason) => set.skipped.push(SkippedKey { index, kid: jwk.kid, reason }),
                },
                Err(error) => {
                    let reason = format!("not a key: {error}");
                    set.skipped.push(SkippedKey { index, kid: kid_of(entry), reason });
                }
            }
        }
        Ok(set)
    }
}

/// The name of a key whose other members cannot be read.
fn kid_of(entry: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        kid: String,
    }
    serde_json::from_str(entry.get()).ok().map(|Named { kid }| kid)
}

/// The key, or the reason why it cannot be used.
fn public_key(jwk: &Jwk) -> Result<TrustedKey, String> {
    check_use(jwk)?;
    let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => (Algorithm::RS256, rsa_key(jwk)),
        ("EC", Some("P-256")) => (Algorithm::ES256, elliptic_key(jwk)),
        ("EC", curve) => return Err(format!("curve {curve:?} is not P-256")),
        ("oct", _) => return Err("a shared secret is not a public key".to_owned()),
        (kind, _) => return Err(format!("kty {kind:?} is neither RSA nor EC")),
    };
    check_algorithm(jwk, algorithm)?;
    Ok(TrustedKey { name: jwk.kid.clone(), algorithm, verifier: Verifier::Public(key?) })
}

/// Whether its `use` and `key_ops` (RFC 7517 §4.2, §4.3) are those of a key that verifies signatures.
fn check_use(jwk: &Jwk) -> Result<(), String> {
    match (jwk.purpose.as_deref(), &jwk.key_ops) {
        (Some(purpose), _) if purpose != "sig" => Err(format!("use is {purpose:?}, not \"sig\"")),
        (_, Some(operations)) if operations.iter().all(|operation| operation != "verify") => {
            Err("key_ops has no \"verify\"".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether its `alg` (RFC 7517 §4.4), if it has one, is ours of that kind of key.
fn check_algorithm(jwk: &Jwk, algorithm: Algorithm) -> Result<(), String> {
    match jwk.alg.as_deref() {
        Some(name) if name != algorithm.as_str() => {
            Err(format!("alg is {name:?}, not {:?}", algorithm.as_str()))
        }
        _ => Ok(()),
    }
}

fn rsa_key(jwk: &Jwk) -> Result<ParsedPublicKey, String> {
    let (n, e) = (number(jwk.n.as_deref(), "n")?, number(jwk.e.as_deref(), "e")?);
    let bits = n.first().map_or(0, |first| 8 * n.len() - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(format!("an RSA key of {bits} bits, not {} to {}", RSA_BITS.start(), RSA_BITS.end()));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !is_odd(&n) || !is_odd(&e) || e == [1] || e.len() > MAX_EXPONENT_BYTES {
        return Err("n and e are not a modulus and an exponent of RSA".to_owned());
    }
    let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
    parsed.map_err(|error| format!("not an RSA key: {error}"))
}

fn elliptic_key(jwk: &Jwk) -> Result<ParsedPublicKey, String> {
    let mut point = vec![UNCOMPRESSED];
    for (name, member) in [("x", &jwk.x), ("y", &jwk.y)] {
        let coordinate = bytes(member.as_deref(), name)?;
        if coordinate.len() != COORDINATE_BYTES {
            return Err(format!("{name} has {} bytes, not {COORDINATE_BYTES}", coordinate.len()));
        }
        point.extend(coordinate);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|error| format!("not a P-256 key: {error}"))
}

/// A number without leading zeros, which some issuers write although RFC 7518 §6.3.1 forbids it.
fn number(member: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes(member, name)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn bytes(member: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let member = member.ok_or_else(|| format!("{name} is missing"))?;
    decode(member).ok_or_else(|| format!("{name} is not base64url"))
}
