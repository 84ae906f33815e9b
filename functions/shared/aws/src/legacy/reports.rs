//! Legacy reports: of the duplicates that the library sends, to any function instances, one is stored.
//!
//! A report is keyed by its dedup window and connection, so that duplicates have the same row or
//! neighbouring ones.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use nsl_domain::app::App;
use nsl_domain::ids::{ConnectionId, Source};
use nsl_domain::legacy::dedup_window::{MAX_COPY_DISTANCE_MS, dedup_window, neighbour_window};
use nsl_domain::report::Report;
use nsl_domain::time::TimestampMs;

use crate::fault::{Fault, Kind};
use crate::items::{self, Item};
use crate::keys;
use crate::reports::{Reports, attributes};

const ATTEMPT: &str = "put legacy report";

/// Most tries of a write that conflicts with another one of the same row. Duplicates come in pairs, and of two
/// that conflict one succeeds long before.
const MAX_TRIES: u32 = 8;

/// Longest pause before the second try, in milliseconds: about as long as a transaction takes. It doubles each time.
const FIRST_PAUSE_MS: u64 = 10;

/// Longest pause before any try, in milliseconds: all of them together stay below a second.
const MAX_PAUSE_MS: u64 = 160;

/// The frame of a report.
#[derive(Debug, Clone, Copy)]
pub struct LegacyFrame<'a> {
    /// The connection that sent it.
    pub connection: &'a ConnectionId,
    /// API Gateway's id of the message, the same in every invocation with it.
    pub message: &'a str,
    /// The report's place in the frame.
    pub index: usize,
}

/// The outcome of storing a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is stored, by this call or an earlier one with the same frame, and must be broadcast.
    Stored,
    /// A duplicate of it is stored.
    Duplicate,
}

/// The outcome of one try.
enum Try {
    Done(StoreOutcome),
    /// Another write of a row was in progress, or the table was throttled.
    Retry(Fault),
}

/// A report to be stored in its dedup window.
struct Candidate<'a> {
    report: &'a Report,
    frame: LegacyFrame<'a>,
    /// Identifies this report of this frame, so that its own earlier write is not taken for a duplicate.
    mark: String,
    shard: u16,
    item: Item,
}

impl Reports {
    /// Stores `report` of `app`, sent by a legacy connection in `frame`, unless a duplicate of it is stored: the same
    /// document, of the same connection, stamped in the same dedup window or at most [`MAX_COPY_DISTANCE_MS`] apart. One
    /// PutItem, or, within [`MAX_COPY_DISTANCE_MS`] of a window's edge, one TransactWriteItems; one more per conflict
    /// with the write of a duplicate.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or it conflicted with other writes too often.
    pub async fn store_legacy(
        &self,
        report: &Report,
        frame: LegacyFrame<'_>,
        app: &App,
        retention_ms: i64,
    ) -> Result<StoreOutcome, Fault> {
        let candidate = Candidate::new(report, frame, app, retention_ms);
        let neighbour = neighbour_window(report.timestamp);
        let mut tries = 0;
        loop {
            let tried = match neighbour {
                None => self.put_in_window(&candidate).await?,
                Some(neighbour) => self.put_near_edge(&candidate, neighbour).await?,
            };
            tries += 1;
            match tried {
                Try::Done(kept) => return Ok(kept),
                Try::Retry(fault) if tries >= MAX_TRIES => return Err(fault),
                Try::Retry(_) => tokio::time::sleep(pause(&candidate.mark, tries)).await,
            }
        }
    }

