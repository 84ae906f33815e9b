//! The Reports table: raw reports, by application, hour and write shard.
//!
//! Owns storing one and reading spans of them. The same report stored twice is one item. A modern report is keyed by
//! its instant, a legacy one by its cell (`legacy`), so that a span is read by the keys of its cells, and what is
//! found is held to the instants. Ruled by design.md §5.

mod legacy;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use nsl_domain::app::App;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::legacy::dedup_window::dedup_window;
use nsl_domain::report::{Document, MAX_AHEAD_MS, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, MAX_RAW_HOURS, RAW_GRACE_MS, RollupSpan};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;

use crate::erase::Partition;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::rows;

pub use legacy::{LegacyFrame, StoreOutcome};

/// The Reports table.
#[derive(Debug, Clone)]
pub struct Reports {
    client: Client,
    table: String,
}

/// Which end of a span is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    OldestFirst,
    NewestFirst,
}

impl Reports {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Stores `report` of `app` to be shown for `retention_ms` from its own instant, and to be there [`RAW_GRACE_MS`]
    /// longer for the rollup of its minute. One write; again is the same as once.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store(&self, report: &Report, app: &App, retention_ms: i64) -> Result<(), Fault> {
        let shard = app.shard_of(&report.source);
        let expires_at = report.timestamp.plus_ms(retention_ms + RAW_GRACE_MS);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(base_item(report, expires_at)))
            .item(keys::PK, items::text(keys::report_partition(&report.app, report.timestamp, shard)))
            .item(keys::SK, items::text(report.id()));
        put.send().await.map_err(|error| Fault::of("put report", error))?;
        Ok(())
    }

    /// The newest reports of `app` stamped `from` or later, at most `most`, oldest first, and whether they are all.
    /// Where they are not, one of the oldest cell may be missing before an older one of it. One consistent query for each hour and shard that the span touches, and for each megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn recent(
        &self,
        app: &App,
        from: TimestampMs,
        now: TimestampMs,
        most: usize,
    ) -> Result<(Vec<Report>, bool), Fault> {
        let span = TimeSpan::new(from, now.plus_ms(MAX_AHEAD_MS + 1));
        let mut found = Vec::new();
        for shard in 0..app.shards {
            let mut of_shard = Vec::new();
            for hour in keys::hours(span).rev() {
                let query = self.between(&app.id, hour, shard, span, Order::NewestFirst);
                let limit = i32::try_from(most + 1).unwrap_or(i32::MAX);
                let mut rows = query.limit(limit).into_paginator().items().send();
                while of_shard.len() <= most
                    && let Some(row) = rows.next().await
                {
                    let row = row.map_err(|error| Fault::of("query recent reports", error))?;
                    of_shard.extend(readable(&row, now).filter(|report| span.contains(report.timestamp)));
                }
            }
            found.extend(of_shard);
        }
        found.sort_by_cached_key(Report::id);
        let all = found.len() <= most;
        let surplus = found.len().saturating_sub(most);
        Ok((found.split_off(surplus), all))
    }

    /// Shows every report of `app` stamped in `span` to `visit`, hour by hour and oldest first within each
    /// hour and shard, but for those of one cell; none that is past its age at `now`. One consistent query for each hour and shard, and for
    /// each megabyte.
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
                let mut rows = query.into_paginator().items().send();
                while let Some(row) = rows.next().await {
                    let row = row.map_err(|error| Fault::of("query reports", error))?;
                    if let Some(report) = readable(&row, now).filter(|report| span.contains(report.timestamp))
                    {
                        visit(report);
                    }
                }
            }
        }
        Ok(())
    }

    /// The reports of one write shard stamped in `span`, oldest cell first, or `None` where an hour of them is more
    /// than one page of a megabyte. One consistent query for each hour.
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
            let (of_hour, is_whole) = self.page(shard, hour, span, Order::OldestFirst, now).await?;
            if !is_whole {
                return Ok(None);
            }
            reports.extend(of_hour);
        }
        Ok(Some(reports))
    }

    /// The newest reports of one write shard stamped in `span`, of each hour as many as one page of a megabyte
    /// holds. One consistent query for each hour.
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
            reports.extend(self.page(shard, hour, span, Order::NewestFirst, now).await?.0);
        }
        Ok(reports)
    }

    /// The reports of an hour that one page holds, and whether they are all.
    async fn page(
        &self,
        shard: &AppShard,
        hour: TimestampMs,
        span: TimeSpan,
        order: Order,
        now: TimestampMs,
    ) -> Result<(Vec<Report>, bool), Fault> {
        let query = self.between(&shard.app, hour, shard.shard, span, order);
        let page = query.send().await.map_err(|error| Fault::of("query the raw tail", error))?;
        let is_whole = page.last_evaluated_key.is_none_or(|key| key.is_empty());
        let rows = page.items.unwrap_or_default();
        let reports =
            rows.iter().filter_map(|row| readable(row, now)).filter(|report| span.contains(report.timestamp));
        Ok((reports.collect(), is_whole))
    }

    /// Shows every report of one write shard stamped in `span`, oldest cell first, to `visit`, whatever its age: what is
    /// computed from them must not shrink while the oldest are deleted one by one. One consistent query, and one for
    /// each further megabyte. A stored report that cannot be read is logged and left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn for_each_in_minute(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        mut visit: impl FnMut(Report),
    ) -> Result<(), Fault> {
        let query = self.between(&shard.app, span.start(), shard.shard, span.time_span(), Order::OldestFirst);
        let mut rows = query.into_paginator().items().send();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| Fault::of("query the reports of a minute", error))?;
            match read_stored(&row) {
                Ok(report) => visit(report),
                Err(bad) => tracing::error!(reason = %bad, "a stored report cannot be read"),
            }
        }
        Ok(())
    }

    /// The minutes of `span` in which one write shard stored a report. One consistent query for each hour, and
    /// for each megabyte of the reports, of which nothing but the keys is sent.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn minutes(&self, shard: &AppShard, span: TimeSpan) -> Result<BTreeSet<RollupSpan>, Fault> {
        let mut minutes = BTreeSet::new();
        for hour in keys::hours(span) {
            let query = self.between(&shard.app, hour, shard.shard, span, Order::OldestFirst);
            let keys_only = query.projection_expression(expression::KEY_ONLY);
            let stamp = |row: &Item| keys::read_stamp(items::read_text(row, keys::SK)?).map(Some);
            let stamps = rows::readable(keys_only, "query the minutes of reports", stamp).await?;
            minutes.extend(stamps.into_iter().map(|stamp| RollupSpan::containing(Resolution::Minute, stamp)));
        }
        Ok(minutes)
    }

    /// Every partition that may hold a report of `app` at `now`: one for each hour and shard that any retention
    /// reaches. No call.
    pub fn partitions(&self, app: &App, now: TimestampMs) -> Vec<Partition> {
        let longest_ms = MAX_RAW_HOURS * HOUR_MS + RAW_GRACE_MS;
        let span = TimeSpan::new(now.plus_ms(-longest_ms), now.plus_ms(MAX_AHEAD_MS + 1));
        let hours = keys::hours(span);
        let of_hour = |hour| (0..app.shards).map(move |shard| keys::report_partition(&app.id, hour, shard));
        hours.flat_map(of_hour).map(|key| Partition::new(&self.client, &self.table, key)).collect()
    }

    /// The rows of the cells that hold a part of `span`: a little more than what is stamped in it.
    fn between(
        &self,
        app: &AppId,
        hour: TimestampMs,
        shard: u16,
        span: TimeSpan,
        order: Order,
    ) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(order == Order::OldestFirst)
            .key_condition_expression(expression::BETWEEN)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", items::text(keys::report_partition(app, hour, shard)))
            .expression_attribute_values(
                ":first",
                items::text(keys::first_report_at(dedup_window(span.from))),
            )
            .expression_attribute_values(":last", items::text(keys::last_report_before(span.to)))
    }
}

