//! The walk over a metrics document, also compared with a naive walk over a `serde_json::Value`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn samples(document: &str) -> Result<Vec<(String, f64)>, Rejection> {
    let mut samples = Vec::new();
    for_each_sample(document, |path, value| samples.push((path.to_owned(), value)))?;
    Ok(samples)
}

fn rejected(document: &str) -> (Code, Option<String>) {
    let rejection = samples(document).unwrap_err();
    (rejection.code, rejection.field)
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn numbers_become_dotted_paths_in_text_order() {
    let document = r#"{"cpu":{"usage":61.5,"loadAverage":[0.23,[2],{"x":-3}]},"up":true,"host":"NaN","rate":0,"n":null}"#;
    let expected = [
        ("cpu.usage", 61.5),
        ("cpu.loadAverage.0", 0.23),
        ("cpu.loadAverage.1.0", 2.0),
        ("cpu.loadAverage.2.x", -3.0),
        ("rate", 0.0),
    ];
    assert_eq!(samples(document).unwrap(), expected.map(|(path, value)| (path.to_owned(), value)));
}

#[test]
fn document_without_numbers_has_no_series() {
    let shape = for_each_sample(" {\"a\": [[]], \"b\": {}} ", |_, _| panic!("no sample expected")).unwrap();
    assert_eq!(shape, Shape { depth: 3, leaves: 0 });
}

#[test]
fn number_without_any_name_is_no_series() {
    assert_eq!(samples(r#"{"":1,"a":{"":2}}"#).unwrap(), [("a.".to_owned(), 2.0)]);
}

#[test]
fn two_numbers_of_one_name_are_rejected_unless_a_key_repeats() {
    let ambiguous = [
        r#"{"a.b":1,"a":{"b":2}}"#,
        r#"{"a":[1],"a.0":2}"#,
        r#"{"":{"a":1},".a":2}"#,
        r#"{"a":{"b.c":1},"a.b":{"c":2}}"#,
    ];
    for document in ambiguous {
        let rejection = check_new(document).unwrap_err();
        assert_eq!(rejection.code, Code::InvalidField, "{document}");
        assert!(
            rejection.message.ends_with(" is there twice, as a key with a dot and nested"),
            "{rejection}"
        );
        assert!(check(document).is_ok(), "what is stored is read");
    }
    let clear = [
        r#"{"a.b":1,"a.b":2}"#,
        r#"{"a.b":1,"a":{"c":2}}"#,
        r#"{"a.b":1,"a":{"b":"x"}}"#,
        r#"{"a":{"b":1},"a":{"b":2}}"#,
        r#"{"a.b.c":1,"a":2,"d":[{"e.f":3}]}"#,
    ];
    assert!(clear.iter().all(|document| check_new(document).is_ok()));
}

#[test]
fn empty_and_escaped_keys_are_parts_of_paths() {
    let document = r#"{"":1,"a":{"":2},"":{"":3},"\u0065th\"0":4}"#;
    let paths: Vec<_> = samples(document).unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a.", ".", "eth\"0"]);
}

#[test]
fn repeated_path_is_visited_each_time() {
    let document = r#"{"a.b":1,"a":{"b":2,"b":3}}"#;
    let expected = [1.0, 2.0, 3.0].map(|value| ("a.b".to_owned(), value));
    assert_eq!(samples(document).unwrap(), expected);
}

#[test]
fn integers_beyond_2_to_the_53_are_rounded() {
    let document = r#"{"a":9007199254740993,"b":18446744073709551615,"c":123456789012345678901234567890}"#;
    let values: Vec<_> = samples(document).unwrap().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [9_007_199_254_740_992.0, 18_446_744_073_709_551_616.0, 1.234_567_890_123_456_8e29]);
}

