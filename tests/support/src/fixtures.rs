//! One application, its key, its grant and the time at which the tests take place.

use nsl_domain::app::{App, KeyRecord};
use nsl_domain::grant::{Grant, GrantedApps, Proof};
use nsl_domain::ids::{AppId, Scope, UserId};
use nsl_domain::time::TimestampMs;

/// 2026-11-22T13:01:01.387Z.
pub const NOW_MS: i64 = TimestampMs::EXAMPLE.ms();

/// [`NOW_MS`] as a timestamp.
pub fn now() -> TimestampMs {
    TimestampMs::EXAMPLE
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
        name: name.to_owned(),
        keys: vec![KeyRecord::of(&secret(name), Scope::BOTH)],
        ..App::example()
    }
}

/// The grant of that key, limited to `scope`.
pub fn grant(app: &str, scope: Scope) -> Grant {
    Grant {
        user: ann().into(),
        scope,
        reach: GrantedApps::Apps(vec![id(app)]),
        proof: Proof::Key(KeyRecord::of(&secret(app), scope).id),
        until: None,
        library: false,
    }
}

fn ann() -> UserId {
    UserId::new("ann").expect("a valid user id")
}
