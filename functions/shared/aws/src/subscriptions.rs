//! Subscriptions: who watches which application.
//!
//! One row for each, under its application, so that fan-out reads them with one query and never scans. The session
//! row lists them too, for `$disconnect`; a row that both lose sight of ends by age or by the first 410.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::conversation::MAX_SUBSCRIPTIONS;
use nsl_domain::frame::outbound::Dialect;
use nsl_domain::grant::SubscriptionProof;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::rows;
use crate::sessions::{SESSION_LIFE_MS, is_condition_failed};

/// The subscription rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    client: Client,
    table: String,
}

/// One connection that watches an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Whom frames are posted to.
    pub connection: ConnectionId,
    /// Least distance between two frames, in milliseconds.
    pub min_interval_ms: i64,
    /// How frames are written.
    pub dialect: Dialect,
    /// What it stands on.
    pub proof: SubscriptionProof,
}

/// What became of a new subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is kept.
    Done,
    /// The connection is gone, or watches as many applications as it may.
    Refused,
}

impl Subscriptions {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Makes `subscriber` watch `app`; again is the same as once. Two writes: the session row first, so that no
    /// subscription is kept that `$disconnect` knows nothing of.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn add(&self, app: &AppId, subscriber: &Subscriber, now: TimestampMs) -> Result<Added, Fault> {
        let watch = self
            .update_watches(&subscriber.connection, app, expression::WATCH)
            .condition_expression(expression::HAS_ROOM)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_values(":app", items::text(app.as_str()))
            .expression_attribute_values(":most", items::number(MAX_SUBSCRIPTIONS));
        match watch.send().await {
            Ok(_) => {}
            Err(error) if is_condition_failed(&error) => return Ok(Added::Refused),
            Err(error) => return Err(Fault::of("note subscription", error)),
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(keys::PK, items::text(keys::app_connections(app)))
            .item(keys::SK, items::text(keys::subscription(&subscriber.connection)))
            .item(keys::MIN_INTERVAL, items::number(subscriber.min_interval_ms))
            .item(keys::DIALECT, items::text(dialect_text(subscriber.dialect)))
            .item(keys::HOLD, items::text(subscriber.proof.to_text()))
            .item(keys::EXPIRES_AT, items::number(now.plus_ms(SESSION_LIFE_MS).seconds()));
        put.send().await.map_err(|error| Fault::of("put subscription", error))?;
        Ok(Added::Done)
    }

    /// Ends a subscription, there or not. Two writes.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn remove(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        self.delete(app, connection).await?;
        let unwatch = self
            .update_watches(connection, app, expression::UNWATCH)
            .condition_expression(expression::EXISTS)
            .expression_attribute_names("#pk", keys::PK);
        match unwatch.send().await {
            Err(error) if !is_condition_failed(&error) => Err(Fault::of("note unsubscription", error)),
            _ => Ok(()),
        }
    }

    fn update_watches(
        &self,
        connection: &ConnectionId,
        app: &AppId,
        update: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::connection(connection)))
            .key(keys::SK, items::text(keys::SESSION))
            .update_expression(update)
            .expression_attribute_names("#watches", keys::WATCHES)
            .expression_attribute_values(":apps", AttributeValue::Ss(vec![app.to_string()]))
    }

    /// Deletes the row of one subscription, there or not, when its connection is gone. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::app_connections(app)))
            .key(keys::SK, items::text(keys::subscription(connection)));
        delete.send().await.map_err(|error| Fault::of("delete subscription", error))?;
        Ok(())
    }

    /// Who watches `app` at `now`: one consistent query for each megabyte of rows. Rows past their age and rows
    /// that cannot be read are left out; the second kind is logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId, now: TimestampMs) -> Result<Vec<Subscriber>, Fault> {
        let query =
            rows::with_prefix(&self.client, &self.table, keys::app_connections(app), keys::SUBSCRIPTIONS);
        rows::readable(query, "query subscriptions", |row| read_subscriber(row, now)).await
    }
}

/// The subscriber of a row, or `None` past its age.
fn read_subscriber(row: &Item, now: TimestampMs) -> Result<Option<Subscriber>, BadAttribute> {
    if items::is_past_age(row, now)? {
        return Ok(None);
    }
    let key = items::read_text(row, keys::SK)?;
    let connection = key.strip_prefix(keys::SUBSCRIPTIONS).ok_or(BadAttribute::Unreadable(keys::SK))?;
    let dialect = match items::read_text(row, keys::DIALECT)? {
        "legacy" => Dialect::Legacy,
        "modern" => Dialect::Modern,
        _ => return Err(BadAttribute::Unreadable(keys::DIALECT)),
    };
    let proof = SubscriptionProof::from_text(items::read_text(row, keys::HOLD)?);
    Ok(Some(Subscriber {
        connection: ConnectionId::new(connection),
        min_interval_ms: items::read_number(row, keys::MIN_INTERVAL)?,
        dialect,
        proof: proof.ok_or(BadAttribute::Unreadable(keys::HOLD))?,
    }))
}

fn dialect_text(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Modern => "modern",
        Dialect::Legacy => "legacy",
    }
}
