//! Whether a table can be reached: for a function's start and an operator, never on a request path.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::fault::{Fault, if_condition_held};
use crate::keys;

/// A key that no item has: an id never contains `#`.
const ABSENT: &str = "#";

/// A call that changes nothing, of a kind that the function's policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableProbe {
    /// Reads an app that does not exist. One read unit.
    GetApp,
    /// Reads a row that does not exist. One read unit.
    GetRow,
    /// Queries a partition that does not exist. One read unit.
    Query,
    /// Writes a row that does not exist on the condition that it does. One write unit.
    Put,
}

/// The status of one table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// DynamoDB's status, such as `ACTIVE`.
    pub status: String,
    /// How many items it has, which DynamoDB updates about every six hours.
    pub items: i64,
}

/// The status of `table`. One call.
///
/// # Errors
/// A [`Fault`] when DynamoDB cannot be reached or has no such table.
pub(crate) async fn status(client: &Client, table: &str) -> Result<TableStatus, Fault> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described.map_err(|error| Fault::of("describe table", error))?.table;
    let status = described.as_ref().and_then(|table| table.table_status());
    Ok(TableStatus {
        name: table.to_owned(),
        status: status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        // DescribeTable always returns the count; the default is never used.
        items: described.and_then(|table| table.item_count()).unwrap_or_default(),
    })
}

/// Makes the call `probe` to `table`.
///
/// # Errors
/// A [`Fault`] when DynamoDB cannot be reached, has no such table or denies this function access.
pub(crate) async fn run(client: &Client, table: &str, probe: TableProbe) -> Result<(), Fault> {
    const ATTEMPT: &str = "reach table";
    let absent = || AttributeValue::S(ABSENT.to_owned());
    let get = client.get_item().table_name(table);
    match probe {
        TableProbe::GetApp => {
            let call = get.key(keys::APP_ID, absent());
            call.send().await.map(drop).map_err(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::GetRow => {
            let call = get.key(keys::PK, absent()).key(keys::SK, absent());
            call.send().await.map(drop).map_err(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::Query => {
            let call = client.query().table_name(table).key_condition_expression(keys::IN_PARTITION);
            let call = call.expression_attribute_values(":pk", absent()).limit(1);
            call.send().await.map(drop).map_err(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::Put => {
            let call = client.put_item().table_name(table).item(keys::PK, absent()).item(keys::SK, absent());
            let call = call.condition_expression(keys::EXISTS);
            if_condition_held(ATTEMPT, call.send().await).map(drop)
        }
    }
}
