//! An app as it is registered: owner, keys, limits, retention. Of a key only the SHA-256 is stored.

mod limits;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::ids::{AppId, KeyHash, KeyId, Scope, Source, UserId};
use crate::rollup::AppRetention;
use crate::time::{CLOCK_SKEW_MS, HOUR_MS, TimestampMs};

pub use limits::{DEFAULT_MAX_CONNECTIONS, OutOfBounds, OwnLimits, Rates, Sent};

/// Write shards of an app that sets no other number: one partition takes 1,000 writes a second.
pub const DEFAULT_SHARDS: u16 = 1;

/// Most write shards of one app. History queries each of them, so their number is a cost of every request.
pub const MAX_SHARDS: u16 = 64;

/// Keys of one app and one scope, which is one set of words, that are valid at a time: the second lets the first be
/// replaced without an outage. There are seven sets, so an app has 14 keys at most, and a change of all of them with
/// their pointers is 29 of the 100 actions that DynamoDB allows a transaction.
pub const MAX_KEYS_OF_SCOPE: usize = 2;

/// Whether an app is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Served.
    Active,
    /// Registered, but rejected with `app_inactive`.
    Inactive,
}

impl Status {
    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// One API key of an app, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Names the key in grants and logs.
    pub id: KeyId,
    /// SHA-256 of the whole key text.
    pub hash: KeyHash,
    /// What the key allows.
    pub scope: Scope,
}

impl KeyRecord {
    /// The record of the key `text` with `scope`.
    pub fn of(text: &str, scope: Scope) -> Self {
        let hash = KeyHash::of(text);
        Self { id: KeyId::of_hash(hash), hash, scope }
    }
}

/// An app has as many keys of one scope as may be valid at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_KEYS_OF_SCOPE} keys of this scope are valid already")]
pub struct TooManyKeys;

/// An app as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id, by which reports and subscriptions name it.
    pub id: AppId,
    /// Its owner.
    pub owner: UserId,
    /// A display name; any text.
    pub name: String,
    /// Whether it is served.
    pub status: Status,
    /// Its valid keys, oldest first, at most [`MAX_KEYS_OF_SCOPE`] of each scope.
    pub keys: Vec<KeyRecord>,
    /// Whether the published library and dashboard, which have no secret, are accepted.
    pub legacy: bool,
    /// Write shards of its reports, 1 to [`MAX_SHARDS`].
    pub shards: u16,
    /// Tokens issued before this instant are rejected, which revokes a leaked one.
    pub tokens_not_before: Option<TimestampMs>,
    /// When it was created; `None` if that was before this was stored.
    pub created_at: Option<TimestampMs>,
    /// Since when its id was free, if an earlier app of the id was deleted.
    pub id_free_since: Option<TimestampMs>,
    /// Its own limits.
    pub limits: OwnLimits,
    /// Its own retention.
    pub retention: AppRetention,
    /// The instant until which its reports are rejected, because it sent more than its rates allow.
    pub limited_until: Option<TimestampMs>,
}

impl App {
    /// The app `shop` of `ann`, with the defaults and no key, for tests and documentation:
    /// `App { legacy: true, ..App::example() }`.
    pub fn example() -> Self {
        Self {
            id: AppId::literal("shop"),
            owner: UserId::literal("ann"),
            name: "Shop".to_owned(),
            status: Status::Active,
            keys: Vec::new(),
            legacy: false,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            created_at: None,
            id_free_since: None,
            limits: OwnLimits::default(),
            retention: AppRetention::default(),
            limited_until: None,
        }
    }

    /// Whether what has its id and is of `instant` belongs to an earlier app of the id: a token that names it, a stored
    /// report. The clock that stamped `instant` may be [`CLOCK_SKEW_MS`] slow, but not behind the end of the earlier app.
    /// False for an app that was created before this was stored.
    pub fn is_younger_than(&self, instant: TimestampMs) -> bool {
        let created_at = self.created_at.map(|created_at| created_at.plus_ms(-CLOCK_SKEW_MS));
        created_at.max(self.id_free_since).is_some_and(|since| instant < since)
    }

