//! Session rows: what is known of a connection from its handshake to its end.
//!
//! Put by `$connect` for every connection; every later update is conditional on the row, so that a late frame
//! cannot bring a closed connection back. Deleted by `$disconnect`, or by age where that never came.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};

use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};

/// How long a session row lives when `$disconnect` never comes: API Gateway ends a connection after two hours.
pub(crate) const SESSION_LIFE_MS: i64 = 2 * HOUR_MS + 10 * MINUTE_MS;

/// The session rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Sessions {
    client: Client,
    table: String,
}

/// A session row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The side that the handshake showed.
    pub role: Role,
    /// What an in-band `auth` proved.
    pub grant: Option<Grant>,
    /// When its first wrong credentials came, of those since it last proved something.
    pub wrong_since: Option<TimestampMs>,
}

/// The applications that a connection that has ended was concerned with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// Those that it watched.
    pub watched: Vec<AppId>,
    /// Those that it might report for.
    pub published: Vec<AppId>,
}

/// What became of an update of a session row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// Done.
    Done,
    /// The connection is no longer there.
    Gone,
}

impl Sessions {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Opens a session at `now`, of a connection that may report for each of `publishes`. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn open(
        &self,
        connection: &ConnectionId,
        role: Role,
        publishes: &[AppId],
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(keys::PK, items::text(keys::connection(connection)))
            .item(keys::SK, items::text(keys::SESSION))
            .item(keys::ROLE, items::text(role.as_str()))
            .item(keys::EXPIRES_AT, items::number(now.plus_ms(SESSION_LIFE_MS).seconds()));
        if !publishes.is_empty() {
            put = put.item(keys::PUBLISHES, set(publishes));
        }
        put.send().await.map_err(|error| Fault::of("open session", error))?;
        Ok(())
    }

    /// The session of `connection`. One consistent read: an `auth` that was just answered counts.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row not understood.
    pub async fn find(&self, connection: &ConnectionId) -> Result<Option<Session>, Fault> {
        const ATTEMPT: &str = "read session";
        let row = self.row(connection, ATTEMPT).await?;
        row.map(|row| read_session(&row).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    /// What is remembered of `connection` in the library's dialect. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row not understood.
    pub async fn find_legacy(&self, connection: &ConnectionId) -> Result<Option<LegacySession>, Fault> {
        const ATTEMPT: &str = "recall session";
        let row = self.row(connection, ATTEMPT).await?;
        row.map(|row| read_remembered(&row).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    async fn row(&self, connection: &ConnectionId, attempt: &'static str) -> Result<Option<Item>, Fault> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::connection(connection)))
            .key(keys::SK, items::text(keys::SESSION))
            .consistent_read(true);
        Ok(get.send().await.map_err(|error| Fault::of(attempt, error))?.item)
    }

    /// Claims the answer of the kind `kind` on `connection` at `now`: of many at once, on however many function
    /// instances, one wins. One conditional write, which tells the row either way.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not understood.
    pub async fn claim(
        &self,
        connection: &ConnectionId,
        kind: ReplyKind,
        now: TimestampMs,
    ) -> Result<Claim, Fault> {
        const ATTEMPT: &str = "claim answer";
        let read = |row: &Item| read_remembered(row).map_err(|bad| bad.into_fault(ATTEMPT));
        let claim = self
            .update(connection)
            .condition_expression(expression::IS_FREE)
            .update_expression(expression::CLAIM)
            .expression_attribute_names("#answeredAt", keys::answered_at(kind))
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":before", items::number(now.plus_ms(-kind.every_ms()).ms()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match claim.send().await {
            Ok(output) => Ok(Claim::Won(read(&output.attributes.unwrap_or_default())?)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    failed.item().map_or(Ok(Claim::Gone), |row| read(row).map(Claim::Lost))
                }
                _ => Err(Fault::of(ATTEMPT, error)),
            },
        }
    }

    /// Keeps what the library's `auth` proved, unless exactly that is kept: of many at once one is done, the others
    /// are told that there was nothing to do, as is one whose connection is gone. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store_legacy_grant(
        &self,
        connection: &ConnectionId,
        grant: &Grant,
        now: TimestampMs,
    ) -> Result<Updated, Fault> {
        let update = self
            .update(connection)
            .condition_expression(expression::IS_NOT_GRANTED)
            .expression_attribute_names("#grant", keys::GRANT)
            .expression_attribute_names("#welcomedAt", keys::WELCOMED_AT)
            .expression_attribute_names("#wrongSince", keys::WRONG_SINCE)
            .expression_attribute_names("#wrongAt", keys::WRONG_AT)
            .expression_attribute_values(":grant", items::text(grant.to_text()))
            .expression_attribute_values(":now", items::number(now.ms()));
        let update = match grant.publishes() {
            [] => update.update_expression(expression::WELCOME),
            apps => update
                .update_expression(expression::WELCOME_AND_PUBLISH)
                .expression_attribute_names("#publishes", keys::PUBLISHES)
                .expression_attribute_values(":apps", set(apps)),
        };
        match update.send().await {
            Ok(_) => Ok(Updated::Done),
            Err(error) if is_condition_failed(&error) => Ok(Updated::Gone),
            Err(error) => Err(Fault::of("keep legacy grant", error)),
        }
    }

    /// Keeps what an in-band `auth` proved, and which applications it may report for. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store_grant(&self, connection: &ConnectionId, grant: &Grant) -> Result<Updated, Fault> {
        let update = self
            .update(connection)
            .expression_attribute_names("#grant", keys::GRANT)
            .expression_attribute_values(":grant", items::text(grant.to_text()));
        let update = match grant.publishes() {
            [] => update.update_expression(expression::KEEP_GRANT),
            apps => update
                .update_expression(expression::KEEP_GRANT_AND_PUBLISH)
                .expression_attribute_names("#publishes", keys::PUBLISHES)
                .expression_attribute_values(":apps", set(apps)),
        };
        match update.send().await {
            Ok(_) => Ok(Updated::Done),
            Err(error) if is_condition_failed(&error) => Ok(Updated::Gone),
            Err(error) => Err(Fault::of("keep grant", error)),
        }
    }

    /// Counts a wrong credential at `now` and tells how many there were; `None` where the connection is gone. One
    /// conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or its answer not understood.
    pub async fn count_rejection(
        &self,
        connection: &ConnectionId,
        now: TimestampMs,
    ) -> Result<Option<u32>, Fault> {
        const ATTEMPT: &str = "count refusal";
        let update = self
            .update(connection)
            .update_expression(expression::COUNT_REFUSAL)
            .expression_attribute_names("#refusals", keys::REFUSALS)
            .expression_attribute_names("#wrongSince", keys::WRONG_SINCE)
            .expression_attribute_names("#wrongAt", keys::WRONG_AT)
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":one", items::number(1))
            .return_values(ReturnValue::UpdatedNew);
        match update.send().await {
            Ok(output) => {
                let count = items::read_number(&output.attributes.unwrap_or_default(), keys::REFUSALS);
                count.map(Some).map_err(|bad| bad.into_fault(ATTEMPT))
            }
            Err(error) if is_condition_failed(&error) => Ok(None),
            Err(error) => Err(Fault::of(ATTEMPT, error)),
        }
    }

    fn update(
        &self,
        connection: &ConnectionId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::connection(connection)))
            .key(keys::SK, items::text(keys::SESSION))
            .condition_expression(expression::EXISTS)
            .expression_attribute_names("#pk", keys::PK)
    }

    /// Ends a session and tells which applications the connection was concerned with. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not understood.
    pub async fn close(&self, connection: &ConnectionId) -> Result<Closed, Fault> {
        const ATTEMPT: &str = "close session";
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::connection(connection)))
            .key(keys::SK, items::text(keys::SESSION))
            .return_values(ReturnValue::AllOld);
        let output = delete.send().await.map_err(|error| Fault::of(ATTEMPT, error))?;
        let left = read_left(&output.attributes.unwrap_or_default());
        left.map_err(|bad| bad.into_fault(ATTEMPT))
    }
}

