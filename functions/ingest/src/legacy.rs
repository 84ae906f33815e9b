//! Reports of the library: duplicates are not stored, a wrong timestamp is replaced, and the source is the process
//! that sent them (docs/SEMANTICS.md, "Duplicates" and "Sources").

use nsl_aws::boot::Clients;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::event::SocketEvent;
use nsl_aws::fault::Fault;
use nsl_aws::legacy::{LegacyFrame, ReportedSource, StoreOutcome};
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_domain::app::App;
use nsl_domain::bounded::BoundedMap;
use nsl_domain::frame::draft::{ReportDraft, ReportSender};
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::legacy::process::{Newcomer, ProcessStart};
use nsl_domain::legacy::report::{LegacyReport, ReportTime};
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;
use nsl_domain::time::{HOUR_MS, SECOND_MS, TimestampMs};
use parking_lot::Mutex;

use crate::processes::ProcessFinder;
use crate::settings::Settings;

/// How often the skew of one connection's clock is written.
const SKEW_WRITE_INTERVAL_MS: i64 = HOUR_MS;

/// The sources of legacy connections that this function instance has written. They do not expire, because the process
/// behind a connection does not change.
#[derive(Debug, Default)]
struct SourceCache {
    sources: Mutex<BoundedMap<(ConnectionId, AppId), CachedSource>>,
}

#[derive(Debug, Clone)]
struct CachedSource {
    source: Source,
    skew_written: Option<TimestampMs>,
}

impl SourceCache {
    fn get(&self, connection: &ConnectionId, app: &AppId) -> Option<CachedSource> {
        self.sources.lock().get(&(connection.clone(), app.clone())).cloned()
    }

    fn insert(&self, connection: &ConnectionId, app: &AppId, source: CachedSource) {
        self.sources.lock().put((connection.clone(), app.clone()), source);
    }
}

impl CachedSource {
    /// Whether nothing is to be written about a report at `now`, whose clock may be skewed.
    fn is_current(&self, is_skewed: bool, now: TimestampMs) -> bool {
        let is_recent = |written: TimestampMs| (0..SKEW_WRITE_INTERVAL_MS).contains(&now.ms_since(written));
        !is_skewed || self.skew_written.is_some_and(is_recent)
    }
}

/// Largest distance of the timestamps of a report and a copy that [`StoredCache`] recognises, in milliseconds. The library
/// reports once a second.
const MAX_CACHED_DISTANCE_MS: i64 = SECOND_MS - 1;

/// The last report of each connection that this instance stored. On a busy host the library's copies are further apart than
/// the table recognises; a document with an uptime that is equal to the last one is a copy all the same.
#[derive(Debug, Default)]
struct StoredCache {
    last: Mutex<BoundedMap<(ConnectionId, AppId), StoredReport>>,
}

/// A stored report: its document's hash, its timestamp and its message.
#[derive(Debug)]
struct StoredReport {
    document: u64,
    timestamp: TimestampMs,
    message: String,
}

impl StoredCache {
    /// Whether `report` of `frame` is a copy of the last one. A message that is delivered again is none.
    fn has_copy_of(&self, report: &Report, frame: &LegacyFrame<'_>) -> bool {
        let mut last = self.last.lock();
        let stored = last.get(&(frame.connection.clone(), report.app.clone()));
        stored.is_some_and(|stored| {
            stored.document == report.document.hash()
                && stored.message != frame.message
                && report.timestamp.ms_since(stored.timestamp).abs() <= MAX_CACHED_DISTANCE_MS
        })
    }

    fn insert(&self, report: &Report, frame: &LegacyFrame<'_>) {
        let (document, timestamp) = (report.document.hash(), report.timestamp);
        let stored = StoredReport { document, timestamp, message: frame.message.to_owned() };
        self.last.lock().put((frame.connection.clone(), report.app.clone()), stored);
    }
}

/// Stores reports of the library.
#[derive(Debug)]
pub(crate) struct LegacyReports {
    reports: Reports,
    publishers: Publishers,
    process_finder: ProcessFinder,
    source_cache: SourceCache,
    stored_cache: StoredCache,
    retention_ms: i64,
}