    /// Adds `key` to the valid ones.
    ///
    /// # Errors
    /// [`TooManyKeys`] where [`MAX_KEYS_OF_SCOPE`] of its scope are valid.
    pub fn add_key(&mut self, key: KeyRecord) -> Result<(), TooManyKeys> {
        if self.keys_of(key.scope).count() >= MAX_KEYS_OF_SCOPE {
            return Err(TooManyKeys);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Its valid keys of exactly this scope, oldest first.
    pub fn keys_of(&self, scope: Scope) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().filter(move |key| key.scope == scope)
    }

    /// Removes the key `id`; `None` if there is no such key.
    pub fn drop_key(&mut self, id: &KeyId) -> Option<KeyRecord> {
        let index = self.keys.iter().position(|key| key.id == *id)?;
        Some(self.keys.remove(index))
    }

    /// How long its raw reports are kept if the service keeps them for `default_ms`.
    pub fn raw_retention_ms(&self, default_ms: i64) -> i64 {
        self.retention.raw.map_or(default_ms, |hours| hours * HOUR_MS)
    }

    /// The write shard of the reports of `source`: its SHA-256 modulo the shards, so that a source stays in one shard.
    pub fn shard_of(&self, source: &Source) -> u16 {
        let [first, second, ..] = <[u8; 32]>::from(Sha256::digest(source.as_str().as_bytes()));
        u16::from_be_bytes([first, second]) % self.shards.max(1)
    }

    /// The rates at which it may send.
    pub fn rates(&self) -> Rates {
        self.limits.rates(self.shards)
    }

    /// Most publishers and subscriptions, counted together.
    pub fn max_connections(&self) -> u32 {
        self.limits.connections.unwrap_or(DEFAULT_MAX_CONNECTIONS)
    }

    /// Most subscriptions: by default as many as connections.
    pub fn max_subscriptions(&self) -> u32 {
        self.limits.subscriptions.unwrap_or_else(|| self.max_connections())
    }

    /// Milliseconds from `now` for which its reports are rejected because it sent too many; `None` if they are not.
    pub fn rejected_for_ms(&self, now: TimestampMs) -> Option<i64> {
        self.limited_until.map(|until| until.ms_since(now)).filter(|left_ms| *left_ms > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_of_each_scope_are_valid_at_a_time() {
        let mut app = App::example();
        for (text, scope) in [("a", Scope::PUBLISH), ("b", Scope::VIEW), ("c", Scope::BOTH)] {
            for turn in ["1", "2"] {
                assert_eq!(app.add_key(KeyRecord::of(&format!("{text}{turn}"), scope)), Ok(()));
            }
            let surplus = KeyRecord::of("one more", scope);
            assert_eq!((app.add_key(surplus.clone()), app.drop_key(&surplus.id)), (Err(TooManyKeys), None));
        }
        let older = KeyRecord::of("b1", Scope::VIEW);
        assert_eq!((app.keys.len(), app.keys_of(Scope::VIEW).next()), (6, Some(&older)));
        assert_eq!((app.drop_key(&older.id), app.keys.len()), (Some(older), 5));
        assert_eq!(Vec::from_iter(app.keys_of(Scope::VIEW)), [&KeyRecord::of("b2", Scope::VIEW)]);
    }

    #[test]
    fn shards_widen_default_rates_but_not_own_ones() {
        let mut app = App { shards: 3, ..App::example() };
        let rates = app.rates();
        assert_eq!([rates.reports.per_second, rates.reports.burst], [3_000, 30_000]);
        assert_eq!([rates.bytes.per_second, rates.bytes.burst], [3_000_000, 30_000_000]);
        assert_eq!(app.max_connections(), DEFAULT_MAX_CONNECTIONS);
        app.limits =
            OwnLimits { reports: Some(5), bytes: Some(1_000), connections: Some(7), subscriptions: None };
        let rates = app.rates();
        assert_eq!([rates.reports.per_second, rates.reports.burst], [5, 100]);
        assert_eq!([rates.bytes.per_second, rates.bytes.burst], [1_000, 131_072]);
        assert_eq!(app.max_connections(), 7);
    }

    #[test]
    fn app_is_younger_than_what_its_predecessor_left() {
        let (created, free) = (TimestampMs::EXAMPLE, TimestampMs::EXAMPLE.plus_ms(-2_000));
        let first = App { created_at: Some(created), ..App::example() };
        let second = App { id_free_since: Some(free), ..first.clone() };
        let late = App { id_free_since: Some(created.plus_ms(-CLOCK_SKEW_MS - 1)), ..first.clone() };
        for (app, ms, is_younger) in [
            (App::example(), -CLOCK_SKEW_MS - 1, false),
            (first.clone(), -CLOCK_SKEW_MS, false),
            (first, -CLOCK_SKEW_MS - 1, true),
            (second.clone(), -2_000, false),
            (second, -2_001, true),
            (late.clone(), -CLOCK_SKEW_MS, false),
            (late, -CLOCK_SKEW_MS - 1, true),
        ] {
            assert_eq!(app.is_younger_than(created.plus_ms(ms)), is_younger, "{ms} {app:?}");
        }
    }

    #[test]
    fn rejection_of_reports_ends_at_its_instant() {
        let until = TimestampMs::EXAMPLE;
        let app = App { limited_until: Some(until), ..App::example() };
        assert_eq!([-1, 0, 1].map(|ms| app.rejected_for_ms(until.plus_ms(ms))), [Some(1), None, None]);
        assert_eq!(App::example().rejected_for_ms(until), None);
    }
}
