//! Stream records that could not be read: set aside whole, and listed for who looks into them.

use nsl_domain::ids::AppId;
use nsl_domain::time::{DAY_MS, TimestampMs};

use super::Rollups;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::rows;
use crate::stream::MalformedRecord;

/// How long a stream record that could not be read is kept, in milliseconds: two weeks to look into it.
const QUARANTINE_MS: i64 = 14 * DAY_MS;

/// Most bytes of a quarantined record; a stream record is smaller, and an item must stay below 400 KB.
const MAX_QUARANTINED_BYTES: usize = 300 * 1_024;

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its place in the stream, or a fingerprint of it where it has none.
    pub sequence: String,
    /// What is wrong with it.
    pub reason: String,
    /// Its text.
    pub record: String,
    /// When it will be forgotten.
    pub expires_at: TimestampMs,
}

impl Rollups {
    /// Sets a stream record aside, whole, for two weeks from `now`. One write; again is the same as once.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn quarantine(&self, malformed: &MalformedRecord<'_>, now: TimestampMs) -> Result<(), Fault> {
        let record: String = malformed.record.chars().take(MAX_QUARANTINED_BYTES / 4).collect();
        let whole = if malformed.record.len() > MAX_QUARANTINED_BYTES { &record } else { malformed.record };
        let put = self
            .put_item(
                keys::quarantine(malformed.app.as_ref()),
                malformed.sequence.clone().unwrap_or_else(|| keys::fingerprint(malformed.record)),
                now.plus_ms(QUARANTINE_MS),
            )
            .item(keys::REASON, items::text(malformed.reason.as_str()))
            .item(keys::RECORD, items::text(whole));
        put.send().await.map_err(|error| Fault::of("put a record into quarantine", error))?;
        Ok(())
    }

    /// The records of `app` that were set aside, or those that name no application, by their place in the stream;
    /// none that is past its age at `now`. One consistent query, and one for each further megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn quarantined(
        &self,
        app: Option<&AppId>,
        now: TimestampMs,
    ) -> Result<Vec<Quarantined>, Fault> {
        let query = rows::of_partition(&self.client, &self.table, keys::quarantine(app));
        rows::readable(query, "query the quarantine", |row| read_quarantined(row, now)).await
    }
}

/// A record, unless it is past its age.
fn read_quarantined(row: &Item, now: TimestampMs) -> Result<Option<Quarantined>, BadAttribute> {
    let seconds: i64 = items::read_number(row, keys::EXPIRES_AT)?;
    if seconds <= now.seconds() {
        return Ok(None);
    }
    Ok(Some(Quarantined {
        sequence: items::read_text(row, keys::SK)?.to_owned(),
        reason: items::read_text(row, keys::REASON)?.to_owned(),
        record: items::read_text(row, keys::RECORD)?.to_owned(),
        expires_at: TimestampMs::clamped(seconds.saturating_mul(1_000)),
    }))
}