/// What the row of every report holds, but for its key.
fn base_item(report: &Report, expires_at: TimestampMs) -> Item {
    let attributes = [
        (keys::APP_ID, items::text(report.app.as_str())),
        (keys::SOURCE, items::text(report.source.as_str())),
        (keys::TIMESTAMP, items::number(report.timestamp.ms())),
        (keys::DOCUMENT, items::text(report.document.as_str())),
        (keys::EXPIRES_AT, items::number(expires_at.seconds())),
    ];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The report of a row, unless it is past its age or cannot be read, which is logged.
fn readable(row: &Item, now: TimestampMs) -> Option<Report> {
    match read_report(row, now) {
        Ok(report) => report,
        Err(bad) => {
            tracing::error!(reason = %bad, "a stored report cannot be read");
            None
        }
    }
}

fn read_report(row: &Item, now: TimestampMs) -> Result<Option<Report>, BadAttribute> {
    if items::read_number::<i64>(row, keys::EXPIRES_AT)? <= now.plus_ms(RAW_GRACE_MS).seconds() {
        return Ok(None);
    }
    read_stored(row).map(Some)
}

/// The sort key under which the report of a row stands: that of its cell where a legacy connection sent it.
pub(crate) fn key_of(row: &Item, report: &Report) -> Result<String, BadAttribute> {
    let connection = items::optional(items::read_text(row, keys::CONNECTION))?.map(ConnectionId::new);
    Ok(match connection {
        Some(connection) => {
            keys::legacy_report(dedup_window(report.timestamp), &connection, &report.document)
        }
        None => report.id(),
    })
}

/// The report of a row, whatever its age.
pub(crate) fn read_stored(row: &Item) -> Result<Report, BadAttribute> {
    let ms: i64 = items::read_number(row, keys::TIMESTAMP)?;
    Ok(Report {
        app: items::read_id(row, keys::APP_ID)?,
        source: items::read_id(row, keys::SOURCE)?,
        timestamp: TimestampMs::try_from(ms).map_err(|_| BadAttribute::Unreadable(keys::TIMESTAMP))?,
        document: Document::stored(items::read_text(row, keys::DOCUMENT)?.to_owned()),
    })
}
