//! The last command of each switch of an app, in a partition of the Connections table that fan-out never reads.
//!
//! They do not expire: a console that was switched off stays off until it is switched on, or the app is deleted.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::ids::AppId;
use nsl_domain::legacy::command::{Command, IssuedCommand, Switch};
use nsl_domain::time::TimestampMs;

use crate::erase::Partition;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table::{self, Table};

/// The commands in the Connections table.
#[derive(Debug, Clone)]
pub struct Commands {
    pub(crate) table: Table,
}

impl Commands {
    /// Stores a command in place of the last one of its switch. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put(&self, app: &AppId, issued: &IssuedCommand) -> Result<(), Fault> {
        let put = self
            .table
            .put(keys::commands(app), issued.command.switch.as_str())
            .item(keys::ENABLED, AttributeValue::Bool(issued.command.enabled))
            .item(keys::USER, items::text(issued.user.as_str()))
            .item(keys::AT, items::number(issued.at.ms()));
        put.send().await.map_err(|error| Fault::of("put command", error))?;
        Ok(())
    }

    /// The last command of each switch of `app`, oldest first. One consistent query. A row that cannot be read is
    /// logged and left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId) -> Result<Vec<IssuedCommand>, Fault> {
        let query = self.table.query(keys::commands(app));
        let mut commands =
            table::read_all(query, "query commands", |row| read_command(row).map(Some)).await?;
        commands.sort_by_key(|issued| issued.at);
        Ok(commands)
    }

    /// The partition of every command of `app`. No call.
    pub fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.table, keys::commands(app))
    }
}

fn read_command(row: &Item) -> Result<IssuedCommand, BadAttribute> {
    let switch = Switch::from_text(items::read_text(row, keys::SK)?);
    let switch = switch.ok_or(BadAttribute::Unreadable(keys::SK))?;
    Ok(IssuedCommand {
        command: Command { switch, enabled: items::read_bool(row, keys::ENABLED)? },
        user: items::read_id(row, keys::USER)?,
        at: TimestampMs::clamped(items::read_number(row, keys::AT)?),
    })
}
