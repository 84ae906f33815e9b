//! The Reports table: raw reports, by app, hour and write shard.
//!
//! A modern report is keyed by its timestamp, a legacy one by its dedup window. So a span is read by the keys of its
//! windows, and what is found is filtered by timestamp.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use nsl_domain::app::App;
use nsl_domain::frame::replay::{MAX_REPLAY_BYTES, within_bytes};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::legacy::dedup_window::dedup_window;
use nsl_domain::report::{Document, MAX_AHEAD_MS, RecentReports, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, MAX_RAW_HOURS, RAW_GRACE_MS, RollupSpan};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;

use crate::erase::Partition;
use crate::expiry;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table::{self, Page, Table};

/// The Reports table.
#[derive(Debug, Clone)]
pub struct Reports {
    pub(crate) table: Table,
}

/// Which end of a span is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    OldestFirst,
    NewestFirst,
}

impl Reports {
    /// Stores `report` of `app`, to be shown for `retention_ms` from its timestamp. One write; idempotent.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store(&self, report: &Report, app: &App, retention_ms: i64) -> Result<(), Fault> {
        let partition = keys::report_partition(&report.app, report.timestamp, app.shard_of(&report.source));
        let put = self.table.put(partition, report.id());
        let attributes = attributes(report, retention_ms).into_iter();
        let put = attributes.fold(put, |put, (name, value)| put.item(name, value));
        put.send().await.map_err(|error| Fault::of("put report", error))?;
        Ok(())
    }

    /// The newest reports of `app` stamped `from` or later, at most `most`, oldest first. Where they are not all, one
    /// report of the oldest dedup window may be missing before an older one of it. One consistent query per hour and
    /// shard that the span touches, and per megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn recent(
        &self,
        app: &App,
        from: TimestampMs,
        now: TimestampMs,
        most: usize,
    ) -> Result<RecentReports, Fault> {
        const ATTEMPT: &str = "query recent reports";
        let span = TimeSpan::new(from, now.plus_ms(MAX_AHEAD_MS + 1));
        let read = read_shown(span, now);
        let mut reports = Vec::new();
        for shard in 0..app.shards {
            let (mut of_shard, mut bytes) = (Vec::new(), 0);
            for hour in keys::hours(span).rev() {
                let query = self.between(&app.id, hour, shard, span, Order::NewestFirst);
                let limit = i32::try_from(most + 1).unwrap_or(i32::MAX);
                let mut rows = query.limit(limit).into_paginator().items().send();
                while of_shard.len() <= most
                    && bytes <= MAX_REPLAY_BYTES
                    && let Some(row) = rows.next().await
                {
                    let row = row.map_err(|error| Fault::of(ATTEMPT, error))?;
                    let report = table::read_or_log(&row, ATTEMPT, &read);
                    bytes += report.as_ref().map_or(0, |report: &Report| report.document.as_str().len());
                    of_shard.extend(report);
                }
            }
            reports.extend(of_shard);
        }
        reports.sort_by_cached_key(Report::id);
        let is_complete = reports.len() <= most;
        let surplus = reports.len().saturating_sub(most);
        Ok(within_bytes(RecentReports { reports: reports.split_off(surplus), is_complete }))
    }

    /// Calls `visit` with every report of `app` stamped in `span` that is not expired at `now`, hour by hour, shard by
    /// shard, oldest dedup window first. One consistent query per hour and shard, and per megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn for_each(
        &self,
        app: &App,
        span: TimeSpan,
        now: TimestampMs,
        mut visit: impl FnMut(Report),
    ) -> Result<(), Fault> {
        for hour in keys::hours(span) {
            for shard in 0..app.shards {
                let query = self.between(&app.id, hour, shard, span, Order::OldestFirst);
                table::for_each(query, "query reports", read_shown(span, now), &mut visit).await?;
            }
        }
        Ok(())
    }

    /// The reports of one write shard stamped in `span`, oldest dedup window first; `None` where an hour of them is
    /// more than one page of a megabyte. One consistent query per hour.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn tail(
        &self,
        shard: &AppShard,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Option<Vec<Report>>, Fault> {
        let mut reports = Vec::new();
        for hour in keys::hours(span) {
            let page = self.page(shard, hour, span, Order::OldestFirst, now).await?;
            if !page.is_last {
                return Ok(None);
            }
            reports.extend(page.values);
        }
        Ok(Some(reports))
    }

    /// The newest reports of one write shard stamped in `span`: of each hour as many as one page of a megabyte holds.
    /// One consistent query per hour.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn newest(
        &self,
        shard: &AppShard,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Vec<Report>, Fault> {
        let mut reports = Vec::new();
        for hour in keys::hours(span) {
            reports.extend(self.page(shard, hour, span, Order::NewestFirst, now).await?.values);
        }
        Ok(reports)
    }

    /// The newest reports of one write shard stamped in `span`, at most `most` of each hour. One eventually consistent
    /// query per hour.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn newest_few(
        &self,
        shard: &AppShard,
        span: TimeSpan,
        now: TimestampMs,
        most: i32,
    ) -> Result<Vec<Report>, Fault> {
        let mut reports = Vec::new();
        for hour in keys::hours(span) {
            let query = self.between(&shard.app, hour, shard.shard, span, Order::NewestFirst);
            let query = query.limit(most).consistent_read(false);
            let page = table::read_page(query, "query the newest reports", read_shown(span, now)).await?;
            reports.extend(page.values);
        }
        Ok(reports)
    }

    async fn page(
        &self,
        shard: &AppShard,
        hour: TimestampMs,
        span: TimeSpan,
        order: Order,
        now: TimestampMs,
    ) -> Result<Page<Report>, Fault> {
        let query = self.between(&shard.app, hour, shard.shard, span, order);
        table::read_page(query, "query the raw tail", read_shown(span, now)).await
    }

    /// Calls `visit` with every report of one write shard stamped in `span`, oldest dedup window first, expired or not:
    /// a rollup must not shrink while its oldest reports are deleted one by one. One consistent query, and one per
    /// further megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn for_each_in_minute(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        visit: impl FnMut(Report),
    ) -> Result<(), Fault> {
        let query = self.between(&shard.app, span.start(), shard.shard, span.time_span(), Order::OldestFirst);
        table::for_each(query, "query the reports of a minute", |row| read_report(row).map(Some), visit).await
    }

    /// The minutes of `span` in which one write shard stored a report. One consistent query per hour, and per megabyte
    /// of the reports, of which only the keys are returned.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn minutes(&self, shard: &AppShard, span: TimeSpan) -> Result<BTreeSet<RollupSpan>, Fault> {
        let mut minutes = BTreeSet::new();
        for hour in keys::hours(span) {
            let query = self.between(&shard.app, hour, shard.shard, span, Order::OldestFirst);
            let keys_only = query.projection_expression(keys::KEY_ONLY);
            let minute = |row: &Item| {
                let stamp = keys::read_stamp(items::read_text(row, keys::SK)?)?;
                Ok(Some(RollupSpan::containing(Resolution::Minute, stamp)))
            };
            minutes.extend(table::read_all(keys_only, "query the minutes of reports", minute).await?);
        }
        Ok(minutes)
    }

    /// Every partition that may hold a report of `app` at `now`: one per hour and shard that any retention reaches. No
    /// call.
    pub fn partitions(&self, app: &App, now: TimestampMs) -> Vec<Partition> {
        let longest_ms = MAX_RAW_HOURS * HOUR_MS + RAW_GRACE_MS;
        let span = TimeSpan::new(now.plus_ms(-longest_ms), now.plus_ms(MAX_AHEAD_MS + 1));
        let hours = keys::hours(span);
        let of_hour = |hour| (0..app.shards).map(move |shard| keys::report_partition(&app.id, hour, shard));
        hours.flat_map(of_hour).map(|key| Partition::new(&self.table, key)).collect()
    }

    /// The rows of the dedup windows that touch `span`: a little more than what is stamped in it.
    fn between(
        &self,
        app: &AppId,
        hour: TimestampMs,
        shard: u16,
        span: TimeSpan,
        order: Order,
    ) -> QueryFluentBuilder {
        let partition = keys::report_partition(app, hour, shard);
        let query = self.table.query_between(partition, dedup_window(span.from), span.to);
        query.scan_index_forward(order == Order::OldestFirst)
    }
}

