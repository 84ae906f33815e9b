//! Why a text is not JSON: where, what stands there, and what to send instead.

use std::fmt::Write;

use crate::rejection::{Code, Rejection};

/// Most characters of the text that a message repeats.
const MAX_SHOWN: usize = 20;

/// U+FEFF, with which some editors and libraries begin a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Words of programming languages that are not JSON, and what is.
const FOREIGN_WORDS: [(&[&str], &str); 4] = [
    (
        &["NaN", "-NaN", "Infinity", "-Infinity", "+Infinity"],
        "JSON has no such number, send null or leave it out; Python's json.dumps writes it unless allow_nan=False",
    ),
    (&["nan", "-nan", "inf", "-inf", "Inf", "-Inf"], "JSON has no such number, send null or leave it out"),
    (&["None", "undefined", "nil", "NULL", "Null"], "send null or leave it out"),
    (&["True", "TRUE", "False", "FALSE"], "send true or false"),
];

/// The rejection of `text`, which `what` names as in "the message", and at which the parser failed with `error`.
pub(crate) fn invalid_json(what: &str, text: &str, error: &serde_json::Error) -> Rejection {
    let mut message = format!("{what} is not JSON: ");
    // Writing to a `String` cannot fail.
    let _ = write_problem(&mut message, text, error);
    Rejection::new(Code::InvalidJson, message)
}

fn write_problem(message: &mut String, text: &str, error: &serde_json::Error) -> std::fmt::Result {
    if text.trim().is_empty() {
        return message.write_str("it is empty");
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        return message.write_str("it begins with a byte order mark (U+FEFF), send UTF-8 without one");
    }
    let place = Place::of(text, error);
    let at = format!("at line {}, column {}", place.line, place.column);
    if error.is_eof() {
        return write!(message, "it ends too early, {at}");
    }
    let reason = if place.follows_comma { "trailing comma".to_owned() } else { reason(error) };
    if reason.contains("surrogate") || reason.contains("hex escape") {
        return write!(message, "a text has half of a surrogate pair {at}, send whole characters");
    }
    if place.found.is_empty() {
        return write!(message, "{reason} {at}");
    }
    let shown = place.found.chars().take(MAX_SHOWN);
    let shown: String =
        shown.map(|shown| if shown.is_control() { char::REPLACEMENT_CHARACTER } else { shown }).collect();
    match hint(place.found) {
        Some(hint) => write!(message, "found {shown} {at}; {hint}"),
        None => write!(message, "{reason} {at}, found {shown}"),
    }
}

/// The parser's own words, without the place.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

fn hint(found: &str) -> Option<&'static str> {
    if found.starts_with('\'') {
        return Some("strings and names have double quotes");
    }
    FOREIGN_WORDS.iter().find(|(words, _)| words.contains(&found)).map(|(_, hint)| *hint)
}

/// Where the parser failed.
struct Place<'t> {
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    /// The word, or else the character, that stands there; empty at the end of the text.
    found: &'t str,
    /// Whether it ends an object or array, and a comma comes before it.
    follows_comma: bool,
}

impl<'t> Place<'t> {
    /// The place of `error` in `text`, moved back to the start of its word.
    fn of(text: &'t str, error: &serde_json::Error) -> Self {
        let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        // The parser counts bytes. Its place may be within a character.
        let mut offset = error.column().saturating_sub(1).min(line.len());
        while !line.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = line.split_at(offset);
        let is_in_word = |character: char| character.is_alphanumeric() || "_+-.".contains(character);
        let in_word = after.starts_with(is_in_word) || after.is_empty();
        let head = if in_word { before.trim_end_matches(is_in_word) } else { before };
        let rest = line.get(head.len()..).unwrap_or_default();
        let word = rest.find(|character| !is_in_word(character)).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let found = rest.get(..word.max(first)).unwrap_or_default();
        let follows_comma = found.starts_with(['}', ']']) && head.trim_end().ends_with(',');
        Self { line: error.line(), column: head.chars().count() + 1, found, follows_comma }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    fn message(text: &str) -> String {
        let error = serde_json::from_str::<&RawValue>(text).unwrap_err();
        invalid_json("the message", text, &error).message
    }

    #[test]
    fn message_says_what_was_found_and_where() {
        let python = "; JSON has no such number, send null or leave it out; Python's json.dumps writes it unless allow_nan=False";
        let quotes = "; strings and names have double quotes";
        for (text, problem) in [
            ("", "it is empty".to_owned()),
            (" \n", "it is empty".to_owned()),
            ("\u{feff}{}", "it begins with a byte order mark (U+FEFF), send UTF-8 without one".to_owned()),
            (r#"{"a":NaN}"#, format!("found NaN at line 1, column 6{python}")),
            ("{\n \"é\": [1,\n  -Infinity]}", format!("found -Infinity at line 3, column 3{python}")),
            (r#"{"é":Infinity}"#, format!("found Infinity at line 1, column 6{python}")),
            (
                r#"{"a":nan}"#,
                "found nan at line 1, column 6; JSON has no such number, send null or leave it out"
                    .to_owned(),
            ),
            (r#"{"a":None}"#, "found None at line 1, column 6; send null or leave it out".to_owned()),
            (r#"{"a":True}"#, "found True at line 1, column 6; send true or false".to_owned()),
            ("{'a':1}", format!("found ' at line 1, column 2{quotes}")),
            (r#"{"a":'b'}"#, format!("found ' at line 1, column 6{quotes}")),
            (r#"{"a":1,}"#, "trailing comma at line 1, column 8, found }".to_owned()),
            ("[1,]", "trailing comma at line 1, column 4, found ]".to_owned()),
            ("{a:1}", "key must be a string at line 1, column 2, found a".to_owned()),
            ("hello", "expected value at line 1, column 1, found hello".to_owned()),
            (r#"{"a":01}"#, "invalid number at line 1, column 6, found 01".to_owned()),
            ("{} {}", "trailing characters at line 1, column 4, found {".to_owned()),
            (r#"{"a":"#, "it ends too early, at line 1, column 5".to_owned()),
            (r#"{"a":"x"#, "it ends too early, at line 1, column 7".to_owned()),
        ] {
            assert_eq!(message(text), format!("the message is not JSON: {problem}"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_short_message(text in "[\\[\\]{}:,'\"\\\\/a-zA-Z0-9é\u{1F600}\n +.-]{0,40}|\\PC{0,40}") {
            if let Err(error) = serde_json::from_str::<&RawValue>(&text) {
                let message = invalid_json("the message", &text, &error).message;
                prop_assert!(message.len() < 300 && !message.contains('\n'), "{message}");
            }
        }
    }
}
