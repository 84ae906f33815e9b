//! JWKS documents of issuers: which keys are used, and why the others are skipped.

use serde_json::{Value, json};

use super::*;

/// The two usable keys, of ES256 and of RS256.
fn usable() -> [Value; 2] {
    let mut document: Value = serde_json::from_str(JWKS).unwrap();
    [0, 1].map(|index| document["keys"][index].take())
}

/// `key` with some members replaced; `null` removes one.
fn with(key: &Value, changed: Value) -> Value {
    let mut key = key.clone();
    for (name, value) in changed.as_object().unwrap() {
        key[name] = value.clone();
    }
    key.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    key
}

fn read(keys: &[Value]) -> KeySet {
    KeySet::read(&json!({"keys": keys}).to_string()).unwrap()
}

fn trusting(keys: &[Value]) -> TrustedKeys {
    TrustedKeys::new("", &json!({"keys": keys}).to_string(), "nsl").unwrap()
}

fn elliptic_token(kid: Option<&str>) -> String {
    signed_with(SigningAlgorithm::ES256, kid, &elliptic_key())
}

fn rsa_token(kid: Option<&str>) -> String {
    signed_with(SigningAlgorithm::RS256, kid, &rsa_key())
}

/// Keys that cannot be used, each with a part of the reason.
fn unusable() -> Vec<(Value, &'static str)> {
    let [es, rs] = usable();
    let short = jws::encode(&[0xff; 128]);
    let long = jws::encode(&[0xff; 1_025]);
    let even = jws::encode(&[0xfe; 256]);
    let zeros = jws::encode(&[0; 256]);
    vec![
        (json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AAAA"}), "kty \"OKP\""),
        (json!({"kty": "oct", "kid": "o", "k": "AAAA"}), "shared secret"),
        (json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}), "kty \"AKP\""),
        (json!({"kty": "rsa"}), "kty \"rsa\""),
        (with(&es, json!({"crv": "P-384", "alg": "ES384"})), "P-384"),
        (with(&es, json!({"crv": "secp256k1"})), "secp256k1"),
        (with(&es, json!({"crv": null})), "not P-256"),
        (with(&es, json!({"use": "enc"})), "use is \"enc\""),
        (with(&rs, json!({"use": "enc"})), "use is \"enc\""),
        (with(&es, json!({"key_ops": ["sign"], "use": null})), "key_ops"),
        (with(&es, json!({"key_ops": []})), "key_ops"),
        (with(&es, json!({"alg": "RS256"})), "alg is \"RS256\""),
        (with(&es, json!({"alg": "ES384"})), "alg is \"ES384\""),
        (with(&rs, json!({"alg": "RS512"})), "alg is \"RS512\""),
        (with(&rs, json!({"alg": "PS256"})), "alg is \"PS256\""),
        (with(&rs, json!({"alg": "RSA-OAEP"})), "alg is \"RSA-OAEP\""),
        (with(&rs, json!({"alg": "HS256"})), "alg is \"HS256\""),
        (with(&es, json!({"x": null})), "x is missing"),
        (with(&es, json!({"y": null})), "y is missing"),
        (with(&rs, json!({"n": null})), "n is missing"),
        (with(&rs, json!({"e": null})), "e is missing"),
        (with(&es, json!({"x": "not base64!"})), "x is not base64url"),
        (with(&es, json!({"x": "AAAA"})), "x has 3 bytes"),
        (with(&es, json!({"x": es["y"]})), "not a P-256 key"),
        (with(&rs, json!({"n": "+/+/"})), "n is not base64url"),
        (with(&rs, json!({"n": ""})), "0 bits"),
        (with(&rs, json!({"n": zeros})), "0 bits"),
        (with(&rs, json!({"n": short})), "1024 bits"),
        (with(&rs, json!({"n": long})), "8200 bits"),
        (with(&rs, json!({"n": even})), "n and e"),
        (with(&rs, json!({"e": ""})), "n and e"),
        (with(&rs, json!({"e": "AQ"})), "n and e"),
        (with(&rs, json!({"e": "Ag"})), "n and e"),
        (with(&rs, json!({"kid": 7})), "not a key"),
        (with(&rs, json!({"use": ["sig"]})), "not a key"),
        (with(&rs, json!({"key_ops": "verify"})), "not a key"),
        (json!({"kid": "none"}), "not a key"),
        (json!({}), "not a key"),
        (json!(null), "not a key"),
        (json!("AAAA"), "not a key"),
        (json!([]), "not a key"),
    ]
}

