//! Reports of legacy connections: doubled, stamped by clocks that nobody can correct, from processes without a name.
//!
//! Owns what becomes of one of them: one copy is stored, a wrong clock is replaced and noted, the source is the
//! process. Ruled by design.md §5 and §6; docs/SEMANTICS.md, "Duplicates", says what is promised.

use nsl_aws::counters::Counter;
use nsl_aws::event::SocketEvent;
use nsl_aws::publishers::ReportedSource;
use nsl_aws::reports::{LegacyFrame, StoreOutcome};
use nsl_domain::app::App;
use nsl_domain::frame::draft::{ReportDraft, ReportSender};
use nsl_domain::ids::Source;
use nsl_domain::legacy::report::{LegacyReport, ReportTime};
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;

use crate::handler::Ingest;

impl Ingest {
    /// Stores the report at `index` of the frame of `event`; `None` where its other copy is stored, which whoever
    /// stored it broadcasts.
    pub(crate) async fn store_legacy(
        &self,
        (index, draft): (usize, ReportDraft),
        sender: &ReportSender,
        app: &App,
        event: &SocketEvent,
    ) -> Result<Option<Report>, Rejection> {
        let LegacyReport { mut report, time } = LegacyReport::from_draft(draft, sender);
        if time != ReportTime::Trusted {
            self.counters.add(Counter::WrongClocks, 1);
        }
        report.source = self.process_of(&report, time, event).await;
        let frame = LegacyFrame { connection: &event.connection, message: &event.message_id, index };
        match self.reports.store_legacy(&report, frame, app, app.raw_retention_ms(self.retention_ms)).await {
            Ok(StoreOutcome::Stored) => Ok(Some(report)),
            Ok(StoreOutcome::Duplicate) => {
                self.counters.add(Counter::AbsorbedDuplicates, 1);
                Ok(None)
            }
            Err(fault) => {
                tracing::error!(app = %report.app, reason = fault.chain(), "legacy report not stored");
                Err(Rejection::unavailable())
            }
        }
    }

    /// The source that the connection's first report told, kept on its row. One write where this instance does not
    /// know it, and one an hour while the clock is wrong; where the row is out of reach, what this report tells.
    async fn process_of(&self, report: &Report, time: ReportTime, event: &SocketEvent) -> Source {
        let is_wrong = matches!(time, ReportTime::Skewed { .. });
        let key = (event.connection.clone(), report.app.clone());
        if let Some(known) = self.processes.known(&key, is_wrong, event.arrival) {
            return known;
        }
        let ahead_ms = match time {
            ReportTime::Skewed { ahead_ms } => Some(ahead_ms),
            ReportTime::Trusted | ReportTime::Malformed => None,
        };
        let told = ReportedSource { source: &report.source, ahead_ms, now: event.arrival };
        match self.publishers.record_source(&report.app, &event.connection, told).await {
            Ok(source) => {
                self.processes.keep(key, source.clone(), is_wrong, event.arrival);
                source
            }
            Err(fault) => {
                tracing::warn!(app = %report.app, reason = fault.chain(), "the process of a connection is not kept");
                report.source.clone()
            }
        }
    }
}
