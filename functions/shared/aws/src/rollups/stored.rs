//! A stored rollup as its row holds it, damaged or not.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Activity, DecodeError, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;

use crate::expiry;
use crate::items::{self, BadAttribute, Item};
use crate::keys;

/// A stored rollup. Where its row is damaged it still has a key and a version to be written over.
#[derive(Debug, Clone)]
pub struct StoredRollup {
    /// Its span.
    pub span: RollupSpan,
    /// How often it was written; 0 if its row has no valid version.
    pub version: u64,
    /// Up to where it covers its span; the span's start if its row has no valid `through`.
    pub through: TimestampMs,
    /// Its bytes; empty if its row has none.
    pub bytes: Vec<u8>,
    /// Of a minute: what its sources last reported; `None` if its row has none that can be read.
    pub activity: Option<Activity>,
    /// When it expires; never if its row has no valid expiry time.
    pub expires_at: TimestampMs,
    /// The version as the row has it, which the condition of a write must name.
    pub(super) version_attribute: Option<AttributeValue>,
    is_damaged: bool,
}

impl StoredRollup {
    /// Decodes it.
    ///
    /// # Errors
    /// [`DecodeError`] where it is damaged, or written by a newer program.
    pub fn rollup(&self) -> Result<Rollup, DecodeError> {
        if self.is_damaged {
            return Err(DecodeError::Corrupt("an attribute of its row is missing or invalid"));
        }
        Rollup::from_bytes(self.span, self.through, &self.bytes)
    }

    /// `rollup` as if it had been read from a row with these bytes, written once.
    pub fn stored(rollup: &Rollup, bytes: Vec<u8>, expires_at: TimestampMs) -> Self {
        let (span, through) = (rollup.span(), rollup.through());
        let version_attribute = Some(items::number(1));
        Self {
            span,
            version: 1,
            through,
            bytes,
            activity: None,
            expires_at,
            version_attribute,
            is_damaged: false,
        }
    }

    /// The rollup of `span` in `row`.
    pub(super) fn of_span(span: RollupSpan, row: &Item) -> Self {
        let version = items::read_number(row, keys::VERSION);
        let through = items::read_time(row, keys::THROUGH);
        let bytes = items::read_bytes(row, keys::BUCKETS);
        let expires_at = expiry::read(row);
        let is_damaged = version.is_err() || through.is_err() || bytes.is_err() || expires_at.is_err();
        Self {
            span,
            version: version.unwrap_or_default(),
            through: through.unwrap_or(span.start()),
            bytes: bytes.unwrap_or_default().to_vec(),
            activity: read_activity(row),
            expires_at: expires_at.unwrap_or(TimestampMs::clamped(i64::MAX)),
            version_attribute: row.get(keys::VERSION).cloned(),
            is_damaged,
        }
    }

    /// The rollup in `row`, whose sort key is the start of its span.
    pub(super) fn read(row: &Item, resolution: Resolution) -> Result<Self, BadAttribute> {
        let start = keys::read_stamp(items::read_text(row, keys::SK)?)?;
        Ok(Self::of_span(RollupSpan::containing(resolution, start), row))
    }
}

fn read_activity(row: &Item) -> Option<Activity> {
    let text = items::read_text(row, keys::ACTIVITY).ok()?;
    serde_json::from_str(text).ok()
}