/// Whether `error` says that the condition of an update did not hold.
pub(crate) fn is_condition_failed<R>(
    error: &aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::update_item::UpdateItemError, R>,
) -> bool {
    error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception())
}

fn read_session(item: &Item) -> Result<Session, BadAttribute> {
    let role = Role::from_text(Some(items::read_text(item, keys::ROLE)?));
    Ok(Session { role, grant: read_grant(item)?, wrong_since: read_instant(item, keys::WRONG_SINCE)? })
}

fn read_grant(item: &Item) -> Result<Option<Grant>, BadAttribute> {
    let Some(text) = items::optional(items::read_text(item, keys::GRANT))? else { return Ok(None) };
    Grant::from_text(text).map(Some).ok_or(BadAttribute::Unreadable(keys::GRANT))
}

fn read_remembered(item: &Item) -> Result<LegacySession, BadAttribute> {
    let mut answered = BTreeMap::new();
    for kind in ReplyKind::ALL {
        answered.extend(read_instant(item, keys::answered_at(kind))?.map(|at| (kind, at)));
    }
    Ok(LegacySession {
        grant: read_grant(item)?,
        welcomed_at: read_instant(item, keys::WELCOMED_AT)?,
        wrong_since: read_instant(item, keys::WRONG_SINCE)?,
        wrong_at: read_instant(item, keys::WRONG_AT)?,
        answered,
    })
}

fn read_instant(item: &Item, name: &'static str) -> Result<Option<TimestampMs>, BadAttribute> {
    Ok(items::optional(items::read_number::<i64>(item, name))?.map(TimestampMs::clamped))
}

fn read_left(item: &Item) -> Result<Closed, BadAttribute> {
    Ok(Closed { watched: read_set(item, keys::WATCHES)?, published: read_set(item, keys::PUBLISHES)? })
}

/// The applications of the string set `name`, none where it is absent: DynamoDB knows no empty set.
fn read_set(item: &Item, name: &'static str) -> Result<Vec<AppId>, BadAttribute> {
    let Some(set) = item.get(name) else { return Ok(Vec::new()) };
    let apps = set.as_ss().map_err(|_| BadAttribute::WrongType(name))?;
    let app = |text: &String| AppId::new(text).map_err(|_| BadAttribute::Unreadable(name));
    apps.iter().map(app).collect()
}

/// A string set of `apps`, each once: DynamoDB refuses a set that holds one twice.
fn set(apps: &[AppId]) -> AttributeValue {
    let distinct: BTreeSet<String> = apps.iter().map(AppId::to_string).collect();
    AttributeValue::Ss(distinct.into_iter().collect())
}
