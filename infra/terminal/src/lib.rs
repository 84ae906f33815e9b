//! Text for a terminal. Names, messages and logs come from other programs, and a terminal obeys control characters in
//! them: it would clear the screen, set the window's title, or show a line that no program printed. Here they become
//! visible escapes, and the console of each program prints nothing else.

#![warn(missing_docs)]

mod line;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthStr as _;

pub use line::{Line, Style};

/// Letters and marks without a glyph: fillers, joiners and selectors, which the categories do not distinguish. The
/// selectors of text and emoji presentation, U+FE0E and U+FE0F, follow common symbols and are not among them.
const INVISIBLE: [RangeInclusive<char>; 8] = [
    '\u{34f}'..='\u{34f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0d}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{e0100}'..='\u{e01ef}',
];

/// Whether a terminal shows every character of `text` and obeys none.
pub fn is_printable(text: &str) -> bool {
    text.chars().all(is_printable_char)
}

/// No control, format (which bidi controls and zero-width characters are), separator of lines, private or unassigned
/// character.
fn is_printable_char(character: char) -> bool {
    let is_obeyed_or_unknown = matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    );
    !is_obeyed_or_unknown && !INVISIBLE.iter().any(|range| range.contains(&character))
}

/// `text` on one line, with an escape such as `\u{1b}` or `\n` in the place of each character that is not printable.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character, escaped| escaped.extend(character.escape_default()))
}

/// A JSON document with JSON's escapes in their place, which mean the same. Line ends between its values stay.
pub fn printable_json(document: &str) -> Cow<'_, str> {
    escaped(document, |character, escaped| {
        if character == '\n' {
            return escaped.push(character);
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if is_printable(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(2 * text.len());
    for character in text.chars() {
        if is_printable_char(character) {
            escaped.push(character);
        } else {
            escape(character, &mut escaped);
        }
    }
    Cow::Owned(escaped)
}

/// The columns that `text` takes once it is printable.
pub fn width(text: &str) -> usize {
    printable(text).width()
}

/// `text`, printable and padded with blanks to `columns`.
pub fn padded(text: &str, columns: usize) -> String {
    let mut padded = printable(text).into_owned();
    padded.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
    padded
}

#[cfg(test)]
mod tests;
