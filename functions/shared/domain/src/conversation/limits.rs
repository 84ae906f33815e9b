//! Limits of one connection.

use crate::time::MINUTE_MS;

/// Wrong credentials after which a connection is closed.
pub const MAX_AUTH_REJECTIONS: u32 = 5;

/// Most apps that one connection subscribes to.
pub const MAX_SUBSCRIPTIONS: usize = 50;

/// Wait before a connection that found an app at its limit may try again, in milliseconds: the rows of connections that
/// ended without `$disconnect` are deleted with the next report.
pub const FULL_FOR_MS: i64 = MINUTE_MS;