#[test]
fn unusable_key_is_skipped_with_its_kid_and_reason() {
    let [es, rs] = usable();
    for (key, reason) in unusable() {
        let set = read(&[es.clone(), key.clone(), rs.clone()]);
        assert_eq!(set.keys.len(), 2, "{key}");
        let [skipped] = &set.skipped[..] else { panic!("{key}: {:?}", set.skipped) };
        assert_eq!(skipped.index, 1);
        assert!(skipped.reason.contains(reason), "{key}: {}", skipped.reason);
        assert_eq!(skipped.kid.as_deref(), key["kid"].as_str(), "{key}");
        let trusted = trusting(&[es.clone(), key, rs.clone()]);
        for token in [elliptic_token(Some("es")), rsa_token(None)] {
            assert!(trusted.verify(&token, now()).is_ok());
        }
    }
}

#[test]
fn document_of_unusable_keys_trusts_no_token() {
    let keys: Vec<Value> = unusable().into_iter().map(|(key, _)| key).collect();
    for keys in [&keys[..], &[]] {
        let trusted = trusting(keys);
        for token in [elliptic_token(None), rsa_token(Some("rs")), signed(|_| {})] {
            assert_eq!(trusted.verify(&token, now()), Err(Rejection::unauthorized()));
        }
    }
}

#[test]
fn members_that_decide_nothing_are_ignored() {
    let [es, rs] = usable();
    let zero_first = jws::encode(&[&[0][..], &jws::decode(rs["n"].as_str().unwrap()).unwrap()].concat());
    for key in [
        with(&es, json!({"alg": null, "use": null})),
        with(&es, json!({"x5c": "odd", "x5t": 7, "iat": 1e300, "nested": {"kty": "oct"}})),
        with(&es, json!({"key_ops": ["sign", "verify"]})),
    ] {
        assert!(
            trusting(std::slice::from_ref(&key)).verify(&elliptic_token(Some("es")), now()).is_ok(),
            "{key}"
        );
    }
    for key in [
        with(&rs, json!({"alg": null, "use": null})),
        with(&rs, json!({"n": zero_first})),
        with(&rs, json!({"e": "AAEAAQ"})),
        with(&rs, json!({"crv": "P-384", "x": 1})),
    ] {
        let is_ok = trusting(std::slice::from_ref(&key)).verify(&rsa_token(Some("rs")), now()).is_ok();
        assert_eq!(is_ok, !key["x"].is_number(), "{key}");
    }
    let text = format!(r#"{{"issuer":"x","keys":[{es}],"n":1e999}}"#);
    assert!(TrustedKeys::new("", &text, "nsl").unwrap().verify(&elliptic_token(None), now()).is_ok());
}

#[test]
fn algorithm_of_a_key_binds_it() {
    let trusted = trusting(&usable());
    // Each key signs with the other's name.
    for token in [elliptic_token(Some("rs")), rsa_token(Some("es"))] {
        assert_eq!(trusted.verify(&token, now()), Err(Rejection::unauthorized()));
    }
    for algorithm in [SigningAlgorithm::RS384, SigningAlgorithm::RS512, SigningAlgorithm::PS256] {
        let token = signed_with(algorithm, Some("rs"), &rsa_key());
        assert_eq!(trusted.verify(&token, now()), Err(Rejection::unauthorized()), "{algorithm:?}");
    }
}

#[test]
fn keys_of_one_name_are_all_tried() {
    let [es, rs] = usable();
    let trusted = trusting(&[with(&rs, json!({"kid": "k"})), with(&es, json!({"kid": "k"}))]);
    for token in [elliptic_token(Some("k")), rsa_token(Some("k")), elliptic_token(None), rsa_token(None)] {
        assert!(trusted.verify(&token, now()).is_ok());
    }
    assert!(trusted.verify(&elliptic_token(Some("es")), now()).is_err());
}

#[test]
fn key_without_name_verifies_tokens_of_any_name() {
    let [es, _] = usable();
    let trusted = trusting(&[with(&es, json!({"kid": null}))]);
    for kid in [None, Some("any"), Some("")] {
        assert!(trusted.verify(&elliptic_token(kid), now()).is_ok(), "{kid:?}");
    }
}

#[test]
fn document_that_is_not_a_jwks_is_an_error() {
    let [es, _] = usable();
    for text in
        ["{}", "[]", "7", "not json", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":[]", &es.to_string()]
    {
        let error = TrustedKeys::new("", text, "nsl").unwrap_err().to_string();
        assert!(error.contains("not a JWKS document, an object with a list of keys"), "{text}: {error}");
    }
    for text in ["", " \n"] {
        assert!(TrustedKeys::new("", text, "nsl").is_ok());
    }
}
