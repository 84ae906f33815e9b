//! Legacy reports: of the copies that the library sends, whichever instances they meet, one is stored.
//!
//! Owns the key by cell and the conditions that let one copy win. A copy that comes second is an answer, no fault;
//! so is our own write met again after its answer was lost. Ruled by design.md §5, "The library's doubles".

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
use nsl_domain::rollup::RAW_GRACE_MS;
use nsl_domain::time::TimestampMs;

use super::{Reports, base_item};
use crate::fault::{Fault, Kind};
use crate::items::{self, Item};
use crate::keys::{self, expression};

const ATTEMPT: &str = "put legacy report";

/// Most times that a write is tried which meets another one of the same row: copies come in pairs, and one of two
/// that cancel each other has long been through by then.
const MAX_TRIES: u32 = 8;

/// Longest pause before the second try, in milliseconds: about as long as a transaction takes. It doubles each time.
const FIRST_PAUSE_MS: u64 = 10;

/// Longest pause before any try, in milliseconds: all of them together stay below a second.
const MAX_PAUSE_MS: u64 = 160;

/// The frame that a report came in.
#[derive(Debug, Clone, Copy)]
pub struct LegacyFrame<'a> {
    /// The connection that sent it.
    pub connection: &'a ConnectionId,
    /// API Gateway's name of the message, the same in every try to store what it brings.
    pub message: &'a str,
    /// The report's place in the frame.
    pub index: usize,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is stored, by this call or by an earlier try of the same frame: it is to be broadcast.
    Stored,
    /// Its other copy is stored.
    Duplicate,
}

/// What one try came to.
enum Tried {
    Done(StoreOutcome),
    /// Another write of a row was under way, or the table was too busy: nothing is known yet.
    Again(Fault),
}

/// A report on its way into its cell.
struct Placed<'a> {
    report: &'a Report,
    frame: LegacyFrame<'a>,
    /// What names this report of this frame, and tells an own write from that of the other copy.
    mark: String,
    shard: u16,
    item: Item,
}

impl Reports {
    /// Stores `report` of `app`, that a legacy connection sent in `frame`, unless a copy of it is stored: the same
    /// document, of the same connection, stamped in the same cell or at most [`MAX_COPY_DISTANCE_MS`] apart. One PutItem,
    /// or, within [`MAX_COPY_DISTANCE_MS`] of a cell's edge, one TransactWriteItems; one more for each meeting with
    /// another copy's write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or other writes met this one too often.
    pub async fn store_legacy(
        &self,
        report: &Report,
        frame: LegacyFrame<'_>,
        app: &App,
        retention_ms: i64,
    ) -> Result<StoreOutcome, Fault> {
        let placed = Placed::new(report, frame, app, retention_ms);
        let neighbour = neighbour_window(report.timestamp);
        let mut tries = 0;
        loop {
            let tried = match neighbour {
                None => self.put_in_cell(&placed).await?,
                Some(neighbour) => self.put_beside(&placed, neighbour).await?,
            };
            tries += 1;
            match tried {
                Tried::Done(kept) => return Ok(kept),
                Tried::Again(fault) if tries >= MAX_TRIES => return Err(fault),
                Tried::Again(_) => tokio::time::sleep(pause(&placed.mark, tries)).await,
            }
        }
    }

