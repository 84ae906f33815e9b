//! The last report of each source of an app.

use nsl_domain::ids::AppId;
use nsl_domain::report::{Document, RecentReports, Report};
use nsl_domain::time::TimestampMs;

use super::Rollups;
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table;

/// The outcome of storing a last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastReportPut {
    /// It is the last of its source.
    Stored,
    /// A later one is stored; nothing was changed.
    Older,
}

impl Rollups {
    /// The last report of as many sources of `app` as one page of a megabyte holds, of those that are not expired at
    /// `now`. They are those whose names are greatest: a library names its source by its start, so these started last.
    /// One that cannot be read is logged and left out. One consistent query.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn last_reports(&self, app: &AppId, now: TimestampMs) -> Result<RecentReports, Fault> {
        let query = self.table.query(keys::sources(app)).scan_index_forward(false);
        let read = |row: &Item| {
            let last = read_last(row, app, now)?;
            Ok(last.filter(|report| now.ms_since(report.timestamp) < self.retention.minute_ms))
        };
        let page = table::read_page(query, "query the last reports", read).await?;
        Ok(RecentReports { reports: page.values, is_complete: page.is_last })
    }

    /// Stores `report` as the last of its source, unless a later one is stored. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put_last_report(&self, report: &Report) -> Result<LastReportPut, Fault> {
        let put = self
            .table
            .put(keys::sources(&report.app), report.source.to_string())
            .item(keys::EXPIRES_AT, expiry::of_last_report(report, self.retention))
            .item(keys::REPORT, items::text(report.id()))
            .item(keys::TIMESTAMP, items::number(report.timestamp.ms()))
            .item(keys::DOCUMENT, items::text(report.document.as_str()))
            .condition_expression("attribute_not_exists(pk) OR report < :report")
            .expression_attribute_values(":report", items::text(report.id()));
        let stored = if_condition_held("put the last report", put.send().await)?;
        Ok(stored.map_or(LastReportPut::Older, |_| LastReportPut::Stored))
    }
}

/// The last report of a source; `None` where it is expired.
fn read_last(row: &Item, app: &AppId, now: TimestampMs) -> Result<Option<Report>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    Ok(Some(Report {
        app: app.clone(),
        source: items::read_id(row, keys::SK)?,
        timestamp: items::read_time(row, keys::TIMESTAMP)?,
        document: Document::stored(items::read_text(row, keys::DOCUMENT)?.to_owned()),
    }))
}
