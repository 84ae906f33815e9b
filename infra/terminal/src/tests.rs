//! Tests of what reaches a terminal.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// What terminals, file viewers and readers of right-to-left text obey, or do not show.
const HOSTILE: [&str; 24] = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x08",
    "\r",
    "\n",
    "\t",
    "\0",
    "\x7f",
    "\u{80}",
    "\u{9b}31m",
    "\u{9d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2069}",
    "\u{200e}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{ad}",
    "\u{2028}",
    "\u{2029}",
    "\u{e000}",
    "\u{e0041}",
];

#[test]
fn control_characters_are_visible() {
    assert_eq!(printable("\x1b[2J\x1b]0;x\x07"), "\\u{1b}[2J\\u{1b}]0;x\\u{7}");
    assert_eq!(printable("a\r\nb\tc"), "a\\r\\nb\\tc");
    assert_eq!(printable("pay \u{202e}eman"), "pay \\u{202e}eman");
    for hostile in HOSTILE {
        let shown = printable(hostile);
        assert!(shown.starts_with('\\') && is_printable(&shown), "{shown}");
    }
}

#[test]
fn ordinary_text_is_unchanged() {
    for text in [
        "",
        "web-1",
        "Loopback Pseudo-Interface 1",
        "C:\\temp",
        "\"é\"",
        "e\u{301}",
        "日本",
        "हिन्दी",
        "שלום",
        "❤\u{fe0f}",
        "█░↓",
    ] {
        assert_eq!(printable(text), text);
        assert!(matches!(printable_json(text), Cow::Borrowed(_)));
    }
}

#[test]
fn columns_are_aligned_for_any_text() {
    for text in ["a", "é", "e\u{301}", "日本", "\x1b[2J", "a\nb"] {
        assert_eq!(width(&padded(text, 12)), 12, "{text:?}");
    }
    assert_eq!(padded("日本", 6), "日本  ");
    assert_eq!(padded("toolong", 3), "toolong");
}

#[test]
fn only_own_styles_colour_a_line() {
    let mut line = Line::from("\x1b[31mred");
    line.push_styled("\x1b[0m", Style::Dim);
    line.push("\n");
    assert_eq!(line.as_str(), "\\u{1b}[31mred\x1b[2m\\u{1b}[0m\x1b[0m\\n");
}

proptest! {
    #[test]
    fn any_text_becomes_printable_once(text in "\\PC*|(?s).*") {
        let shown = printable(&text);
        prop_assert!(is_printable(&shown));
        prop_assert_eq!(printable(&shown), shown.clone());
        let line = Line::from(text.clone());
        prop_assert_eq!(line.as_str(), &*shown);
    }

    #[test]
    fn json_with_escapes_means_the_same(text in "(?s).*", hostile in prop::sample::select(&HOSTILE[..])) {
        let document = serde_json::json!({ format!("{text}{hostile}"): [hostile, text] });
        for written in [document.to_string(), format!("{document:#}")] {
            let shown = printable_json(&written);
            prop_assert!(shown.lines().all(is_printable));
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), document.clone());
        }
    }
}
