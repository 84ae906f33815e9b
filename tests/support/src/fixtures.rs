//! One application, its key, its grant and the time at which the tests take place.

use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, Status};
use nsl_domain::grant::{Grant, Proof, Reach, Scope};
use nsl_domain::ids::{AppId, UserId};
use nsl_domain::time::TimestampMs;

/// 2026-11-22T13:01:01.387Z.
pub const NOW_MS: i64 = 1_795_352_461_387;

/// [`NOW_MS`] as a timestamp.
pub fn now() -> TimestampMs {
    TimestampMs::clamped(NOW_MS)
}

/// A valid application id.
pub fn id(app: &str) -> AppId {
    AppId::new(app).expect("a valid application id")
}

/// The secret of the one key that [`app`] gives an application.
pub fn secret(app: &str) -> String {
    format!("the key of {app}")
}

/// An active application of the user `ann`, with one key for publishing and viewing.
pub fn app(name: &str) -> App {
    App {
        id: id(name),
        owner: ann(),
        name: name.to_owned(),
        status: Status::Active,
        keys: vec![KeyRecord::of(&secret(name), Scope::Both)],
        legacy: false,
        shards: DEFAULT_SHARDS,
        tokens_not_before: None,
        limits: Default::default(),
        retention: Default::default(),
        limited_until: None,
    }
}

/// The grant of that key, limited to `scope`.
pub fn grant(app: &str, scope: Scope) -> Grant {
    Grant {
        user: ann(),
        scope,
        reach: Reach::Apps(vec![id(app)]),
        proof: Proof::Key(KeyRecord::of(&secret(app), scope).id),
        until: None,
    }
}

fn ann() -> UserId {
    UserId::new("ann").expect("a valid user id")
}
