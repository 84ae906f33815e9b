//! The processes that run the library, by app: what each is called, and its newest connection.
//!
//! Read and written by the first report of a connection, never by every report.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::legacy::process::{Process, ProcessStart};
use nsl_domain::time::TimestampMs;

use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table::{self, Table};

/// The condition that a row still has the connection that was read.
const UNCHANGED: &str = "#connection = :old AND #at = :oldAt";

/// The processes in the Connections table.
#[derive(Debug, Clone)]
pub struct Processes {
    pub(crate) table: Table,
}

/// The outcome of naming a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// It has the name, by this call or by one about the same connection.
    Done,
    /// Another process has it.
    Taken,
}

impl Processes {
    /// The processes of `app` at `now` that may show `start`. One consistent query. Expired rows are left out, as are rows
    /// that cannot be read, which are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn near(
        &self,
        app: &AppId,
        start: &ProcessStart,
        now: TimestampMs,
    ) -> Result<Vec<Process>, Fault> {
        let (first, last) = start.name_bounds();
        let query = self.table.query_where(
            keys::processes(app),
            "pk = :pk AND sk BETWEEN :first AND :last",
            [(":first", first), (":last", last)],
        );
        table::read_all(query, "query processes", |row| read_process(row, now)).await
    }

    /// Stores a new process, unless its name is taken at the time of its first report. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn add(&self, app: &AppId, process: &Process) -> Result<Named, Fault> {
        const ATTEMPT: &str = "add process";
        let update = self
            .written(app, process)
            .condition_expression("attribute_not_exists(pk) OR expiresAt <= :now")
            .expression_attribute_values(":now", items::number(process.since.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = update.send().await else { return Ok(Named::Done) };
        let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(Fault::of(ATTEMPT, error));
        };
        let row = failed.item().ok_or(BadAttribute::Missing(keys::CONNECTION));
        let connection = row.and_then(|row| items::read_text(row, keys::CONNECTION));
        let is_own = connection.map_err(|bad| bad.into_fault(ATTEMPT))? == process.connection.as_str();
        Ok(if is_own { Named::Done } else { Named::Taken })
    }

    /// Stores the newest connection of a process that was read as `old`; false if another one is stored meanwhile. One
    /// conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn replace(&self, app: &AppId, old: &Process, new: &Process) -> Result<bool, Fault> {
        let update = self
            .written(app, new)
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":old", items::text(old.connection.as_str()))
            .expression_attribute_values(":oldAt", items::number(old.since.ms()));
        Ok(if_condition_held("replace process", update.send().await)?.is_some())
    }

    /// Deletes a process that was added as `process`, unless it has another connection. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn remove(&self, app: &AppId, process: &Process) -> Result<(), Fault> {
        let delete = self
            .table
            .deletion(keys::processes(app), process.source.as_str())
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#connection", keys::CONNECTION)
            .expression_attribute_names("#at", keys::AT)
            .expression_attribute_values(":old", items::text(process.connection.as_str()))
            .expression_attribute_values(":oldAt", items::number(process.since.ms()));
        if_condition_held("remove process", delete.send().await).map(drop)
    }

    /// The write of `process`, without a condition.
    fn written(&self, app: &AppId, process: &Process) -> UpdateItemFluentBuilder {
        let Process { source, start, connection, since } = process;
        self.table
            .update(keys::processes(app), source.as_str())
            .update_expression(
                "SET startedAt = :started, #host = :host, #connection = :connection, #at = :since, \
                 expiresAt = :expiry",
            )
            .expression_attribute_names("#host", keys::HOST)
            .expression_attribute_names("#connection", keys::CONNECTION)
            .expression_attribute_names("#at", keys::AT)
            .expression_attribute_values(":started", items::number(start.at.ms()))
            .expression_attribute_values(":host", items::text(start.host.as_str()))
            .expression_attribute_values(":connection", items::text(connection.as_str()))
            .expression_attribute_values(":since", items::number(since.ms()))
            .expression_attribute_values(":expiry", expiry::of_process(*since))
    }
}

/// The process of a row; `None` if it is expired.
fn read_process(row: &Item, now: TimestampMs) -> Result<Option<Process>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    let source: Source = items::read_id(row, keys::SK)?;
    let host = items::read_text(row, keys::HOST)?.to_owned();
    let start = ProcessStart { at: items::read_time(row, keys::STARTED_AT)?, host };
    let connection = ConnectionId::new(items::read_text(row, keys::CONNECTION)?);
    Ok(Some(Process { source, start, connection, since: items::read_time(row, keys::AT)? }))
}
