//! Any text as a token, as claims and as a key set: nothing panics, and only what is right is accepted.

use proptest::prelude::*;

use super::by_hand::token;
use super::*;

/// A piece of a token or of JSON, or any text.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "sub",
        "aud",
        "iat",
        "exp",
        "nbf",
        "scope",
        "apps",
        "owner",
        "alg",
        "kid",
        "crit",
        "b64",
        "kty",
        "use",
        "key_ops",
        "crv",
        "x",
        "y",
        "n",
        "e",
        "keys",
        "RSA",
        "EC",
        "P-256",
        "sig",
        "verify",
        "HS256",
        "RS256",
        "ES256",
        "nsl",
        "view",
        "publish manage",
        "shop",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

/// Any JSON, mostly of the names and values that tokens and keys have.
fn json_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (0..4_000_000_000_u32).prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no infinity", |number| number.is_finite())
            .prop_map(|n| format!("{n:e}")),
        (any::<i32>(), any::<i16>()).prop_map(|(mantissa, exponent)| format!("{mantissa}e{exponent}")),
    ];
    let quoted = |text: String| serde_json::to_string(&text).unwrap();
    let leaf = prop_oneof![
        number,
        piece().prop_map(quoted),
        prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| format!("{:?}", jws::encode(&bytes))),
    ];
    leaf.prop_recursive(4, 40, 10, move |inner| {
        let member =
            (piece().prop_map(quoted), inner.clone()).prop_map(|(name, value)| format!("{name}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..10).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// The parts of a valid token with some bytes changed, removed or added.
fn damaged_token() -> impl Strategy<Value = String> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 1..4);
    damage.prop_map(|damages| {
        let mut text: Vec<char> = signed(|_| {}).chars().collect();
        for (place, character, kind) in damages {
            let index = place.index(text.len());
            match kind {
                0 => text[index] = character,
                1 => drop(text.remove(index)),
                _ => text.insert(index, character),
            }
        }
        text.into_iter().collect()
    })
}

/// The trusted keys of every kind.
fn all_keys() -> TrustedKeys {
    TrustedKeys::new(SECRET, JWKS, "nsl").unwrap()
}

proptest! {
    #[test]
    fn damaged_token_is_refused(text in damaged_token()) {
        prop_assume!(text != signed(|_| {}));
        prop_assert_eq!(all_keys().verify(&text, now()), Err(Rejection::unauthorized()));
    }

    #[test]
    fn any_text_is_refused(text in any::<String>(), parts in prop::collection::vec(json_text(), 0..6)) {
        let dotted = parts.iter().map(|part| jws::encode(part.as_bytes())).collect::<Vec<_>>().join(".");
        for text in [text, dotted] {
            prop_assert!(all_keys().verify(&text, now()).is_err());
            let _ = unverified_claims(&text);
        }
    }

    #[test]
    fn any_header_is_refused_or_ours(header in json_text()) {
        let right = r#"{"sub":"ann","aud":"nsl","iat":1800000000,"exp":1800003600,"scope":"view","apps":["shop"]}"#;
        if let Ok(grant) = all_keys().verify(&token(&header, right), now()) {
            prop_assert_eq!(grant.scope, Scope::VIEW);
            prop_assert!(header.contains("HS256") && !header.contains("\"crit\":"));
        }
    }

    #[test]
    fn any_claims_are_refused_or_a_valid_grant(claims in json_text(), changed in json_text(), index in 0..8_usize) {
        let names = ["sub", "aud", "iat", "exp", "nbf", "scope", "apps", "owner"];
        let one_changed = by_hand::token_with(&[(names[index], &changed)]);
        for token in [token(HEADER, &claims), one_changed] {
            match all_keys().verify(&token, now()) {
                Ok(grant) => {
                    prop_assert!(grant.until.is_some_and(|until| until > now() && until.to_string().len() == 24));
                    prop_assert!((1..=256).contains(&grant.user.as_str().len()));
                    prop_assert_eq!(Grant::from_text(&grant.to_text()), Some(grant));
                }
                Err(rejection) => prop_assert_eq!(rejection.code, Code::Unauthorized),
            }
        }
    }

    #[test]
    fn any_key_is_used_or_skipped(keys in prop::collection::vec(json_text(), 0..6), text in json_text()) {
        let count = keys.len();
        let set = KeySet::read(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap();
        prop_assert_eq!(set.keys.len() + set.skipped.len(), count);
        let _ = KeySet::read(&text);
    }

    #[test]
    fn damaged_key_is_used_or_skipped(
        name in prop::sample::select(vec!["kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e"]),
        index in 0..2_usize,
        value in json_text(),
    ) {
        let mut document: serde_json::Value = serde_json::from_str(JWKS).unwrap();
        let mut key = document["keys"][index].take();
        key.as_object_mut().unwrap().remove(name);
        let key = key.to_string().replacen('{', &format!("{{{name:?}:{value},"), 1);
        let document = format!(r#"{{"keys":[{key}]}}"#);
        let set = KeySet::read(&document).unwrap();
        prop_assert_eq!(set.keys.len() + set.skipped.len(), 1);
        for (algorithm, signer) in [(SigningAlgorithm::ES256, elliptic_key()), (SigningAlgorithm::RS256, rsa_key())] {
            let trusted = TrustedKeys::new("", &document, "nsl").unwrap();
            let _ = trusted.verify(&signed_with(algorithm, None, &signer), now());
        }
    }
}
