//! A stored rollup as its row tells it.
//!
//! Owns the reading of the row. A row that is damaged is still a row: it has a place and a version to be written over,
//! and says that it holds nothing that can be read.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{DecodeError, Rollup, RollupSpan};
use nsl_domain::time::{SECOND_MS, TimestampMs};

use crate::items::{self, BadAttribute, Item};
use crate::keys;

/// A stored rollup.
#[derive(Debug, Clone)]
pub struct StoredRollup {
    /// Its span.
    pub span: RollupSpan,
    /// How often it was written; 0 where its row does not say.
    pub version: u64,
    /// Up to where it covers its span; its start where its row does not say.
    pub through: TimestampMs,
    /// Its bytes; none where its row has none.
    pub bytes: Vec<u8>,
    /// When its age ends; never where its row does not say.
    pub expires_at: TimestampMs,
    /// The version as it stands in the row, which is what a writer has to name.
    pub(super) written_as: Option<AttributeValue>,
    is_damaged: bool,
}

impl StoredRollup {
    /// What it holds.
    ///
    /// # Errors
    /// [`DecodeError`] where it is damaged, or newer than this program.
    pub fn rollup(&self) -> Result<Rollup, DecodeError> {
        if self.is_damaged {
            return Err(DecodeError::Corrupt("an attribute of its row is missing or means nothing"));
        }
        Rollup::from_bytes(self.span, self.through, &self.bytes)
    }

    /// `rollup` as if it had been read from a row with these bytes, written once.
    pub fn stored(rollup: &Rollup, bytes: Vec<u8>, expires_at: TimestampMs) -> Self {
        let (span, through) = (rollup.span(), rollup.through());
        let written_as = Some(items::number(1));
        Self { span, version: 1, through, bytes, expires_at, written_as, is_damaged: false }
    }

    /// The rollup of `span` in `row`, whatever the row says of itself.
    pub(super) fn at(span: RollupSpan, row: &Item) -> Self {
        let version = items::read_number(row, keys::VERSION);
        let through =
            items::read_number(row, keys::THROUGH).ok().and_then(|ms: i64| TimestampMs::try_from(ms).ok());
        let bytes = items::read_bytes(row, keys::BUCKETS);
        let expires_at = items::read_number::<i64>(row, keys::EXPIRES_AT);
        let is_damaged = version.is_err() || through.is_none() || bytes.is_err() || expires_at.is_err();
        Self {
            span,
            version: version.unwrap_or_default(),
            through: through.unwrap_or(span.start()),
            bytes: bytes.unwrap_or_default().to_vec(),
            expires_at: TimestampMs::clamped(
                expires_at.map_or(i64::MAX, |seconds| seconds.saturating_mul(SECOND_MS)),
            ),
            written_as: row.get(keys::VERSION).cloned(),
            is_damaged,
        }
    }

    /// The rollup in `row`, whose sort key says when its span starts.
    pub(super) fn read(row: &Item, resolution: Resolution) -> Result<Self, BadAttribute> {
        let start = keys::read_stamp(items::read_text(row, keys::SK)?)?;
        Ok(Self::at(RollupSpan::containing(resolution, start), row))
    }
}
