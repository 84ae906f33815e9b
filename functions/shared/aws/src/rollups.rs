//! The Rollups table: stored rollups, the last report of each source, and stream records that could not be read.
//!
//! Owns reading and writing them. A rollup is written only over the version that was read before what it was computed
//! from, so that of two writers at once the slower one has to look again. Ruled by docs/DATA_MODEL.md.

use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::app::App;
use nsl_domain::ids::AppId;
use nsl_domain::report::{Document, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, Retention, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;

use crate::erase::Partition;
use crate::fault::{Fault, Kind};
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::rows;

mod quarantine;
mod stored;

pub use quarantine::Quarantined;
pub use stored::StoredRollup;

/// What is attempted when the last reports are read.
const READ_LAST: &str = "query the last reports";

/// The Rollups table.
#[derive(Debug, Clone)]
pub struct Rollups {
    client: Client,
    table: String,
    retention: Retention,
}

/// What became of a rollup that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Written,
    /// Another writer was faster; nothing was changed.
    Conflict,
}

/// What became of a last report that was to be noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastReportPut {
    /// It is the last of its source.
    Stored,
    /// A later one was noted before; nothing was changed.
    Older,
}

impl Rollups {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>, retention: Retention) -> Self {
        Self { client, table: table.into(), retention }
    }

    /// The same table, with what an application keeps as long as `retention` says.
    #[must_use]
    pub fn with_retention(&self, retention: Retention) -> Self {
        Self { retention, ..self.clone() }
    }

    /// How long what is in it is kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// The rollup of `span`, whatever its age. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn find(&self, shard: &AppShard, span: RollupSpan) -> Result<Option<StoredRollup>, Fault> {
        let (pk, sk) = (keys::rollup_partition(shard, span.resolution()), keys::rollup(span));
        let item = self.item(pk, sk, "read rollup").await?;
        Ok(item.map(|item| StoredRollup::at(span, &item)))
    }

    /// The rollups of `resolution` whose spans start in `span`, oldest first, that are not past their age at
    /// `now`: what a wider one is computed from. One consistent query, and one for each further megabyte. A row that
    /// is under no rollup's key is logged and left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn between(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        self.rows(self.query(shard, resolution), resolution, span, now).await
    }

    /// The same for showing them, at half the price: an eventually consistent query may miss what was written within
    /// the last second, which the raw tail tells anyway.
    ///
    /// # Errors
    /// Those of [`Self::between`].
    pub async fn between_eventual(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        let query = self.query(shard, resolution).consistent_read(false);
        self.rows(query, resolution, span, now).await
    }

    async fn rows(
        &self,
        query: QueryFluentBuilder,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        let query = query
            .key_condition_expression(expression::BETWEEN)
            .expression_attribute_values(":first", items::text(keys::first_report_at(span.from)))
            .expression_attribute_values(":last", items::text(keys::last_report_before(span.to)));
        let read = |row: &Item| {
            // A row that does not say how old it may be is damaged, not gone.
            if items::is_past_age(row, now).unwrap_or(false) {
                return Ok(None);
            }
            let held = StoredRollup::read(row, resolution)?;
            // What was written while the application kept it longer is gone too.
            Ok((!self.retention.is_expired(held.span, now)).then_some(held))
        };
        rows::readable(query, "query rollups", read).await
    }

    /// The newest rollup of the same resolution that is older than that of `span`. One consistent query of one item.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row is under no rollup's key.
    pub async fn newest_before(
        &self,
        shard: &AppShard,
        span: RollupSpan,
    ) -> Result<Option<StoredRollup>, Fault> {
        const ATTEMPT: &str = "query the rollup before";
        let resolution = span.resolution();
        let query = self
            .query(shard, resolution)
            .key_condition_expression(expression::BEFORE)
            .expression_attribute_values(":sk", items::text(keys::rollup(span)))
            .scan_index_forward(false)
            .limit(1);
        let found = query.send().await.map_err(|error| Fault::of(ATTEMPT, error))?;
        let newest = found.items().first();
        newest
            .map(|row| StoredRollup::read(row, resolution).map_err(|bad| bad.into_fault(ATTEMPT)))
            .transpose()
    }

    /// Stores a rollup, given as its bytes, over `before`: what was read before everything that it was computed from.
    /// One write, conditional on the version.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put(
        &self,
        shard: &AppShard,
        rollup: &Rollup,
        bytes: Vec<u8>,
        before: Option<&StoredRollup>,
    ) -> Result<Put, Fault> {
        let span = rollup.span();
        let expires_at = span.end().plus_ms(self.retention.ms_of(span.resolution()));
        let version = before.map_or(0, |held| held.version).saturating_add(1);
        let put = self
            .put_item(keys::rollup_partition(shard, span.resolution()), keys::rollup(span), expires_at)
            .item(keys::VERSION, items::number(version))
            .item(keys::THROUGH, items::number(rollup.through().ms()))
            .item(keys::BUCKETS, AttributeValue::B(Blob::new(bytes)));
        let put = match before.map(|held| &held.written_as) {
            None => put.condition_expression(expression::IS_NEW).expression_attribute_names("#pk", keys::PK),
            Some(Some(version)) => put
                .condition_expression(expression::IS_VERSION)
                .expression_attribute_names("#version", keys::VERSION)
                .expression_attribute_values(":version", version.clone()),
            Some(None) => put
                .condition_expression(expression::HAS_NO_VERSION)
                .expression_attribute_names("#version", keys::VERSION),
        };
        Ok(if conditional(put, "put rollup").await? { Put::Written } else { Put::Conflict })
    }

    /// The last noted report of as many sources of `app` as one page of a megabyte holds, of those that are not past
    /// their age at `now`, and whether they are all. They are those whose names are greatest: the source of a library's
    /// process is named by its start, so these started last. One that cannot be read is logged and left out. One
    /// consistent query.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn last_reports(&self, app: &AppId, now: TimestampMs) -> Result<(Vec<Report>, bool), Fault> {
        let query = self.sources(app).scan_index_forward(false);
        rows::first_page(query, READ_LAST, |row| self.shown_last(row, app, now)).await
    }

    fn sources(&self, app: &AppId) -> QueryFluentBuilder {
        rows::of_partition(&self.client, &self.table, keys::sources(app))
    }

    fn shown_last(&self, row: &Item, app: &AppId, now: TimestampMs) -> Result<Option<Report>, BadAttribute> {
        let last = read_last(row, app, now)?;
        Ok(last.filter(|report| now.ms_since(report.timestamp) < self.retention.minute_ms))
    }

    /// Notes `report` as the last of its source, unless a later one is noted. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put_last_report(&self, report: &Report) -> Result<LastReportPut, Fault> {
        // Kept as long as the minutes in which it reported.
        let expires_at = report.timestamp.plus_ms(self.retention.minute_ms);
        let put = self
            .put_item(keys::sources(&report.app), report.source.to_string(), expires_at)
            .item(keys::REPORT, items::text(report.id()))
            .item(keys::TIMESTAMP, items::number(report.timestamp.ms()))
            .item(keys::DOCUMENT, items::text(report.document.as_str()))
            .condition_expression(expression::IS_LATER)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#report", keys::REPORT)
            .expression_attribute_values(":report", items::text(report.id()));
        Ok(if conditional(put, "put the last report").await? {
            LastReportPut::Stored
        } else {
            LastReportPut::Older
        })
    }

    /// Every partition that may hold anything of `app`: its rollups, last reports and quarantined records. No call.
    pub fn partitions(&self, app: &App) -> Vec<Partition> {
        let shards = (0..app.shards).map(|shard| AppShard { app: app.id.clone(), shard });
        let of_shard = |shard: AppShard| {
            Resolution::ALL.map(|resolution| keys::rollup_partition(&shard, resolution)).into_iter()
        };
        let others = [keys::sources(&app.id), keys::quarantine(Some(&app.id))];
        let keys = shards.flat_map(of_shard).chain(others);
        keys.map(|key| Partition::new(&self.client, &self.table, key)).collect()
    }

    async fn item(&self, pk: String, sk: String, attempt: &'static str) -> Result<Option<Item>, Fault> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .key(keys::PK, items::text(pk))
            .key(keys::SK, items::text(sk));
        let found = read.send().await.map_err(|error| Fault::of(attempt, error))?;
        Ok(found.item)
    }

    fn query(&self, shard: &AppShard, resolution: Resolution) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", items::text(keys::rollup_partition(shard, resolution)))
    }

    fn put_item(&self, pk: String, sk: String, expires_at: TimestampMs) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.table)
            .item(keys::PK, items::text(pk))
            .item(keys::SK, items::text(sk))
            .item(keys::EXPIRES_AT, items::number(expires_at.seconds()))
    }
}

/// Whether `put` was done: its condition may refuse it.
async fn conditional(put: PutItemFluentBuilder, attempt: &'static str) -> Result<bool, Fault> {
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error)
            if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(Fault::of(attempt, error)),
    }
}

/// The last report of a source, unless it is past its age.
fn read_last(row: &Item, app: &AppId, now: TimestampMs) -> Result<Option<Report>, BadAttribute> {
    if items::is_past_age(row, now)? {
        return Ok(None);
    }
    let ms: i64 = items::read_number(row, keys::TIMESTAMP)?;
    Ok(Some(Report {
        app: app.clone(),
        source: items::read_id(row, keys::SK)?,
        timestamp: TimestampMs::try_from(ms).map_err(|_| BadAttribute::Unreadable(keys::TIMESTAMP))?,
        document: Document::stored(items::read_text(row, keys::DOCUMENT)?.to_owned()),
    }))
}

impl Fault {
    /// The fault of a rollup that cannot be decoded or encoded, met when attempting `attempt`.
    pub fn corrupt_rollup(attempt: &'static str, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Corrupt, attempt, source: Some(Box::new(cause)) }
    }
}
