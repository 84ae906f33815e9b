//! Tokens that are accepted, and every way in which one is rejected.

mod by_hand;
mod headers;
mod key_sets;
mod properties;

use jsonwebtoken::{Algorithm as SigningAlgorithm, EncodingKey, Header};
use nsl_domain::grant::{GrantedApps, MAX_GRANTED_APPS, Proof};
use nsl_domain::ids::{AppId, Scope, Subject, UserId};
use nsl_domain::rejection::Code;
use nsl_domain::time::SECOND_MS;

use super::*;

const NOW_S: i64 = 1_800_000_000;
const SECRET: &str = "a shared secret of more than 32 bytes";

fn seconds(seconds: i64) -> TimestampMs {
    TimestampMs::clamped(seconds * SECOND_MS)
}

fn now() -> TimestampMs {
    seconds(NOW_S)
}

fn claims() -> Claims {
    Claims {
        sub: Subject::new("ann").unwrap(),
        aud: "nsl".into(),
        iat: NOW_S,
        exp: NOW_S + 3_600,
        nbf: None,
        scope: Scope::VIEW,
        apps: vec![AppId::new("shop").unwrap()],
        owner: None,
    }
}

fn verify(token: &str) -> Result<Grant, Rejection> {
    TrustedKeys::new(SECRET, "", "nsl").unwrap().verify(token, now())
}

fn signed(change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = claims();
    change(&mut claims);
    issue(&claims, SECRET).unwrap()
}

/// Why a token is refused.
fn message_of(token: &str) -> String {
    let rejection = verify(token).unwrap_err();
    assert_eq!(rejection.code, Code::Unauthorized);
    rejection.message
}

#[test]
fn token_grants_its_claims_until_expiry() {
    let grant = verify(&signed(|_| {})).unwrap();
    assert_eq!(grant.scope, Scope::VIEW);
    assert_eq!(grant.reach, GrantedApps::Apps(vec![AppId::new("shop").unwrap()]));
    assert_eq!(grant.proof, Proof::Token { issued: now() });
    assert_eq!(grant.until, Some(seconds(NOW_S + 3_600)));
}

#[test]
fn owner_token_grants_the_owners_apps() {
    let owner = UserId::new("ann").unwrap();
    let token = signed(|claims| {
        claims.apps.clear();
        claims.owner = Some(owner.clone());
    });
    assert_eq!(verify(&token).unwrap().reach, GrantedApps::Owner(owner));
}

#[test]
fn token_outside_its_validity_is_rejected() {
    for (name, token) in [
        ("expired", signed(|claims| claims.exp = NOW_S)),
        ("from the future", signed(|claims| claims.iat = NOW_S + 31)),
        ("not yet begun", signed(|claims| claims.nbf = Some(NOW_S + 31))),
    ] {
        assert_eq!(verify(&token).unwrap_err().code, Code::Unauthorized, "{name}");
    }
    assert!(verify(&signed(|claims| claims.iat = NOW_S + 30)).is_ok());
}

#[test]
fn token_may_name_several_audiences() {
    let several = |names: &[&str]| Audience::Several(names.iter().map(|name| (*name).to_owned()).collect());
    assert!(verify(&signed(|claims| claims.aud = several(&["billing", "nsl"]))).is_ok());
    for names in [&["billing"][..], &[]] {
        let token = signed(|claims| claims.aud = several(names));
        assert_eq!(message_of(&token), "the token is for another audience", "{names:?}");
    }
}

#[test]
fn token_for_another_audience_or_no_app_is_rejected() {
    let app = |index: usize| AppId::new(format!("app-{index}")).unwrap();
    for (part, token) in [
        ("another audience", signed(|claims| claims.aud = "other".into())),
        ("neither apps nor an owner", signed(|claims| claims.apps.clear())),
        ("both apps and an owner", signed(|claims| claims.owner = Some(UserId::new("ann").unwrap()))),
        ("at most 50 app ids", signed(|claims| claims.apps = (0..=MAX_GRANTED_APPS).map(app).collect())),
    ] {
        assert!(message_of(&token).contains(part), "{part}");
    }
}

