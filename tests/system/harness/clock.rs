//! The only place of the tests that reads the clock: reports need timestamps close to the present.

use jiff::Timestamp;

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "this is the tests' one clock")]
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The time as JavaScript's `toISOString` formats it, always with milliseconds.
pub(crate) fn iso(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).expect("an instant in range"))
}
