//! A fake DynamoDB and `@connections` API: fixed rows, and writes that are not stored.
//!
//! It responds at once and counts calls, so that missing ones are noticed. A prefix of a connection's id determines its
//! behaviour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::rows::Rows;
use crate::serve::Handler;

/// Prefix of connections that are gone.
pub(crate) const GONE: &str = "gone-";
/// Prefix of connections that never read.
pub(crate) const SILENT: &str = "silent-";

/// Number of calls by kind.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    reads: AtomicU64,
    writes: AtomicU64,
    posts: AtomicU64,
}

/// A snapshot of [`Calls`].
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

/// The fake AWS.
#[derive(Debug)]
pub(crate) struct FakeAws {
    rows: Arc<Rows>,
    calls: Arc<Calls>,
}

/// The fields of a call that are used.
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

impl FakeAws {
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

impl Handler for FakeAws {
    async fn handle(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let Some(operation) = target.and_then(|target| target.split('.').nth(1)) else {
            return self.post(request.uri().path()).await;
        };
        match self.table_call(operation, request.body()) {
            Some(body) => answer(StatusCode::OK, ("content-type", "application/x-amz-json-1.0"), body.into()),
            None => answer(
                StatusCode::BAD_REQUEST,
                ("content-type", "text/plain"),
                "cannot parse the call".into(),
            ),
        }
    }
}

fn answer(status: StatusCode, header: (&'static str, &'static str), body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header.0, hyper::header::HeaderValue::from_static(header.1));
    // As long as that of AWS, because it is parsed too.
    let id = hyper::header::HeaderValue::from_static("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF");
    headers.insert("x-amzn-requestid", id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::time::TimestampMs;

    fn fake_aws() -> FakeAws {
        let now = TimestampMs::clamped(1_795_352_461_387);
        let mut rows = Rows::new(now).unwrap();
        rows.subscribe(["a=".to_owned(), "b=".to_owned()], now);
        FakeAws::new(Arc::new(rows), Arc::new(Calls::default()))
    }

    #[test]
    fn reads_return_rows_and_writes_are_counted() {
        let fake_aws = fake_aws();
        let get = br#"{"TableName":"AppsTable","Key":{"appId":{"S":"shop"}}}"#;
        assert!(fake_aws.table_call("GetItem", get).unwrap().starts_with("{\"Item\":{"));
        let query = br##"{"TableName":"ConnectionsTable","ExpressionAttributeValues":{":pk":{"S":"app#shop"},":prefix":{"S":"s#"}}}"##;
        assert!(fake_aws.table_call("Query", query).unwrap().ends_with("\"Count\":2,\"ScannedCount\":2}"));
        assert_eq!(fake_aws.table_call("PutItem", b"{}").unwrap(), "{}");
        assert_eq!(fake_aws.calls.counted(), Counted { reads: 2, writes: 1, posts: 0 });
    }

    #[tokio::test]
    async fn prefix_determines_whether_a_connection_is_gone() {
        let fake_aws = fake_aws();
        assert_eq!(fake_aws.post("/live/@connections/a%3D").await.status(), 200);
        assert_eq!(fake_aws.post("/live/@connections/gone-1").await.status(), 410);
    }
}
