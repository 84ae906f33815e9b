//! Session rows: what is stored of a connection from its handshake to its end.
//!
//! Put by `$connect`, ended by `$disconnect` or on expiry. Every update requires the row of an open connection, so that a
//! late frame does not recreate it. An ended row keeps its grant for a minute: frames that arrived before the end may be
//! handled after it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::retries;
use crate::table::Table;

/// The session rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub(crate) table: Table,
}

/// A session row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The side that the handshake showed.
    pub role: Role,
    /// What an in-band `auth` proved.
    pub grant: Option<Grant>,
    /// When the first wrong credentials came since the last right ones.
    pub wrong_since: Option<TimestampMs>,
    /// Whether the connection has ended.
    pub is_ended: bool,
}

/// The apps of a connection that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// Those that it watched.
    pub watched: Vec<AppId>,
    /// Those that it might report for.
    pub published: Vec<AppId>,
}

/// The outcome of an update of a session row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// Done.
    Done,
    /// A later frame was faster; nothing is changed.
    Overtaken,
    /// The connection is gone.
    Gone,
}

impl Sessions {
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
            .table
            .put(keys::connection(connection), keys::SESSION)
            .item(keys::ROLE, items::text(role.as_str()))
            .item(keys::EXPIRES_AT, expiry::of_connection(now));
        if !publishes.is_empty() {
            put = put.item(keys::PUBLISHES, app_set(publishes));
        }
        put.send().await.map_err(|error| Fault::of("open session", error))?;
        Ok(())
    }

    /// The session of `connection`. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row not decoded.
    pub async fn find(&self, connection: &ConnectionId) -> Result<Option<Session>, Fault> {
        const ATTEMPT: &str = "read session";
        let row = self.row(connection, ATTEMPT).await?;
        row.map(|row| read_session(&row).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    pub(crate) async fn row(
        &self,
        connection: &ConnectionId,
        attempt: &'static str,
    ) -> Result<Option<Item>, Fault> {
        self.table.get(keys::connection(connection), keys::SESSION, attempt).await
    }

    /// Stores what an in-band `auth` that arrived at `now` proved, and for which apps the connection may report, unless a
    /// later one did. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store_grant(
        &self,
        connection: &ConnectionId,
        grant: &Grant,
        now: TimestampMs,
    ) -> Result<Updated, Fault> {
        let update = self
            .update(connection)
            .condition_expression(
                [keys::IS_OPEN, " AND (attribute_not_exists(#grantedAt) OR #grantedAt <= :now)"].concat(),
            )
            .expression_attribute_names("#grantedAt", keys::GRANTED_AT)
            .expression_attribute_values(":now", items::number(now.ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        grant_update(update, grant, "SET #grant = :grant, #grantedAt = :now", "store grant").await
    }

    /// Counts a wrong credential at `now`; returns how many there were, `None` where the connection is gone. One
    /// conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn count_rejection(
        &self,
        connection: &ConnectionId,
        now: TimestampMs,
    ) -> Result<Option<u32>, Fault> {
        const ATTEMPT: &str = "count rejection";
        let update = self
            .update(connection)
            .update_expression(
                "SET wrongSince = if_not_exists(wrongSince, :now), wrongAt = :now ADD refusals :one",
            )
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":one", items::number(1))
            .return_values(ReturnValue::UpdatedNew);
        let updated = if_condition_held(ATTEMPT, update.send().await)?;
        // No attributes are a fault: the count is missing.
        let count = updated
            .map(|output| items::read_number(&output.attributes.unwrap_or_default(), keys::REFUSALS))
            .transpose();
        count.map_err(|bad| bad.into_fault(ATTEMPT))
    }

    pub(crate) fn update(&self, connection: &ConnectionId) -> UpdateItemFluentBuilder {
        let update = self.table.update(keys::connection(connection), keys::SESSION);
        update.condition_expression(keys::IS_OPEN)
    }

    /// Ends the session of a connection that ended at `now`, and returns the apps of the connection. Its grant is kept for
    /// a minute. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn end(&self, connection: &ConnectionId, now: TimestampMs) -> Result<Closed, Fault> {
        const ATTEMPT: &str = "end session";
        let update = self
            .update(connection)
            .update_expression("SET endedAt = :now, expiresAt = :expiry REMOVE watches, publishes")
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":expiry", expiry::of_ended_session(now))
            .return_values(ReturnValue::AllOld)
            .customize();
        let update = update.config_override(retries::at_end());
        let ended = if_condition_held(ATTEMPT, update.send().await)?;
        // A connection that has ended already has no apps.
        let row = ended.and_then(|output| output.attributes).unwrap_or_default();
        read_closed(&row).map_err(|bad| bad.into_fault(ATTEMPT))
    }

    /// Deletes a session whose frames carry their grant, and returns the apps of the connection. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn close(&self, connection: &ConnectionId) -> Result<Closed, Fault> {
        const ATTEMPT: &str = "close session";
        let row = self.table.delete_at_end(keys::connection(connection), keys::SESSION, ATTEMPT).await?;
        // A connection that is closed already has no row, and so no apps.
        read_closed(&row.unwrap_or_default()).map_err(|bad| bad.into_fault(ATTEMPT))
    }
}

