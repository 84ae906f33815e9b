//! The one place of the tests that reads the wall clock: reports must be stamped close to the present.

use jiff::Timestamp;

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "this is the tests' one clock")]
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The instant as JavaScript's `toISOString` writes it, always with milliseconds.
pub(crate) fn iso(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).expect("an instant in range"))
}
