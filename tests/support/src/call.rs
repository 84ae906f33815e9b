//! One call to AWS as it was seen on the wire.

use std::fmt;

use serde_json::Value;

/// A call that a function made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// A DynamoDB operation such as `PutItem`; `POST` or `DELETE` for a connection.
    pub operation: String,
    /// The table's name in the template, or the connection's id.
    pub target: String,
    /// The request's JSON; a posted frame that is not JSON is a string.
    pub body: Value,
}

/// The capacity that one call consumed.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumedCapacity {
    /// The call's operation.
    pub operation: String,
    /// The table's name in the template.
    pub target: String,
    /// Read or write units as the engine counts them. A write that its condition rejected costs what it would have
    /// written.
    pub units: f64,
}

impl ConsumedCapacity {
    /// Whether the units are read units.
    pub fn is_read(&self) -> bool {
        is_read(&self.operation)
    }
}

fn is_read(operation: &str) -> bool {
    matches!(operation, "GetItem" | "Query" | "Scan" | "BatchGetItem")
}

impl Call {
    /// Whether it reads a table.
    pub fn is_read(&self) -> bool {
        is_read(&self.operation)
    }

    /// Whether it is a consistent read.
    pub fn is_consistent(&self) -> bool {
        self.body["ConsistentRead"] == true
    }

    /// The text at `pointer` (RFC 6901) of the request, empty if there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One line with what decides the cost of a call and nothing that differs between runs: operation, target, the index of
/// a query, and for a read its consistency.
impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.operation, self.target)?;
        if let Some(index) = self.body["IndexName"].as_str() {
            write!(formatter, " by {index}")?;
        }
        match (self.is_read(), self.is_consistent()) {
            (false, _) => Ok(()),
            (true, true) => formatter.write_str(" consistent"),
            (true, false) => formatter.write_str(" eventual"),
        }
    }
}