    async fn put_in_cell(&self, placed: &Placed<'_>) -> Result<Tried, Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(placed.item.clone()))
            .condition_expression(expression::IS_NEW)
            .expression_attribute_names("#pk", keys::PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Tried::Done(StoreOutcome::Stored)) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(held)) => {
                Ok(Tried::Done(placed.met(held.item())))
            }
            Some(PutItemError::TransactionConflictException(_)) => {
                Ok(Tried::Again(Fault::of(ATTEMPT, error)))
            }
            _ => Err(Fault::of(ATTEMPT, error)),
        }
    }

    /// Puts a report into its cell if the neighbouring one holds no copy, in one transaction: of two copies on both
    /// sides of an edge each sees the other's row, so that they cannot both succeed. The SDK gives each call an
    /// idempotency token of its own, the same in its retries: one whose answer was lost is told again.
    async fn put_beside(&self, placed: &Placed<'_>, neighbour: TimestampMs) -> Result<Tried, Fault> {
        let (put, check) = match (self.transact_put(placed), self.transact_check(placed, neighbour)) {
            (Ok(put), Ok(check)) => (put, check),
            (Err(error), _) | (_, Err(error)) => {
                return Err(Fault {
                    kind: Kind::Misconfigured,
                    attempt: ATTEMPT,
                    source: Some(Box::new(error)),
                });
            }
        };
        let sent = self.client.transact_write_items().transact_items(put).transact_items(check).send().await;
        match sent {
            Ok(_) => Ok(Tried::Done(StoreOutcome::Stored)),
            Err(error) => placed.cancelled(error),
        }
    }

    fn transact_put(&self, placed: &Placed<'_>) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(placed.item.clone()))
            .condition_expression(expression::IS_NEW)
            .expression_attribute_names("#pk", keys::PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn transact_check(
        &self,
        placed: &Placed<'_>,
        neighbour: TimestampMs,
    ) -> Result<TransactWriteItem, BuildError> {
        let Report { app, timestamp, document, .. } = placed.report;
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::report_partition(app, neighbour, placed.shard)))
            .key(keys::SK, items::text(keys::legacy_report(neighbour, placed.frame.connection, document)))
            .condition_expression(expression::IS_NO_COPY)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#timestamp", keys::TIMESTAMP)
            .expression_attribute_values(
                ":earliest",
                items::number(timestamp.plus_ms(-MAX_COPY_DISTANCE_MS).ms()),
            )
            .expression_attribute_values(
                ":latest",
                items::number(timestamp.plus_ms(MAX_COPY_DISTANCE_MS).ms()),
            );
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }
}

impl<'a> Placed<'a> {
    fn new(report: &'a Report, frame: LegacyFrame<'a>, app: &App, retention_ms: i64) -> Self {
        // The shown source may not be known to every instance alike, the connection is.
        let shard = app.shard_of(&Source::of_connection(frame.connection));
        let cell = dedup_window(report.timestamp);
        let mark = format!("{}#{}", frame.message, frame.index);
        let expires_at = report.timestamp.plus_ms(retention_ms + RAW_GRACE_MS);
        let mut item = base_item(report, expires_at);
        item.insert(keys::PK.to_owned(), items::text(keys::report_partition(&report.app, cell, shard)));
        let key = keys::legacy_report(cell, frame.connection, &report.document);
        item.insert(keys::SK.to_owned(), items::text(key));
        item.insert(keys::CONNECTION.to_owned(), items::text(frame.connection.as_str()));
        item.insert(keys::MARK.to_owned(), items::text(&mark));
        Self { report, frame, mark, shard, item }
    }

    /// What it means that a row is there: an own write whose answer was lost, or the other copy.
    fn met(&self, held: Option<&Item>) -> StoreOutcome {
        let mark = held.and_then(|held| items::read_text(held, keys::MARK).ok());
        if mark == Some(self.mark.as_str()) { StoreOutcome::Stored } else { StoreOutcome::Duplicate }
    }

    /// What a cancelled transaction says. A condition that did not hold is final, whatever else was met.
    fn cancelled<R>(&self, error: SdkError<TransactWriteItemsError, R>) -> Result<Tried, Fault>
    where
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(Fault::of(ATTEMPT, error));
        };
        let reasons = cancelled.cancellation_reasons();
        if let Some(failed) = reasons.iter().find(|reason| reason.code() == Some("ConditionalCheckFailed")) {
            return Ok(Tried::Done(self.met(failed.item())));
        }
        match kind_of(reasons) {
            Kind::Misconfigured => Err(Fault { kind: Kind::Misconfigured, ..Fault::of(ATTEMPT, error) }),
            kind => Ok(Tried::Again(Fault { kind, ..Fault::of(ATTEMPT, error) })),
        }
    }
}

/// Why a transaction was cancelled whose conditions held, as far as is known.
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

/// The pause after `tries` tries: up to twice as long each time, and different for two copies, so that they do not
/// meet again.
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
    fn pauses_grow_differ_between_copies_and_end_within_a_second() {
        let pauses = |mark: &str| (1..MAX_TRIES).map(|tries| pause(mark, tries)).collect::<Vec<_>>();
        assert_ne!(pauses("a#0"), pauses("b#0"));
        let all: Duration = pauses("a#0").iter().sum();
        assert!(all < Duration::from_secs(1), "{all:?}");
        assert!(pause("a#0", 1) <= Duration::from_millis(FIRST_PAUSE_MS));
    }

    #[test]
    fn the_reasons_of_a_cancelled_transaction_are_told_apart() {
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