    async fn put_in_window(&self, candidate: &Candidate<'_>) -> Result<Try, Fault> {
        let put = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(candidate.item.clone()))
            .condition_expression(keys::IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Try::Done(StoreOutcome::Stored)) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Try::Done(candidate.outcome_of(failed.item())))
            }
            Some(PutItemError::TransactionConflictException(_)) => Ok(Try::Retry(Fault::of(ATTEMPT, error))),
            _ => Err(Fault::of(ATTEMPT, error)),
        }
    }

    /// Puts a report into its window if the neighbouring window has no duplicate, in one transaction: of two on both
    /// sides of an edge each checks the other's row, so that they cannot both succeed. The SDK sends an idempotency
    /// token with each call, the same in its retries, so that a lost response is repeated.
    async fn put_near_edge(&self, candidate: &Candidate<'_>, neighbour: TimestampMs) -> Result<Try, Fault> {
        let put = self.transact_put(candidate).map_err(|error| Fault::of_request(ATTEMPT, error))?;
        let check = self.transact_check(candidate, neighbour);
        let check = check.map_err(|error| Fault::of_request(ATTEMPT, error))?;
        let sent =
            self.table.client.transact_write_items().transact_items(put).transact_items(check).send().await;
        match sent {
            Ok(_) => Ok(Try::Done(StoreOutcome::Stored)),
            Err(error) => candidate.retry_or_fail(error),
        }
    }

    fn transact_put(&self, candidate: &Candidate<'_>) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(candidate.item.clone()))
            .condition_expression(keys::IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn transact_check(
        &self,
        candidate: &Candidate<'_>,
        neighbour: TimestampMs,
    ) -> Result<TransactWriteItem, BuildError> {
        let Report { app, timestamp, document, .. } = candidate.report;
        let moved_by = |ms| items::number(timestamp.plus_ms(ms).ms());
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .key(keys::PK, items::text(keys::report_partition(app, neighbour, candidate.shard)))
            .key(keys::SK, items::text(keys::legacy_report(neighbour, candidate.frame.connection, document)))
            .condition_expression("attribute_not_exists(pk) OR NOT #timestamp BETWEEN :earliest AND :latest")
            .expression_attribute_names("#timestamp", keys::TIMESTAMP)
            .expression_attribute_values(":earliest", moved_by(-MAX_COPY_DISTANCE_MS))
            .expression_attribute_values(":latest", moved_by(MAX_COPY_DISTANCE_MS));
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }
}

impl<'a> Candidate<'a> {
    fn new(report: &'a Report, frame: LegacyFrame<'a>, app: &App, retention_ms: i64) -> Self {
        // By connection, because instances may disagree about the source.
        let shard = app.shard_of(&Source::of_connection(frame.connection));
        let window = dedup_window(report.timestamp);
        let mark = format!("{}#{}", frame.message, frame.index);
        let mut item = attributes(report, retention_ms);
        item.insert(keys::PK.to_owned(), items::text(keys::report_partition(&report.app, window, shard)));
        let key = keys::legacy_report(window, frame.connection, &report.document);
        item.insert(keys::SK.to_owned(), items::text(key));
        item.insert(keys::CONNECTION.to_owned(), items::text(frame.connection.as_str()));
        item.insert(keys::MESSAGE_REPORT.to_owned(), items::text(&mark));
        Self { report, frame, mark, shard, item }
    }

    /// The outcome when a row exists: this report's own write, whose response was lost, or a duplicate.
    fn outcome_of(&self, existing: Option<&Item>) -> StoreOutcome {
        let mark = existing.and_then(|row| items::read_text(row, keys::MESSAGE_REPORT).ok());
        if mark == Some(self.mark.as_str()) { StoreOutcome::Stored } else { StoreOutcome::Duplicate }
    }

    /// The outcome of a cancelled transaction. A failed condition is final, even if there are other reasons.
    fn retry_or_fail<R>(&self, error: SdkError<TransactWriteItemsError, R>) -> Result<Try, Fault>
    where
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(Fault::of(ATTEMPT, error));
        };
        let reasons = cancelled.cancellation_reasons();
        if let Some(failed) = reasons.iter().find(|reason| reason.code() == Some("ConditionalCheckFailed")) {
            return Ok(Try::Done(self.outcome_of(failed.item())));
        }
        match kind_of(reasons) {
            Kind::Misconfigured => Err(Fault { kind: Kind::Misconfigured, ..Fault::of(ATTEMPT, error) }),
            kind => Ok(Try::Retry(Fault { kind, ..Fault::of(ATTEMPT, error) })),
        }
    }
}

/// The kind of fault of a transaction that was cancelled for another reason than its conditions.
fn kind_of(reasons: &[CancellationReason]) -> Kind {
    let codes = reasons.iter().filter_map(CancellationReason::code);
    let mut kind = Kind::Misconfigured;
    for code in codes {
        match code {
            "TransactionConflict" => return Kind::Conflict,
            "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded" => {
                kind = Kind::Throttled
            }
            _ => {}
        }
    }
    kind
}

/// The pause after `tries` tries: up to twice as long each time, and different for two duplicates, so that they do
/// not conflict again.
fn pause(mark: &str, tries: u32) -> Duration {
    let most_ms = (FIRST_PAUSE_MS << (tries - 1).min(MAX_TRIES)).min(MAX_PAUSE_MS);
    let mut hasher = DefaultHasher::new();
    (mark, tries).hash(&mut hasher);
    Duration::from_millis(1 + hasher.finish() % most_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_between_duplicates_and_sum_below_a_second() {
        let pauses = |mark: &str| (1..MAX_TRIES).map(|tries| pause(mark, tries)).collect::<Vec<_>>();
        assert_ne!(pauses("a#0"), pauses("b#0"));
        let all: Duration = pauses("a#0").iter().sum();
        assert!(all < Duration::from_secs(1), "{all:?}");
        assert!(pause("a#0", 1) <= Duration::from_millis(FIRST_PAUSE_MS));
    }

    #[test]
    fn cancellation_reasons_decide_the_kind() {
        let reasons = |codes: &[&str]| {
            let reasons: Vec<_> =
                codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
            kind_of(&reasons)
        };
        assert_eq!(reasons(&["None", "TransactionConflict"]), Kind::Conflict);
        assert_eq!(reasons(&["ThrottlingError", "TransactionConflict"]), Kind::Conflict);
        assert_eq!(reasons(&["ThrottlingError", "None"]), Kind::Throttled);
        assert_eq!(reasons(&["ValidationError", "None"]), Kind::Misconfigured);
    }
}
