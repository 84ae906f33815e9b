//! Stands in for DynamoDB and the `@connections` API while a function is measured: known rows, nothing is kept.
//!
//! Answers at once and counts what it was asked, so that a function that skips its work is noticed. The name of a
//! connection says how it behaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::rows::Rows;
use crate::serve::Handler;

/// What the name of a connection begins with that has left.
pub(crate) const GONE: &str = "gone-";
/// What the name of a connection begins with that never reads.
pub(crate) const SILENT: &str = "silent-";

/// How often each kind of call came.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    reads: AtomicU64,
    writes: AtomicU64,
    posts: AtomicU64,
}

/// The same as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) posts: u64,
}

impl Calls {
    pub(crate) fn counted(&self) -> Counted {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted { reads: count(&self.reads), writes: count(&self.writes), posts: count(&self.posts) }
    }
}

/// The stand-in behind its servers.
#[derive(Debug)]
pub(crate) struct StandIn {
    rows: Arc<Rows>,
    calls: Arc<Calls>,
}

/// What is read of a call's body.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Call {
    table_name: String,
    #[serde(default)]
    key: Value,
    #[serde(default)]
    expression_attribute_values: Value,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default = "yes")]
    scan_index_forward: bool,
}

fn yes() -> bool {
    true
}

impl StandIn {
    pub(crate) fn new(rows: Arc<Rows>, calls: Arc<Calls>) -> Self {
        Self { rows, calls }
    }

    fn table_call(&self, operation: &str, body: &[u8]) -> Option<String> {
        let counter =
            if matches!(operation, "GetItem" | "Query") { &self.calls.reads } else { &self.calls.writes };
        counter.fetch_add(1, Ordering::Relaxed);
        match operation {
            "GetItem" => self.found(&serde_json::from_slice(body).ok()?),
            "Query" => self.queried(&serde_json::from_slice(body).ok()?),
            _ => Some("{}".to_owned()),
        }
    }

    fn found(&self, call: &Call) -> Option<String> {
        let part = |name: &str| call.key.pointer(&format!("/{name}/S")).and_then(Value::as_str);
        let pk = part("pk").or_else(|| part("appId"))?;
        let row = self.rows.find(&call.table_name, pk, part("sk").unwrap_or_default());
        Some(row.map_or_else(|| "{}".to_owned(), |row| format!("{{\"Item\":{row}}}")))
    }

    fn queried(&self, call: &Call) -> Option<String> {
        let values = &call.expression_attribute_values;
        let value = |name: &str| values.pointer(&format!("/:{name}/S")).and_then(Value::as_str);
        let (prefix, first, last) = (value("prefix"), value("first"), value("last"));
        let mut rows = self.rows.matching(&call.table_name, value("pk")?, |sk| {
            prefix.is_none_or(|prefix| sk.starts_with(prefix))
                && first.is_none_or(|first| sk >= first)
                && last.is_none_or(|last| sk <= last)
        });
        if !call.scan_index_forward {
            rows.reverse();
        }
        rows.truncate(call.limit.unwrap_or(usize::MAX));
        let (count, items) = (rows.len(), rows.join(","));
        Some(format!("{{\"Items\":[{items}],\"Count\":{count},\"ScannedCount\":{count}}}"))
    }

    async fn post(&self, path: &str) -> Response<Full<Bytes>> {
        self.calls.posts.fetch_add(1, Ordering::Relaxed);
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.starts_with(SILENT) {
            std::future::pending::<()>().await;
        }
        if name.starts_with(GONE) {
            return answer(StatusCode::GONE, ("x-amzn-errortype", "GoneException"), "{}".into());
        }
        answer(StatusCode::OK, ("content-type", "application/json"), Bytes::new())
    }
}

impl Handler for StandIn {
    async fn answer(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let Some(operation) = target.and_then(|target| target.split('.').nth(1)) else {
            return self.post(request.uri().path()).await;
        };
        match self.table_call(operation, request.body()) {
            Some(body) => answer(StatusCode::OK, ("content-type", "application/x-amz-json-1.0"), body.into()),
            None => answer(StatusCode::BAD_REQUEST, ("content-type", "text/plain"), "not understood".into()),
        }
    }
}

fn answer(status: StatusCode, header: (&'static str, &'static str), body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header.0, hyper::header::HeaderValue::from_static(header.1));
    // As long as the one that AWS sends, for it is read too.
    let id = hyper::header::HeaderValue::from_static("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF");
    headers.insert("x-amzn-requestid", id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::time::TimestampMs;

    fn stand_in() -> StandIn {
        let now = TimestampMs::clamped(1_795_352_461_387);
        let mut rows = Rows::new(now).unwrap();
        rows.subscribe(["a=".to_owned(), "b=".to_owned()], now);
        StandIn::new(Arc::new(rows), Arc::new(Calls::default()))
    }

    #[test]
    fn reads_find_rows_and_writes_keep_none() {
        let stand_in = stand_in();
        let get = br#"{"TableName":"AppsTable","Key":{"appId":{"S":"shop"}}}"#;
        assert!(stand_in.table_call("GetItem", get).unwrap().starts_with("{\"Item\":{"));
        let query = br##"{"TableName":"ConnectionsTable","ExpressionAttributeValues":{":pk":{"S":"app#shop"},":prefix":{"S":"s#"}}}"##;
        assert!(stand_in.table_call("Query", query).unwrap().ends_with("\"Count\":2,\"ScannedCount\":2}"));
        assert_eq!(stand_in.table_call("PutItem", b"{}").unwrap(), "{}");
        assert_eq!(stand_in.calls.counted(), Counted { reads: 2, writes: 1, posts: 0 });
    }

    #[tokio::test]
    async fn the_name_of_a_connection_says_whether_it_is_gone() {
        let stand_in = stand_in();
        assert_eq!(stand_in.post("/live/@connections/a%3D").await.status(), 200);
        assert_eq!(stand_in.post("/live/@connections/gone-1").await.status(), 410);
    }
}