/// The parts of a token: header, claims, signature.
fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

#[test]
fn invalid_signature_is_rejected() {
    let [header, body, signature] = parts(&signed(|_| {}));
    let [_, forged, _] = parts(&signed(|claims| claims.scope = Scope::BOTH));
    let another = issue(&claims(), "another secret of more than 32 bytes.").unwrap();
    // {"alg":"none"}
    let none = "eyJhbGciOiJub25lIn0";
    for token in [
        another,
        format!("{header}.{forged}.{signature}"),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{header}.{body}."),
        format!("{header}.{body}"),
        String::new(),
        "a.b.c".to_owned(),
        "\0".to_owned(),
    ] {
        assert_eq!(verify(&token).unwrap_err(), Rejection::unauthorized(), "{token:?}");
    }
}

const JWKS: &str = include_str!("keys/jwks.json");

/// Trusts two public keys, one of each kind, and no secret.
fn public_keys() -> TrustedKeys {
    TrustedKeys::new("", JWKS, "nsl").unwrap()
}

fn signed_with(algorithm: SigningAlgorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    jsonwebtoken::encode(&header, &claims(), key).unwrap()
}

fn elliptic_key() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("keys/es256.pk8"))
}

fn rsa_key() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("keys/rs256.der"))
}

#[test]
fn public_key_verifies_signature_of_its_private_key() {
    for (algorithm, kid, key) in
        [(SigningAlgorithm::ES256, "es", elliptic_key()), (SigningAlgorithm::RS256, "rs", rsa_key())]
    {
        for named in [Some(kid), None] {
            let token = signed_with(algorithm, named, &key);
            assert!(public_keys().verify(&token, now()).is_ok(), "{algorithm:?} {named:?}");
        }
        let misnamed = signed_with(algorithm, Some("another"), &key);
        assert!(public_keys().verify(&misnamed, now()).is_err(), "{algorithm:?}");
    }
}

#[test]
fn public_key_is_not_accepted_as_hmac_secret() {
    // The classic confusion: what everybody may know, used as the secret of an HS256 token.
    let confused = issue(&claims(), JWKS).unwrap();
    let other_hash = signed_with(SigningAlgorithm::RS512, Some("rs"), &rsa_key());
    for token in [confused, other_hash] {
        assert_eq!(public_keys().verify(&token, now()).unwrap_err(), Rejection::unauthorized());
    }
}

#[test]
fn short_secret_is_not_trusted() {
    assert!(matches!(TrustedKeys::new("short", "", "nsl"), Err(InvalidKeys::ShortSecret)));
    assert!(matches!(TrustedKeys::new("", "{}", "nsl"), Err(InvalidKeys::MalformedJwks(_))));
}

#[test]
fn every_token_is_rejected_without_keys() {
    let untrusting = TrustedKeys::new("", "", "nsl").unwrap();
    assert!(untrusting.verify(&signed(|_| {}), now()).is_err());
}

#[test]
fn blanks_around_the_secret_are_no_part_of_it() {
    let stored = format!("{SECRET}\r\n");
    let by_hand = |secret: &str| {
        jsonwebtoken::encode(&Header::default(), &claims(), &EncodingKey::from_secret(secret.as_bytes()))
            .unwrap()
    };
    for (trusted, token) in [
        (stored.as_str(), issue(&claims(), SECRET).unwrap()),
        (SECRET, issue(&claims(), &stored).unwrap()),
        (&stored, by_hand(SECRET)),
        (&stored, by_hand(&stored)),
    ] {
        assert!(TrustedKeys::new(trusted, "", "nsl").unwrap().verify(&token, now()).is_ok(), "{trusted:?}");
    }
    assert!(TrustedKeys::new(SECRET, "", "nsl").unwrap().verify(&by_hand(&stored), now()).is_err());
    let short = format!("{}{}", "x".repeat(31), " ".repeat(9));
    assert!(matches!(TrustedKeys::new(&short, "", "nsl"), Err(InvalidKeys::ShortSecret)));
}
