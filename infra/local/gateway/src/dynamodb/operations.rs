//! The operations of the embedded DynamoDB, each from a request in JSON to a response in JSON.

use dynoxide::{Database, DynoxideError, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The engine's types start the message of an error with this where DynamoDB validates a value that it could read.
const INVALID: [&str; 3] = ["VALIDATION_REQUEST:", "VALIDATION_AS_READ:", "VALIDATION:"];
const UNREADABLE: [&str; 2] = ["SERIALIZATION_AS_READ:", "SERIALIZATION:"];

/// Runs an operation; `None` if there is none of this name.
pub(crate) fn run(database: &Database, operation: &str, body: &[u8]) -> Option<Result<String>> {
    let db = database;
    Some(match operation {
        "CreateTable" => call(body, |request| db.create_table(request)),
        "DeleteTable" => call(body, |request| db.delete_table(request)),
        "DescribeTable" => call(body, |request| db.describe_table(request)),
        "UpdateTable" => call(body, |request| db.update_table(request)),
        "ListTables" => call(body, |request| db.list_tables(request)),
        "UpdateTimeToLive" => call(body, |request| db.update_time_to_live(request)),
        "DescribeTimeToLive" => call(body, |request| db.describe_time_to_live(request)),
        "TagResource" => call(body, |request| db.tag_resource(request)),
        "UntagResource" => call(body, |request| db.untag_resource(request)),
        "ListTagsOfResource" => call(body, |request| db.list_tags_of_resource(request)),
        "PutItem" => call(body, |request| db.put_item(request)),
        "GetItem" => call(body, |request| db.get_item(request)),
        "UpdateItem" => call(body, |request| db.update_item(request)),
        "DeleteItem" => call(body, |request| db.delete_item(request)),
        "Query" => call(body, |request| db.query(request)),
        "Scan" => call(body, |request| db.scan(request)),
        "BatchGetItem" => call(body, |request| db.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| db.batch_write_item(request)),
        "TransactGetItems" => call(body, |request| db.transact_get_items(request)),
        "TransactWriteItems" => call(body, |request| db.transact_write_items(request)),
        "ExecuteStatement" => call(body, |request| db.execute_statement(request)),
        "ExecuteTransaction" => call(body, |request| db.execute_transaction(request)),
        "BatchExecuteStatement" => call(body, |request| db.batch_execute_statement(request)),
        "ListStreams" => call(body, |request| db.list_streams(request)),
        "DescribeStream" => call(body, |request| db.describe_stream(request)),
        "GetShardIterator" => call(body, |request| db.get_shard_iterator(request)),
        "GetRecords" => call(body, |request| db.get_records(request)),
        _ => return None,
    })
}

fn call<Q: DeserializeOwned, R: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<R>,
) -> Result<String> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    let response = operation(request)?;
    serde_json::to_string(&response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// DynamoDB's error for a request that the engine's types do not accept.
fn unreadable(message: &str) -> DynoxideError {
    let without = |marks: &[&str]| {
        let rest = marks.iter().find_map(|mark| message.strip_prefix(mark))?;
        Some(rest.split(" at line ").next().unwrap_or(rest).to_owned())
    };
    if let Some(message) = without(&INVALID) {
        return DynoxideError::ValidationException(message);
    }
    if let Some(message) = without(&UNREADABLE) {
        return DynoxideError::SerializationException(message);
    }
    if ["missing field", "unknown variant", "AttributeValue"].iter().any(|mark| message.contains(mark)) {
        return DynoxideError::ValidationException(message.to_owned());
    }
    DynoxideError::SerializationException(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn unreadable_requests_get_the_errors_of_dynamodb() {
        let database = Database::memory().unwrap();
        let kind = |operation: &str, body: Value| {
            let result = run(&database, operation, body.to_string().as_bytes()).unwrap();
            let error: Value = serde_json::from_str(&result.unwrap_err().to_json()).unwrap();
            error["__type"].as_str().unwrap().rsplit('#').next().unwrap().to_owned()
        };
        assert_eq!(
            kind("GetItem", json!({"TableName": "Things", "Key": {"pk": {"S": "a"}}})),
            "ResourceNotFoundException"
        );
        assert_eq!(
            kind("PutItem", json!({"TableName": "Things", "Item": {"pk": {}}})),
            "ValidationException"
        );
        assert_eq!(kind("PutItem", json!({"TableName": 5, "Item": {}})), "SerializationException");
        assert!(run(&database, "DropEverything", b"{}").is_none());
    }
}