/// Completes and sends `update`, whose expression begins with `set`, with `grant` and the apps that it may publish for.
/// `Overtaken` only for an update that returns the row if its condition fails.
pub(crate) async fn grant_update(
    update: UpdateItemFluentBuilder,
    grant: &Grant,
    set: &str,
    attempt: &'static str,
) -> Result<Updated, Fault> {
    let update = update
        .expression_attribute_names("#grant", keys::GRANT)
        .expression_attribute_values(":grant", items::text(grant.to_text()));
    let update = match grant.publishes() {
        [] => update.update_expression(set),
        apps => update
            .update_expression([set, " ADD publishes :apps"].concat())
            .expression_attribute_values(":apps", app_set(apps)),
    };
    match update.send().await {
        Ok(_) => Ok(Updated::Done),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let open = failed.item().filter(|row| !is_ended(row));
                Ok(open.map_or(Updated::Gone, |_| Updated::Overtaken))
            }
            _ => Err(Fault::of(attempt, error)),
        },
    }
}

fn read_session(item: &Item) -> Result<Session, BadAttribute> {
    let role = Role::from_text(Some(items::read_text(item, keys::ROLE)?));
    let wrong_since = read_instant(item, keys::FIRST_REJECTED_AT)?;
    Ok(Session { role, grant: read_grant(item)?, wrong_since, is_ended: is_ended(item) })
}

/// Whether a session row is what is left of a connection that has ended.
pub(crate) fn is_ended(item: &Item) -> bool {
    item.contains_key(keys::ENDED_AT)
}

pub(crate) fn read_grant(item: &Item) -> Result<Option<Grant>, BadAttribute> {
    let Some(text) = items::optional(items::read_text(item, keys::GRANT))? else { return Ok(None) };
    Grant::from_text(text).map(Some).ok_or(BadAttribute::Unreadable(keys::GRANT))
}

pub(crate) fn read_instant(item: &Item, name: &'static str) -> Result<Option<TimestampMs>, BadAttribute> {
    Ok(items::optional(items::read_number::<i64>(item, name))?.map(TimestampMs::clamped))
}

fn read_closed(item: &Item) -> Result<Closed, BadAttribute> {
    Ok(Closed { watched: read_apps(item, keys::WATCHES)?, published: read_apps(item, keys::PUBLISHES)? })
}

/// The apps of the string set `name`; none if it is missing, because DynamoDB has no empty set.
fn read_apps(item: &Item, name: &'static str) -> Result<Vec<AppId>, BadAttribute> {
    let Some(set) = item.get(name) else { return Ok(Vec::new()) };
    let apps = set.as_ss().map_err(|_| BadAttribute::WrongType(name))?;
    let app = |text: &String| AppId::stored(text).map_err(|_| BadAttribute::Unreadable(name));
    apps.iter().map(app).collect()
}

/// A string set of `apps`, each once: DynamoDB rejects a set with a duplicate.
fn app_set(apps: &[AppId]) -> AttributeValue {
    let distinct: BTreeSet<String> = apps.iter().map(AppId::to_string).collect();
    AttributeValue::Ss(distinct.into_iter().collect())
}