/// The attributes of a report's row, apart from its key.
pub(crate) fn attributes(report: &Report, retention_ms: i64) -> Item {
    let attributes = [
        (keys::APP_ID, items::text(report.app.as_str())),
        (keys::SOURCE, items::text(report.source.as_str())),
        (keys::TIMESTAMP, items::number(report.timestamp.ms())),
        (keys::DOCUMENT, items::text(report.document.as_str())),
        (keys::EXPIRES_AT, expiry::of_report(report, retention_ms)),
    ];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Reads the report of a row; `None` where it is expired at `now` or not stamped in `span`.
fn read_shown(span: TimeSpan, now: TimestampMs) -> impl Fn(&Item) -> Result<Option<Report>, BadAttribute> {
    move |row| {
        if expiry::is_report_expired(row, now)? {
            return Ok(None);
        }
        let report = read_report(row)?;
        Ok(span.contains(report.timestamp).then_some(report))
    }
}

/// The sort key that the report of a row must have: that of its dedup window where a legacy connection sent it.
pub(crate) fn sort_key(row: &Item, report: &Report) -> Result<String, BadAttribute> {
    let connection = items::optional(items::read_text(row, keys::CONNECTION))?.map(ConnectionId::new);
    Ok(match connection {
        Some(connection) => {
            keys::legacy_report(dedup_window(report.timestamp), &connection, &report.document)
        }
        None => report.id(),
    })
}

/// The report of a row, expired or not.
pub(crate) fn read_report(row: &Item) -> Result<Report, BadAttribute> {
    Ok(Report {
        app: items::read_app_id(row, keys::APP_ID)?,
        source: items::read_id(row, keys::SOURCE)?,
        timestamp: items::read_time(row, keys::TIMESTAMP)?,
        document: Document::stored(items::read_text(row, keys::DOCUMENT)?.to_owned()),
    })
}
