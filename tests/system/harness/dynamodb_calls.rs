//! Counts the DynamoDB calls in the bytes of a connection, by operation and table.

use std::collections::BTreeMap;
use std::fmt;

/// The header of the operation, and the prefix of its value.
const TARGET: &str = "x-amz-target";
const SERVICE: &str = "DynamoDB_20120810.";
const LENGTH: &str = "content-length";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The number of calls by operation and table; a transaction counts for its first table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DynamoDbCalls(BTreeMap<(String, String), u64>);

impl DynamoDbCalls {
    /// Calls of these operations on tables whose name contains `table`.
    pub(crate) fn on(&self, table: &str, operations: &[&str]) -> u64 {
        let fits = |(operation, name): &(String, String)| {
            name.contains(table) && operations.contains(&operation.as_str())
        };
        self.0.iter().filter(|(key, _)| fits(key)).map(|(_, count)| count).sum()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn add(&mut self, operation: &str, table: &str) {
        *self.0.entry((operation.to_owned(), table.to_owned())).or_default() += 1;
    }
}

impl fmt::Display for DynamoDbCalls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((operation, table), count) in &self.0 {
            write!(out, "\n    {operation} on {table}: {count}")?;
        }
        Ok(())
    }
}

/// Reads the requests of one connection from chunks of any size.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    unread: Vec<u8>,
}

impl Reader {
    /// Whether a connection that starts with these bytes goes to DynamoDB.
    pub(crate) fn is_dynamodb(beginning: &[u8]) -> bool {
        beginning.starts_with(b"POST / HTTP/1.1\r\n")
    }

    pub(crate) fn read(&mut self, piece: &[u8], calls: &mut DynamoDbCalls) {
        self.unread.extend_from_slice(piece);
        while let Some((head_bytes, body_bytes)) = self.whole_request() {
            let head = String::from_utf8_lossy(&self.unread[..head_bytes]);
            let body = String::from_utf8_lossy(&self.unread[head_bytes..head_bytes + body_bytes]);
            if let Some(operation) = header(&head, TARGET).and_then(|target| target.strip_prefix(SERVICE)) {
                calls.add(operation, table(&body));
            }
            self.unread.drain(..head_bytes + body_bytes);
        }
    }

    /// The lengths of head and body of the first request, if it is complete.
    fn whole_request(&self) -> Option<(usize, usize)> {
        let end = self.unread.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)?;
        let head_bytes = end + END_OF_HEAD.len();
        let head = String::from_utf8_lossy(&self.unread[..head_bytes]);
        let body_bytes = header(&head, LENGTH).and_then(|text| text.parse().ok()).unwrap_or(0);
        (self.unread.len() >= head_bytes + body_bytes).then_some((head_bytes, body_bytes))
    }
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

fn table(body: &str) -> &str {
    let named = body.split_once("\"TableName\":").map(|(_, rest)| rest.trim_start().trim_start_matches('"'));
    named.and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {target}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    #[test]
    fn requests_are_counted_in_any_chunks() {
        let stream = [
            request("DynamoDB_20120810.PutItem", r#"{"TableName":"nsl-Reports","Item":{}}"#),
            request("DynamoDBStreams_20120810.GetRecords", "{}"),
            request("DynamoDB_20120810.Query", r#"{"TableName": "nsl-Connections"}"#),
            request("DynamoDB_20120810.PutItem", r#"{"TableName":"nsl-Reports"}"#),
        ]
        .concat();
        for size in [1, 7, 100, stream.len()] {
            let (mut calls, mut reader) = (DynamoDbCalls::default(), Reader::default());
            for piece in stream.as_bytes().chunks(size) {
                reader.read(piece, &mut calls);
            }
            assert_eq!(calls.on("Reports", &["PutItem"]), 2, "in pieces of {size}: {calls}");
            assert_eq!((calls.on("Connections", &["Query"]), calls.on("", &["GetRecords"])), (1, 0));
        }
        assert!(Reader::is_dynamodb(stream.as_bytes()) && !Reader::is_dynamodb(b"GET / HTTP/1.1\r\n"));
    }
}
