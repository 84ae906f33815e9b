//! Reports of the library: duplicates are not stored, a wrong timestamp is replaced, and the source is the process
//! that sent them (docs/SEMANTICS.md, "Duplicates" and "Sources").

use nsl_aws::boot::Clients;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::event::SocketEvent;
use nsl_aws::legacy::{LegacyFrame, ReportedSource, StoreOutcome};
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_domain::app::App;
use nsl_domain::bounded::BoundedMap;
use nsl_domain::frame::draft::{ReportDraft, ReportSender};
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::legacy::report::{LegacyReport, ReportTime};
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;
use nsl_domain::time::{HOUR_MS, TimestampMs};
use parking_lot::Mutex;

use crate::settings::Settings;

/// How often the skew of one connection's clock is written.
const SKEW_WRITE_INTERVAL_MS: i64 = HOUR_MS;

/// The sources of legacy connections that this function instance has written. They do not expire, because the process
/// behind a connection does not change.
#[derive(Debug, Default)]
struct SourceCache {
    sources: Mutex<BoundedMap<(ConnectionId, AppId), CachedSource>>,
}

#[derive(Debug)]
struct CachedSource {
    source: Source,
    skew_written: Option<TimestampMs>,
}

impl SourceCache {
    /// The source of `connection`; `None` if it is not cached, or if the clock `is_skewed` and the skew must be written.
    fn get(
        &self,
        connection: &ConnectionId,
        app: &AppId,
        is_skewed: bool,
        now: TimestampMs,
    ) -> Option<Source> {
        let mut sources = self.sources.lock();
        let cached = sources.get(&(connection.clone(), app.clone()))?;
        let is_recent = |written: TimestampMs| (0..SKEW_WRITE_INTERVAL_MS).contains(&now.ms_since(written));
        let is_current = !is_skewed || cached.skew_written.is_some_and(is_recent);
        is_current.then(|| cached.source.clone())
    }

    fn insert(&self, connection: &ConnectionId, app: &AppId, source: CachedSource) {
        self.sources.lock().put((connection.clone(), app.clone()), source);
    }
}

/// Stores reports of the library.
#[derive(Debug)]
pub(crate) struct LegacyReports {
    reports: Reports,
    publishers: Publishers,
    source_cache: SourceCache,
    retention_ms: i64,
}

impl LegacyReports {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            reports: clients.reports(&settings.reports_table),
            publishers: clients.publishers(&settings.connections_table),
            source_cache: SourceCache::default(),
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
        let LegacyReport { mut report, time } = LegacyReport::from_draft(draft, sender);
        if time != ReportTime::Trusted {
            counters.add(Counter::WrongClocks, 1);
        }
        report.source = self.source_of(&report, time, event).await;
        match self.reports.store_legacy(&report, frame, app, app.raw_retention_ms(self.retention_ms)).await {
            Ok(StoreOutcome::Stored) => Ok(Some(report)),
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

    /// The source of the connection's first report, which is on its row. One write if it is not cached, and one an
    /// hour while the clock is skewed. If that write fails, the source of this report.
    async fn source_of(&self, report: &Report, time: ReportTime, event: &SocketEvent) -> Source {
        let ahead_ms = match time {
            ReportTime::Skewed { ahead_ms } => Some(ahead_ms),
            ReportTime::Trusted | ReportTime::Malformed => None,
        };
        let (connection, now) = (&event.connection, event.arrival);
        if let Some(source) = self.source_cache.get(connection, &report.app, ahead_ms.is_some(), now) {
            return source;
        }
        let reported = ReportedSource { source: &report.source, ahead_ms, now };
        match self.publishers.record_source(&report.app, connection, reported).await {
            Ok(source) => {
                let cached = CachedSource { source: source.clone(), skew_written: ahead_ms.map(|_| now) };
                self.source_cache.insert(connection, &report.app, cached);
                source
            }
            Err(fault) => {
                tracing::warn!(app = %report.app, reason = fault.chain(), "source of legacy connection not written");
                report.source.clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_is_written_once_an_hour() {
        let cache = SourceCache::default();
        let (connection, app) = (ConnectionId::new("a="), AppId::new("shop").unwrap());
        let start = TimestampMs::clamped(1_000_000);
        let is_cached =
            |is_skewed, later_ms| cache.get(&connection, &app, is_skewed, start.plus_ms(later_ms)).is_some();
        let insert = |skew_written| {
            let source = Source::new("s").unwrap();
            cache.insert(&connection, &app, CachedSource { source, skew_written });
        };
        assert!(!is_cached(false, 0));
        insert(None);
        assert!(is_cached(false, 10 * HOUR_MS) && !is_cached(true, 0));
        insert(Some(start));
        assert_eq!([0, HOUR_MS - 1, HOUR_MS].map(|later_ms| is_cached(true, later_ms)), [true, true, false]);
        assert!(is_cached(false, HOUR_MS));
    }
}
