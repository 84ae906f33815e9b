//! One line of output, which only styles of this program colour.

use std::borrow::Cow;

use crate::printable;

/// How a part of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Less bright.
    Dim,
    /// Green: as it should be.
    Green,
    /// Yellow: a warning.
    Yellow,
    /// Red: an alarm.
    Red,
}

impl Style {
    /// The parameter of SGR, "Select Graphic Rendition" (ECMA-48, 8.3.117).
    const fn parameter(self) -> u8 {
        match self {
            Self::Dim => 2,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
        }
    }
}

/// One line without its end. Text in it is printable, whatever it was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Appends text.
    pub fn push(&mut self, text: &str) {
        self.0.push_str(&printable(text));
    }

    /// Appends text in `style`.
    pub fn push_styled(&mut self, text: &str, style: Style) {
        self.0.push_str(&format!("\x1b[{}m{}\x1b[0m", style.parameter(), printable(text)));
    }

    /// The line as it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self(printable(text).into_owned())
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        let escaped = match printable(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(escaped) => Some(escaped),
        };
        Self(escaped.unwrap_or(text))
    }
}

impl From<&String> for Line {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}
