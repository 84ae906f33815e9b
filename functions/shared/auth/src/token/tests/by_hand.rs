//! Claims as issuers write them, in tokens whose text is made here.

use super::*;

/// A token with exactly these texts, signed with the shared secret.
pub(super) fn token(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", jws::encode(header.as_bytes()), jws::encode(claims.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{message}.{}", jws::encode(hmac::sign(&key, message.as_bytes()).as_ref()))
}

/// The claims of a valid token as texts of JSON, by name.
const RIGHT: [(&str, &str); 6] = [
    ("sub", r#""ann""#),
    ("aud", r#""nsl""#),
    ("iat", "1800000000"),
    ("exp", "1800003600"),
    ("scope", r#""view""#),
    ("apps", r#"["shop"]"#),
];

/// The claims of a valid token with `changed` in place of those of the same name.
fn claims_with(changed: &[(&str, &str)]) -> String {
    let kept = RIGHT.iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
    let members: Vec<String> =
        kept.chain(changed).map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

pub(super) fn token_with(changed: &[(&str, &str)]) -> String {
    token(HEADER, &claims_with(changed))
}

fn granted(changed: &[(&str, &str)]) -> Grant {
    verify(&token_with(changed)).unwrap_or_else(|rejection| panic!("{changed:?}: {rejection}"))
}

#[test]
fn times_may_be_fractional_or_in_exponent_form() {
    for (text, ms) in [
        ("1800003600", 1_800_003_600_000),
        ("1800003600.5", 1_800_003_600_500),
        ("1800003600.0", 1_800_003_600_000),
        ("1.8000036e9", 1_800_003_600_000),
        ("18000036E+2", 1_800_003_600_000),
        ("1800003600.1239", 1_800_003_600_124),
    ] {
        assert_eq!(granted(&[("exp", text)]).until, Some(TimestampMs::clamped(ms)), "{text}");
    }
    assert_eq!(
        granted(&[("iat", "1799999999.25")]).proof,
        Proof::Token { issued: TimestampMs::clamped(1_799_999_999_250) }
    );
    assert!(verify(&token_with(&[("nbf", "1.80000003e9")])).is_ok());
    assert_eq!(message_of(&token_with(&[("nbf", "1800000030.5")])), "the token is not valid yet");
    assert_eq!(message_of(&token_with(&[("exp", "1800000000.0")])), "the credentials have expired");
    assert!(verify(&token_with(&[("exp", "1800000000.001")])).is_ok());
}

#[test]
fn end_in_the_far_future_is_the_last_instant() {
    for text in
        ["1800003600000", "253402300799999", "9223372036854775807", "1e300", "1e999", "99999999999999999999"]
    {
        assert_eq!(granted(&[("exp", text)]).until, Some(TimestampMs::clamped(i64::MAX)), "{text}");
    }
}

#[test]
fn times_before_1970_are_past() {
    for text in ["-1", "-1.5", "-1e300", "-9223372036854775808", "0", "-0", "-0.0"] {
        assert_eq!(message_of(&token_with(&[("exp", text)])), "the credentials have expired", "{text}");
        let issued = TimestampMs::clamped(0);
        assert_eq!(granted(&[("iat", text), ("nbf", text)]).proof, Proof::Token { issued }, "{text}");
    }
}

#[test]
fn time_that_is_no_number_is_refused() {
    for text in [r#""1800003600""#, r#""soon""#, "true", "[1800003600]", "{}", "null", r#""inf""#] {
        assert!(message_of(&token_with(&[("exp", text)])).contains("exp must be seconds"), "{text}");
        assert!(message_of(&token_with(&[("iat", text)])).contains("iat must be seconds"), "{text}");
        let result = verify(&token_with(&[("nbf", text)]));
        assert_eq!(result.is_ok(), text == "null", "{text}");
    }
}

#[test]
fn milliseconds_as_time_of_issue_are_in_the_future() {
    assert_eq!(message_of(&token_with(&[("iat", "1800000000000")])), "the token is not valid yet");
}

#[test]
fn subject_is_kept_as_it_is() {
    for text in
        ["auth0|5f7c8ec7c33c6c004bbafe82", "https://issuer.example/u?a=b#c", "a#b", "Zoë \u{1f600}", " "]
    {
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(granted(&[("sub", &json)]).user.as_str(), text);
    }
    assert!(verify(&token_with(&[("sub", &format!("{:?}", "x".repeat(256)))])).is_ok());
    let long = format!("{:?}", "x".repeat(257));
    for text in [&long, r#""""#, r#""\u001b[2J""#, r#""a\nb""#, "7", "null"] {
        let message = message_of(&token_with(&[("sub", text)]));
        assert!(message.contains("sub must be a text of 1 to 256 bytes"), "{message}");
    }
}

#[test]
fn subject_is_never_a_user_id() {
    assert_eq!(granted(&[("sub", r#""ann""#)]).user_id(), None);
}

#[test]
fn scope_is_words_or_a_list() {
    for (json, scope) in [
        (r#""both""#, Scope::BOTH),
        (r#""publish view""#, Scope::BOTH),
        (r#""openid profile view""#, Scope::VIEW),
        (r#"["manage","openid"]"#, Scope::MANAGE),
    ] {
        assert_eq!(granted(&[("scope", json)]).scope, scope, "{json}");
    }
    for json in [r#""openid profile""#, r#""""#, "[]", "7", "null", r#""all""#] {
        let message = message_of(&token_with(&[("scope", json)]));
        assert!(message.contains("scope must have one of the words publish, view and manage"), "{message}");
    }
}

#[test]
fn audience_is_a_text_or_a_list() {
    assert!(verify(&token_with(&[("aud", r#"["nsl"]"#)])).is_ok());
    for json in ["7", "null", "{}", r#"[["nsl"]]"#, r#"["nsl",7]"#] {
        assert!(message_of(&token_with(&[("aud", json)])).contains("aud must be"), "{json}");
    }
    assert_eq!(message_of(&token_with(&[("aud", r#""NSL""#)])), "the token is for another audience");
}

#[test]
fn malformed_apps_or_owner_is_refused() {
    for json in [r#"["a#b"]"#, r#""shop""#, "[7]", r#"[""]"#] {
        assert!(message_of(&token_with(&[("apps", json)])).contains("apps must be a list"), "{json}");
    }
    let owner = |json| token_with(&[("apps", "[]"), ("owner", json)]);
    assert!(message_of(&owner(r#""a b""#)).contains("owner must be a user's id"));
    assert!(verify(&owner(r#""ann""#)).is_ok());
}

#[test]
fn repeated_app_is_granted_once() {
    let reach = granted(&[("apps", r#"["shop","bank","shop"]"#)]).reach;
    assert_eq!(reach, GrantedApps::Apps(["shop", "bank"].map(|app| AppId::new(app).unwrap()).to_vec()));
}

#[test]
fn repeated_claim_is_refused_and_unknown_ones_are_ignored() {
    let repeated = claims_with(&[]).replace(r#""aud":"#, r#""exp":1,"aud":"#);
    assert!(message_of(&token(HEADER, &repeated)).contains("without repeats"));
    let unknown = [("iss", "7"), ("azp", "{}"), ("n", "1e999"), ("deep", r#"[[[{"exp":1}]]]"#)];
    assert!(verify(&token_with(&unknown)).is_ok());
}

#[test]
fn claims_that_are_no_object_are_refused() {
    for claims in
        ["", "7", "[]", "null", "{", "\"eyJhbGciOiJIUzI1NiJ9.e30.AA\"", "eyJhbGciOiJIUzI1NiJ9.e30.AA"]
    {
        message_of(&token(HEADER, claims));
    }
    message_of(&token(HEADER, &"[".repeat(5_000)));
    message_of(&token(HEADER, &format!("{} x", claims_with(&[]))));
}

#[test]
fn token_over_8_kilobytes_is_refused() {
    let filler = |bytes: usize| format!("{:?}", "x".repeat(bytes));
    assert!(verify(&token_with(&[("note", &filler(5_500))])).is_ok());
    assert_eq!(verify(&token_with(&[("note", &filler(6_500))])), Err(Rejection::unauthorized()));
}
