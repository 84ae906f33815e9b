//! How much an app may send in a second, and how many connections it may have.
//!
//! Ingest counts what arrives at one instance, the rollup function what was stored; the limits of both are here.

use serde::Serialize;

use crate::rate::Rate;
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Connections of an app without a limit of its own, publishers and subscriptions counted together: a report is posted
/// to each subscription, and a recount reads every row. A thousand viewers whose key may also publish, which have a row
/// of each kind, fit with some room.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 2_500;

/// Largest limit of connections that an app can be given: a recount reads a megabyte.
const MAX_CONFIGURABLE_CONNECTIONS: u32 = 10_000;

/// Reports a second of each write shard: the limit of one partition.
const SHARD_REPORTS: u32 = 1_000;

/// Bytes a second of each write shard: a partition takes 1,000 write units a second, and a unit is a kilobyte.
const SHARD_BYTES: u32 = 1_000_000;

/// Lowest limit of bytes a second that an app can be given: a report of the library fits.
const LEAST_BYTES: u32 = 1_000;

/// Seconds of its rate that an app may send at once, so that a backlog of batches passes.
const BURST_SECONDS: u32 = 10;

/// Least burst in reports: the largest batch, which would never pass otherwise.
const LEAST_BURST_REPORTS: u32 = 100;

/// Least burst in bytes: the largest message that API Gateway takes.
const LEAST_BURST_BYTES: u32 = 128 * 1_024;

/// Shortest time from the end of an excessive minute to the end of the rejection period: the rollup function counts the
/// minute within one, ingest caches the app for another, and during the third all instances reject.
const MIN_REJECTION_MS: i64 = 3 * MINUTE_MS;

/// Longest addition to it for the excess, so that a rejection period ends soon after a client is fixed.
const MAX_EXCESS_MS: i64 = 10 * MINUTE_MS;

/// An app's own limits; `None` means the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnLimits {
    /// Reports a second, all write shards together.
    pub reports: Option<u32>,
    /// Bytes of metrics a second, all write shards together.
    pub bytes: Option<u32>,
    /// Publishers and subscriptions, counted together.
    pub connections: Option<u32>,
    /// Subscriptions; by default as many as connections.
    pub subscriptions: Option<u32>,
}

/// A limit that an app may not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit} must be between {least} and {most}, got {asked}")]
pub struct OutOfBounds {
    /// Which one.
    pub limit: &'static str,
    /// Its lower bound, inclusive.
    pub least: u32,
    /// Its upper bound, inclusive.
    pub most: u32,
    /// The requested value.
    pub asked: u32,
}

/// The rates at which an app may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Reports.
    pub reports: Rate,
    /// Bytes of metrics.
    pub bytes: Rate,
}

/// What an app sent in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Reports.
    pub reports: u64,
    /// Bytes of their metrics.
    pub bytes: u64,
}

impl OwnLimits {
    /// Whether an app of `shards` write shards may have these.
    ///
    /// # Errors
    /// The first that is [`OutOfBounds`].
    pub fn check(&self, shards: u16) -> Result<(), OutOfBounds> {
        let shards = u32::from(shards.max(1));
        check("reports a second", self.reports, 1, SHARD_REPORTS.saturating_mul(shards))?;
        check("bytes a second", self.bytes, LEAST_BYTES, SHARD_BYTES.saturating_mul(shards))?;
        check("connections", self.connections, 1, MAX_CONFIGURABLE_CONNECTIONS)?;
        check("subscriptions", self.subscriptions, 1, MAX_CONFIGURABLE_CONNECTIONS)
    }

    /// The rates of an app of `shards` write shards.
    pub(super) fn rates(&self, shards: u16) -> Rates {
        let shards = u32::from(shards.max(1));
        let rate = |own: Option<u32>, of_shard: u32, least_burst: u32| {
            let per_second = own.unwrap_or(of_shard.saturating_mul(shards)).max(1);
            Rate { per_second, burst: per_second.saturating_mul(BURST_SECONDS).max(least_burst) }
        };
        Rates {
            reports: rate(self.reports, SHARD_REPORTS, LEAST_BURST_REPORTS),
            bytes: rate(self.bytes, SHARD_BYTES, LEAST_BURST_BYTES),
        }
    }
}

fn check(limit: &'static str, asked: Option<u32>, least: u32, most: u32) -> Result<(), OutOfBounds> {
    match asked {
        Some(asked) if !(least..=most).contains(&asked) => Err(OutOfBounds { limit, least, most, asked }),
        _ => Ok(()),
    }
}

impl Rates {
    /// Time until which the reports of an app are rejected that sent `sent` in the minute that ended at `end`: only if
    /// the minute exceeded burst + 60 x rate; plus the time the excess takes at the rate. Depends on the minute alone,
    /// so that a stream record that is delivered twice changes nothing.
    pub fn rejected_until(&self, sent: Sent, end: TimestampMs) -> Option<TimestampMs> {
        let excesses = [(self.reports, sent.reports), (self.bytes, sent.bytes)]
            .map(|(rate, sent)| excess_ms(rate, sent));
        let excess_ms = excesses.into_iter().flatten().max()?;
        Some(end.plus_ms(MIN_REJECTION_MS + excess_ms.min(MAX_EXCESS_MS)))
    }
}

/// Milliseconds that the part of `sent` beyond the burst and a minute of `rate` takes at `rate`.
fn excess_ms(rate: Rate, sent: u64) -> Option<i64> {
    let per_second = u64::from(rate.per_second.max(1));
    let allowed = u64::from(rate.burst) + per_second * (MINUTE_MS / SECOND_MS).unsigned_abs();
    let excess = sent.checked_sub(allowed).filter(|excess| *excess > 0)?;
    i64::try_from(excess.saturating_mul(SECOND_MS.unsigned_abs()).div_ceil(per_second)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_above_the_capacity_of_partitions_is_rejected() {
        let limits = |reports| OwnLimits { reports: Some(reports), ..OwnLimits::default() };
        assert_eq!(limits(1_000).check(1), Ok(()));
        assert_eq!(limits(2_000).check(2), Ok(()));
        let error = limits(1_001).check(1).unwrap_err();
        assert_eq!(error.to_string(), "reports a second must be between 1 and 1000, got 1001");
        assert!(limits(0).check(1).is_err());
        for bad in [
            OwnLimits { bytes: Some(999), ..OwnLimits::default() },
            OwnLimits { connections: Some(0), ..OwnLimits::default() },
            OwnLimits { subscriptions: Some(10_001), ..OwnLimits::default() },
        ] {
            assert!(bad.check(64).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rejection_starts_above_burst_and_a_minute_of_rate() {
        let rates = OwnLimits { reports: Some(10), ..OwnLimits::default() }.rates(1);
        let end = TimestampMs::EXAMPLE;
        let until = |reports| rates.rejected_until(Sent { reports, bytes: 0 }, end);
        assert_eq!(until(700), None);
        assert_eq!(until(701), Some(end.plus_ms(MIN_REJECTION_MS + 100)));
        assert_eq!(until(1_300), Some(end.plus_ms(MIN_REJECTION_MS + MINUTE_MS)));
        assert_eq!(until(u64::MAX), Some(end.plus_ms(MIN_REJECTION_MS + MAX_EXCESS_MS)));
        let bytes = Sent { reports: 0, bytes: 80_000_000 };
        assert_eq!(rates.rejected_until(bytes, end), Some(end.plus_ms(MIN_REJECTION_MS + 10 * SECOND_MS)));
    }
}