#[test]
fn depth_limit_counts_the_document_and_each_container() {
    assert_eq!(check(&nested(MAX_DEPTH)).unwrap().depth, MAX_DEPTH);
    assert_eq!(rejected(&nested(MAX_DEPTH + 1)), (Code::TooDeep, Some("metrics.a.a.a.a.a.a.a.a".to_owned())));
    let arrays = format!("{{\"a\":{}{}}}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    for document in [arrays, nested(16_000), format!("{{\"a\":{}", "[".repeat(16_000))] {
        assert_eq!(rejected(&document).0, Code::TooDeep);
    }
}

#[test]
fn limit_of_leaves_is_inclusive() {
    let document = |leaves: usize| json!({ "a": vec![1; leaves] }).to_string();
    assert_eq!(check(&document(MAX_SERIES)).unwrap().leaves, MAX_SERIES);
    assert_eq!(rejected(&document(MAX_SERIES + 1)), (Code::TooManySeries, Some("metrics".to_owned())));
}

#[test]
fn limit_of_names_is_inclusive_and_ignores_texts() {
    let document = |key_bytes: usize| format!(r#"{{"a":{{"{}":1}}}}"#, "k".repeat(key_bytes));
    assert!(samples(&document(MAX_NAME_BYTES - 2)).is_ok());
    assert_eq!(rejected(&document(MAX_NAME_BYTES - 1)), (Code::InvalidField, Some("metrics".to_owned())));
    let text = format!(r#"{{"{}":"a label"}}"#, "k".repeat(MAX_NAME_BYTES + 1));
    assert_eq!(samples(&text).unwrap(), []);
}

#[test]
fn number_beyond_f64_is_rejected_with_its_path() {
    for number in ["1e999", "-1e999", &"9".repeat(400)] {
        let document = format!(r#"{{"cpu":{{"loadAverage":[1,{number}]}}}}"#);
        let field = Some("metrics.cpu.loadAverage.1".to_owned());
        assert_eq!(rejected(&document), (Code::InvalidField, field), "{number}");
    }
    assert_eq!(samples(r#"{"a":1e-999}"#).unwrap(), [("a".to_owned(), 0.0)]);
}

#[test]
fn text_other_than_a_json_object_is_rejected() {
    let others = ["[1]", "1", "\"a\"", "null", "true", "[[[[[[[[[[1]]]]]]]]]]"];
    let malformed =
        ["", "{", "{} {}", "{\"a\":NaN}", "{\"a\":01}", "{\"a\":1,}", "{a:1}", "{\"a\":Infinity}"];
    let rows = others.map(|text| (text, Code::InvalidField)).into_iter();
    for (document, code) in rows.chain(malformed.map(|text| (text, Code::InvalidJson))) {
        assert_eq!(rejected(document), (code, Some("metrics".to_owned())), "{document}");
    }
}

fn naive_walk(prefix: Option<&str>, value: &Value, found: &mut BTreeMap<String, f64>) {
    let path = |part: &str| prefix.map_or(part.to_owned(), |prefix| format!("{prefix}.{part}"));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| naive_walk(Some(&path(key)), value, found))
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| naive_walk(Some(&path(&index.to_string())), value, found));
        }
        Value::Number(number) => {
            found.insert(prefix.unwrap_or_default().to_owned(), number.as_f64().unwrap());
        }
        _ => {}
    }
}

fn any_member() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |member| {
        prop_oneof![
            prop::collection::vec(member.clone(), 0..6).prop_map(Value::from),
            // Without dots in keys, so that no two leaves have the same path.
            prop::collection::btree_map("[^.]{0,6}", member, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn walk_agrees_with_naive_walk_over_parsed_tree(
        members in prop::collection::btree_map("[^.]{0,6}", any_member(), 0..6),
    ) {
        let document = Value::Object(members.into_iter().collect());
        let mut naive = BTreeMap::new();
        naive_walk(None, &document, &mut naive);
        naive.remove("");
        let walked = samples(&document.to_string()).unwrap();
        prop_assert_eq!(walked.len(), naive.len());
        prop_assert_eq!(walked.into_iter().collect::<BTreeMap<_, _>>(), naive);
    }

    #[test]
    fn accepted_documents_have_a_name_for_each_number(text in r#"\{("(a|b|\.|a\.|\.a|a\.b|0)":([0-9]|\[[0-9](,[0-9])?\]|\{"(a|b|a\.b|)":[0-9]\}),){0,5}"#) {
        let text = format!("{}}}", text.trim_end_matches(','));
        let document: Value = serde_json::from_str(&text).unwrap();
        // Keys that repeat are gone.
        let text = document.to_string();
        let names = samples(&text).unwrap();
        let distinct: BTreeMap<_, _> = names.iter().cloned().collect();
        prop_assert_eq!(check_new(&text).is_ok(), distinct.len() == names.len());
    }

    #[test]
    fn only_objects_are_accepted_and_no_text_panics(text in r#"[\[\]{}",:0-9eE.+\-ax\\ ]{0,64}"#) {
        let read: Result<Value, _> = serde_json::from_str(&text);
        let is_object = read.is_ok_and(|value| value.is_object());
        prop_assert!(!samples(&text).is_ok_and(|_| !is_object));
    }
}
