//! Stream records that could not be read: stored whole, and listed for an operator.

use nsl_domain::ids::{AppId, KeyHash};
use nsl_domain::time::TimestampMs;

use super::Rollups;
use crate::expiry;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::stream::MalformedRecord;
use crate::table;

/// Most bytes of a quarantined record; a stream record is smaller, and an item must stay below 400 KB.
const MAX_QUARANTINED_BYTES: usize = 300 * 1_024;

/// A quarantined record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its sequence number, or a fingerprint of it if it has none.
    pub sequence: String,
    /// Why it cannot be read.
    pub reason: String,
    /// Its text.
    pub record: String,
    /// When it expires.
    pub expires_at: TimestampMs,
}

impl Rollups {
    /// Quarantines a stream record for two weeks from `now`. One write; idempotent.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn quarantine(&self, malformed: &MalformedRecord<'_>, now: TimestampMs) -> Result<(), Fault> {
        let record: String = malformed.record.chars().take(MAX_QUARANTINED_BYTES / 4).collect();
        let record = if malformed.record.len() > MAX_QUARANTINED_BYTES { &record } else { malformed.record };
        let sequence = malformed.sequence.clone().unwrap_or_else(|| KeyHash::of(malformed.record).to_hex());
        let put = self
            .table
            .put(keys::quarantine(malformed.app.as_ref()), sequence)
            .item(keys::EXPIRES_AT, expiry::of_quarantined(now))
            .item(keys::REASON, items::text(malformed.reason.as_str()))
            .item(keys::RECORD, items::text(record));
        put.send().await.map_err(|error| Fault::of("put a record into quarantine", error))?;
        Ok(())
    }

    /// The quarantined records of `app`, or those that name no app, by sequence number, without those expired at
    /// `now`. One consistent query, and one per further megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn quarantined(
        &self,
        app: Option<&AppId>,
        now: TimestampMs,
    ) -> Result<Vec<Quarantined>, Fault> {
        let query = self.table.query(keys::quarantine(app));
        table::read_all(query, "query the quarantine", |row| read_quarantined(row, now)).await
    }
}

/// A record; `None` where it is expired.
fn read_quarantined(row: &Item, now: TimestampMs) -> Result<Option<Quarantined>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    Ok(Some(Quarantined {
        sequence: items::read_text(row, keys::SK)?.to_owned(),
        reason: items::read_text(row, keys::REASON)?.to_owned(),
        record: items::read_text(row, keys::RECORD)?.to_owned(),
        expires_at: expiry::read(row)?,
    }))
}
