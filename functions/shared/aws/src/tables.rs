//! What DynamoDB says of a table: for an operator's look and at a function's start, never on a request path.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::fault::{Fault, Kind};
use crate::keys::{self, expression};

/// No item has this key, for no id holds a `#` alone.
const NOBODY: &str = "#";

/// How a function finds out that a table is there: by a call that its policy allows it anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableProbe {
    /// Reads an application that cannot be there. One read unit.
    GetApp,
    /// Reads a row that cannot be there. One read unit.
    GetRow,
    /// Asks for the rows of a partition that cannot be there. One read unit.
    Query,
    /// Writes a row on the condition that it is there, which it is not. One write unit, and nothing written.
    Put,
}

/// The state of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// DynamoDB's word for it, such as `ACTIVE`.
    pub status: String,
    /// How many items it holds, as DynamoDB counts them every six hours or so.
    pub items: i64,
}

/// The state of `table`. One call.
///
/// # Errors
/// A [`Fault`] when DynamoDB cannot be reached or knows no such table.
pub(crate) async fn status(client: &Client, table: &str) -> Result<TableStatus, Fault> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described.map_err(|error| Fault::of("describe table", error))?.table;
    let status = described.as_ref().and_then(|table| table.table_status());
    Ok(TableStatus {
        name: table.to_owned(),
        status: status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        items: described.and_then(|table| table.item_count()).unwrap_or_default(),
    })
}

/// Makes one call that changes nothing to `table`.
///
/// # Errors
/// A [`Fault`] when DynamoDB cannot be reached, knows no such table or does not let this function in.
pub(crate) async fn touch(client: &Client, table: &str, reach: TableProbe) -> Result<(), Fault> {
    const ATTEMPT: &str = "reach table";
    let nobody = || AttributeValue::S(NOBODY.to_owned());
    let fault = match reach {
        TableProbe::GetApp => {
            let call = client.get_item().table_name(table).key(keys::APP_ID, nobody());
            call.send().await.err().map(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::GetRow => {
            let call = client.get_item().table_name(table).key(keys::PK, nobody()).key(keys::SK, nobody());
            call.send().await.err().map(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::Query => {
            let call = client.query().table_name(table).key_condition_expression(expression::PARTITION);
            let call = call.expression_attribute_names("#pk", keys::PK).limit(1);
            let call = call.expression_attribute_values(":pk", nobody());
            call.send().await.err().map(|error| Fault::of(ATTEMPT, error))
        }
        TableProbe::Put => {
            let call = client.put_item().table_name(table).item(keys::PK, nobody()).item(keys::SK, nobody());
            let call = call.condition_expression(expression::EXISTS);
            let call = call.expression_attribute_names("#pk", keys::PK);
            let fault = call.send().await.err().map(|error| Fault::of(ATTEMPT, error));
            fault.filter(|fault| fault.kind != Kind::Conflict)
        }
    };
    fault.map_or(Ok(()), Err)
}
