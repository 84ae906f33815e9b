//! Headers as issuers write them, and forms of a token that are not ours.

use super::by_hand::{token, token_with};
use super::*;

const CLAIMS: &str =
    r#"{"sub":"ann","aud":"nsl","iat":1800000000,"exp":1800003600,"scope":"view","apps":["shop"]}"#;

#[test]
fn header_parameters_that_decide_nothing_are_ignored() {
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"application/at+jwt"}"#,
        r#"{"alg":"HS256","cty":"json","x5t":"AA","jku":"https://evil.example","jwk":{"kty":"oct"},"x5c":"odd"}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","kid":"any","nonce":7,"deep":{"alg":"none"}}"#,
        r#"{"alg":"HS256","kid":null}"#,
        " { \"alg\" : \"HS256\" } ",
    ] {
        assert!(verify(&token(header, CLAIMS)).is_ok(), "{header}");
    }
}

#[test]
fn header_that_is_not_understood_is_refused() {
    for header in [
        // RFC 7515 §4.1.11: an extension that must be understood, an empty list and other malformed ones.
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":"exp"}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":{}}"#,
        r#"{"alg":"HS256","b64":false}"#,
        r#"{"alg":"HS256","b64":"false"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"dir","enc":"A128GCM"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256"} x"#,
        "[]",
        "",
    ] {
        assert_eq!(verify(&token(header, CLAIMS)), Err(Rejection::unauthorized()), "{header}");
    }
}

#[test]
fn token_has_exactly_three_parts() {
    let token = token_with(&[]);
    let [header, claims, signature] = parts(&token);
    for text in [
        format!("{header}.{claims}"),
        format!("{header}..{signature}"),
        format!("{header}.{claims}."),
        format!(".{claims}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{claims}.AA.{signature}"),
        // The parts of an encrypted token.
        format!("{header}.{claims}.{claims}.{claims}.{signature}"),
        "..".to_owned(),
        "....".to_owned(),
    ] {
        assert_eq!(verify(&text), Err(Rejection::unauthorized()), "{text}");
    }
}

#[test]
fn each_part_has_one_encoding() {
    let token = token_with(&[]);
    let [header, claims, signature] = parts(&token);
    let last = signature.chars().last().unwrap();
    // 32 bytes are 43 digits, of which the last has two bits that must be 0.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sibling = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let stem = signature.strip_suffix(last).unwrap();
    for text in [
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}==.{signature}"),
        format!("{header}.{claims}.{stem}{sibling}"),
        format!("{header}.{claims}.{stem}"),
        format!("{header}.{claims}.{signature}A"),
        format!("{header}.{claims} .{signature}"),
        format!("{header}.{claims}.{signature}\n"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+").to_owned() + "/"),
        format!("{header}.{claims}é.{signature}"),
    ] {
        assert_eq!(verify(&text), Err(Rejection::unauthorized()), "{text}");
    }
}

#[test]
fn nested_token_is_refused() {
    let inner = token_with(&[]);
    for header in [r#"{"alg":"HS256","cty":"JWT"}"#, HEADER] {
        assert!(verify(&token(header, &inner)).is_err());
        assert!(verify(&token(header, &format!("{inner:?}"))).is_err());
    }
}
