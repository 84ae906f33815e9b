//! One call to AWS, as it came over the wire.

use std::fmt;

use serde_json::Value;

/// A call that a function made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `PutItem` and the like of a table, `POST` or `DELETE` of a connection.
    pub operation: String,
    /// The table's name in the template, or the connection's id.
    pub target: String,
    /// The request's JSON; a posted frame that is no JSON is a string.
    pub body: Value,
}

/// What one call was charged.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumedCapacity {
    /// Its operation.
    pub operation: String,
    /// The table's name in the template.
    pub target: String,
    /// Read or write units, as the engine counts them; a write that its condition refused costs what it would have.
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

    /// Whether it is a read that sees every write before it.
    pub fn is_consistent(&self) -> bool {
        self.body["ConsistentRead"] == true
    }

    /// The text under `pointer` (RFC 6901) of the request, empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One line: operation and target, the index of a query, and of each read whether it is consistent. What decides the
/// cost of a call stands in it, and nothing that changes from run to run.
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
