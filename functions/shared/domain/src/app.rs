//! What is registered of an application: its owner, its keys, what it may do.
//!
//! Owns the record and its defaults; `limits` owns how much it may. Refuses secrets: of a key only the SHA-256 is known here.
//! Ruled by design.md §5 and §8.

mod limits;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::grant::Scope;
use crate::ids::{AppId, KeyId, Source, UserId};
use crate::rollup::AppRetention;
use crate::time::{HOUR_MS, TimestampMs};

pub use limits::{MAX_CONNECTIONS, OutOfBounds, OwnLimits, Rates, Sent};

/// Write shards of an application that says nothing else: one partition takes 1,000 writes a second.
pub const DEFAULT_SHARDS: u16 = 1;

/// Most write shards of one application. History asks each of them, so their number is a cost of every query.
pub const MAX_SHARDS: u16 = 64;

/// Keys of one application and one scope that are valid at a time: the second lets the first be replaced without an
/// outage. So an application has six at most, and a change of all of them with its pointers is 13 of the 100 actions
/// that DynamoDB allows a transaction.
pub const MAX_KEYS_OF_SCOPE: usize = 2;

/// Whether an application is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Served.
    Active,
    /// Known, and refused with `app_inactive`.
    Inactive,
}

/// One API key of an application, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Names the key in grants and logs.
    pub id: KeyId,
    /// SHA-256 of the whole key text.
    pub hash: KeyHash,
    /// What the key may do.
    pub scope: Scope,
}

impl KeyRecord {
    /// What is stored of the key `text`, which may do what `scope` says.
    pub fn of(text: &str, scope: Scope) -> Self {
        let hash = KeyHash::of(text);
        Self { id: KeyId::of_hash(hash), hash, scope }
    }
}

/// SHA-256 of an API key: what is stored of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of a key's text.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads what [`KeyHash::to_hex`] writes; anything else is `None`.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Shows the first digits only: enough to tell two apart in a log.
impl std::fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(formatter, "KeyHash({first:02x}{second:02x}{third:02x}..)")
    }
}

/// An application has as many keys of one scope as may be valid at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_KEYS_OF_SCOPE} keys of this scope are valid already")]
pub struct TooManyKeys;

/// An application as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id, by which reports and subscriptions name it.
    pub id: AppId,
    /// Who owns it.
    pub owner: UserId,
    /// For people; any text.
    pub name: String,
    /// Whether it is served.
    pub status: Status,
    /// Its valid keys, oldest first, at most [`MAX_KEYS_OF_SCOPE`] of each scope.
    pub keys: Vec<KeyRecord>,
    /// Whether the published library and dashboard, which know no secret, are let in.
    pub legacy: bool,
    /// Write shards of its reports, 1 to [`MAX_SHARDS`].
    pub shards: u16,
    /// The instant before which issued tokens no longer open it: how a leaked token is taken back.
    pub tokens_not_before: Option<TimestampMs>,
    /// Its own limits.
    pub limits: OwnLimits,
    /// How long what it reports is kept, where it says so itself.
    pub retention: AppRetention,
    /// The instant until which its reports are refused, because it sent more than it may.
    pub limited_until: Option<TimestampMs>,
}

impl App {
    /// Makes `key` valid beside those that are.
    ///
    /// # Errors
    /// [`TooManyKeys`] where [`MAX_KEYS_OF_SCOPE`] of its scope are.
    pub fn add_key(&mut self, key: KeyRecord) -> Result<(), TooManyKeys> {
        if self.keys_of(key.scope).count() >= MAX_KEYS_OF_SCOPE {
            return Err(TooManyKeys);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Its valid keys of one scope, oldest first.
    pub fn keys_of(&self, scope: Scope) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().filter(move |key| key.scope == scope)
    }

    /// Takes the key `id` back; `None` where there is no such key.
    pub fn drop_key(&mut self, id: &KeyId) -> Option<KeyRecord> {
        let index = self.keys.iter().position(|key| key.id == *id)?;
        Some(self.keys.remove(index))
    }

    /// How long its raw reports are kept where the service keeps them for `default_ms`.
    pub fn raw_retention_ms(&self, default_ms: i64) -> i64 {
        self.retention.raw.map_or(default_ms, |hours| hours * HOUR_MS)
    }

    /// The write shard of what `source` reports: its SHA-256 modulo the shards, so that one source stays in one
    /// shard and time has no say.
    pub fn shard_of(&self, source: &Source) -> u16 {
        let [first, second, ..] = <[u8; 32]>::from(Sha256::digest(source.as_str().as_bytes()));
        u16::from_be_bytes([first, second]) % self.shards.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application with the defaults and no key.
    pub(super) fn shop() -> App {
        App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status: Status::Active,
            keys: Vec::new(),
            legacy: false,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            limits: OwnLimits::default(),
            retention: AppRetention::default(),
            limited_until: None,
        }
    }

    #[test]
    fn a_hash_survives_its_hexadecimal_form() {
        let hash = KeyHash::of("nehonix@00.nsl");
        assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(KeyHash::from_hex(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_second_key_is_valid_beside_the_first_and_a_third_is_not() {
        let mut app = shop();
        let [first, second, third] = ["a", "b", "c"].map(|text| KeyRecord::of(text, Scope::Both));
        assert_eq!(app.add_key(first.clone()), Ok(()));
        assert_eq!(app.add_key(second.clone()), Ok(()));
        assert_eq!(app.add_key(third.clone()), Err(TooManyKeys));
        assert_eq!(app.drop_key(&third.id), None);
        assert_eq!(app.drop_key(&first.id), Some(first));
        assert_eq!(app.keys, [second]);
    }

    #[test]
    fn keys_of_one_scope_take_no_room_from_those_of_another() {
        let mut app = shop();
        for (text, scope) in [("a", Scope::Publish), ("b", Scope::View), ("c", Scope::Both)] {
            for turn in ["1", "2"] {
                assert_eq!(app.add_key(KeyRecord::of(&format!("{text}{turn}"), scope)), Ok(()));
            }
            assert_eq!(app.add_key(KeyRecord::of("one more", scope)), Err(TooManyKeys));
        }
        let older = app.keys_of(Scope::View).next();
        assert_eq!((app.keys.len(), older), (6, Some(&KeyRecord::of("b1", Scope::View))));
    }

    #[test]
    fn debug_output_gives_no_hash_away() {
        assert!(format!("{:?}", KeyHash::of("secret")).len() < 24);
    }
}
