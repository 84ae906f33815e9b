//! What DynamoDB says of a table: for an operator's look, never on a request path.

use aws_sdk_dynamodb::Client;

use crate::fault::Fault;

/// The state of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
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
pub(crate) async fn state(client: &Client, table: &str) -> Result<TableState, Fault> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described.map_err(|error| Fault::of("describe table", error))?.table;
    let status = described.as_ref().and_then(|table| table.table_status());
    Ok(TableState {
        name: table.to_owned(),
        status: status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        items: described.and_then(|table| table.item_count()).unwrap_or_default(),
    })
}