impl LegacyReports {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            reports: clients.reports(&settings.reports_table),
            publishers: clients.publishers(&settings.connections_table),
            process_finder: ProcessFinder::new(clients, settings),
            source_cache: SourceCache::default(),
            stored_cache: StoredCache::default(),
            retention_ms: settings.retention_ms,
        }
    }

    /// Stores a report of `event`; `None` if it is a duplicate.
    pub(crate) async fn store(
        &self,
        draft: ReportDraft,
        sender: &ReportSender,
        app: &App,
        event: &SocketEvent,
        counters: &Counters,
    ) -> Result<Option<Report>, Rejection> {
        let frame =
            LegacyFrame { connection: &event.connection, message: &event.message_id, index: draft.index };
        let LegacyReport { mut report, start, time } = LegacyReport::from_draft(draft, sender);
        if time != ReportTime::Trusted {
            counters.add(Counter::WrongClocks, 1);
        }
        let has_uptime = start.is_some();
        if has_uptime && self.stored_cache.has_copy_of(&report, &frame) {
            counters.add(Counter::AbsorbedDuplicates, 1);
            return Ok(None);
        }
        report.source = self.source_of(&report, start, time, event).await;
        match self.reports.store_legacy(&report, frame, app, app.raw_retention_ms(self.retention_ms)).await {
            Ok(StoreOutcome::Stored) => {
                if has_uptime {
                    self.stored_cache.insert(&report, &frame);
                }
                Ok(Some(report))
            }
            Ok(StoreOutcome::Duplicate) => {
                counters.add(Counter::AbsorbedDuplicates, 1);
                Ok(None)
            }
            Err(fault) => {
                tracing::error!(app = %report.app, reason = fault.chain(), "legacy report not stored");
                Err(Rejection::unavailable())
            }
        }
    }

    /// The source of the connection, which its first report decides: cached, else on its row. If the calls fail, what this
    /// report alone shows.
    async fn source_of(
        &self,
        report: &Report,
        start: Option<ProcessStart>,
        time: ReportTime,
        event: &SocketEvent,
    ) -> Source {
        let ahead_ms = match time {
            ReportTime::Skewed { ahead_ms } => Some(ahead_ms),
            ReportTime::Trusted | ReportTime::Malformed => None,
        };
        let (app, connection, now) = (&report.app, &event.connection, event.arrival);
        let cached = self.source_cache.get(connection, app);
        if let Some(cached) = cached.as_ref().filter(|cached| cached.is_current(ahead_ms.is_some(), now)) {
            return cached.source.clone();
        }
        let found = match (cached, start) {
            (Some(cached), _) => self.record(app, &cached.source, ahead_ms, event).await,
            (None, None) => self.record(app, &report.source, ahead_ms, event).await,
            (None, Some(start)) => self.find(app, start, ahead_ms, event).await,
        };
        match found {
            Ok(source) => {
                let cached = CachedSource { source: source.clone(), skew_written: ahead_ms.map(|_| now) };
                self.source_cache.insert(connection, app, cached);
                source
            }
            Err(fault) => {
                tracing::warn!(%app, reason = fault.chain(), "source of legacy connection not written");
                report.source.clone()
            }
        }
    }

    /// The source on the row of the connection, or that of its process. One read; without a source there, the calls of
    /// [`ProcessFinder::identify`] and one write; the same write if the clock is skewed.
    async fn find(
        &self,
        app: &AppId,
        start: ProcessStart,
        ahead_ms: Option<i64>,
        event: &SocketEvent,
    ) -> Result<Source, Fault> {
        let connection = &event.connection;
        if let Some(source) = self.publishers.source_of(app, connection).await? {
            return if ahead_ms.is_none() {
                Ok(source)
            } else {
                self.record(app, &source, ahead_ms, event).await
            };
        }
        let (connection, opened, arrival) = (connection.clone(), event.opened, event.arrival);
        let identified =
            self.process_finder.identify(app, &Newcomer { connection, opened, start, arrival }).await?;
        let source = self.record(app, &identified.source, ahead_ms, event).await?;
        if source != identified.source
            && let Err(fault) = self.process_finder.undo(app, identified).await
        {
            tracing::warn!(%app, reason = fault.chain(), "process of legacy connection not restored");
        }
        Ok(source)
    }

    /// Stores the source of the connection on its row, unless one is stored, and the skew of its clock; returns the stored
    /// one. One write.
    async fn record(
        &self,
        app: &AppId,
        source: &Source,
        ahead_ms: Option<i64>,
        event: &SocketEvent,
    ) -> Result<Source, Fault> {
        let reported = ReportedSource { source, ahead_ms, now: event.arrival };
        self.publishers.record_source(app, &event.connection, reported).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_is_written_once_an_hour() {
        let start = TimestampMs::clamped(1_000_000);
        let is_current = |skew_written, is_skewed, later_ms| {
            let cached = CachedSource { source: Source::new("s").unwrap(), skew_written };
            cached.is_current(is_skewed, start.plus_ms(later_ms))
        };
        assert!(is_current(None, false, 10 * HOUR_MS) && !is_current(None, true, 0));
        let hour = [0, HOUR_MS - 1, HOUR_MS].map(|later_ms| is_current(Some(start), true, later_ms));
        assert_eq!(hour, [true, true, false]);
        assert!(is_current(Some(start), false, HOUR_MS));
    }
}
