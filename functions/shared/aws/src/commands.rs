//! Commands that hold: the last one of each switch of an application.
//!
//! Rows of the Connections table in a partition of their own, which fan-out never reads. They have no age: a console
//! that was switched off stays off until somebody switches it on, or the application is deleted.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::ids::AppId;
use nsl_domain::legacy::command::{Command, IssuedCommand, Switch};
use nsl_domain::time::TimestampMs;

use crate::erase::Partition;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::rows;

/// The rows of commands.
#[derive(Debug, Clone)]
pub struct Commands {
    client: Client,
    table: String,
}

impl Commands {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Keeps a command in place of the last one of its switch. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put(&self, app: &AppId, given: &IssuedCommand) -> Result<(), Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(keys::PK, items::text(keys::commands(app)))
            .item(keys::SK, items::text(keys::command(given.command.switch)))
            .item(keys::ENABLED, AttributeValue::Bool(given.command.enabled))
            .item(keys::USER, items::text(given.user.as_str()))
            .item(keys::AT, items::number(given.at.ms()));
        put.send().await.map_err(|error| Fault::of("put command", error))?;
        Ok(())
    }

    /// The commands that hold for `app`, oldest first. One consistent query. A row that cannot be read is logged and
    /// left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId) -> Result<Vec<IssuedCommand>, Fault> {
        let query = rows::of_partition(&self.client, &self.table, keys::commands(app));
        let mut given = rows::readable(query, "query commands", |row| read_given(row).map(Some)).await?;
        given.sort_by_key(|given| given.at);
        Ok(given)
    }

    /// The partition of every command of `app`. No call.
    pub fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.client, &self.table, keys::commands(app))
    }
}

fn read_given(row: &Item) -> Result<IssuedCommand, BadAttribute> {
    let switch = Switch::from_text(items::read_text(row, keys::SK)?);
    let switch = switch.ok_or(BadAttribute::Unreadable(keys::SK))?;
    Ok(IssuedCommand {
        command: Command { switch, enabled: items::read_flag(row, keys::ENABLED)? },
        user: items::read_id(row, keys::USER)?,
        at: TimestampMs::clamped(items::read_number(row, keys::AT)?),
    })
}
