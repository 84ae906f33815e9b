//! A proxy before DynamoDB that records each call and forwards it or fails it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::{Call, ConsumedCapacity};
use crate::call_log::CallLog;
use crate::server::TestServer;

/// Precedes the operation in a call's `x-amz-target`.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";
/// Local engines read the key and the region of a signature and do not verify it.
const AUTHORIZATION_TEXT: &str = "AWS4-HMAC-SHA256 Credential=LOCALGATEWAY/20260101/us-east-1/dynamodb/aws4_request, \
     SignedHeaders=host;x-amz-date;x-amz-target, Signature=0";
/// Bytes of one write unit.
const WRITE_UNIT_BYTES: f64 = 1_024.0;
const DATE: &str = "20260101T000000Z";

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// `ProvisionedThroughputExceededException`.
    Throttled,
    /// Status 500.
    InternalError,
    /// The connection closes without a response.
    ConnectionDropped,
    /// The connection stays open without a response.
    NoResponse,
    /// The call is carried out, then the connection closes without a response.
    ResponseLost,
    /// Another transaction is writing the same row.
    TransactionConflict,
}

/// The next calls of one operation that fail.
#[derive(Debug)]
struct Planned {
    operation: String,
    failure: Failure,
    times: usize,
}

/// Calls of one operation wait until it is dropped.
#[derive(Debug)]
pub struct Hold {
    _sender: watch::Sender<()>,
}

/// The proxy.
#[derive(Debug)]
pub struct DynamoDbProxy {
    server: TestServer,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    engine: String,
    client: reqwest::Client,
    calls: CallLog,
    /// What follows the template's name in the name of each table.
    suffix: String,
    planned: Mutex<Vec<Planned>>,
    held: Mutex<Vec<(String, watch::Receiver<()>)>>,
}

impl DynamoDbProxy {
    pub(crate) async fn start(engine: &str, suffix: &str, calls: CallLog) -> Self {
        let state = Arc::new(State {
            engine: engine.to_owned(),
            client: reqwest::Client::new(),
            calls,
            suffix: suffix.to_owned(),
            planned: Mutex::default(),
            held: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let server = TestServer::start(move |request| {
            let state = Arc::clone(&shared);
            async move { state.respond(request).await }
        });
        Self { server: server.await, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Makes the next `times` calls of `operation` fail.
    pub fn fail(&self, operation: &str, failure: Failure, times: usize) {
        self.state.planned.lock().push(Planned { operation: operation.to_owned(), failure, times });
    }

    /// Makes the calls of `operation` wait, once they are recorded, until what is returned is dropped.
    pub fn hold(&self, operation: &str) -> Hold {
        let (sender, receiver) = watch::channel(());
        self.state.held.lock().push((operation.to_owned(), receiver));
        Hold { _sender: sender }
    }

    /// Cancels the failures that have not happened yet.
    pub fn clear_failures(&self) {
        self.state.planned.lock().clear();
    }

    /// Closes every connection to it and accepts none.
    pub fn go_offline(&self) {
        self.server.set_online(false);
    }

    /// Accepts connections again.
    pub fn go_online(&self) {
        self.server.set_online(true);
    }

    /// The engine's response to an unsigned call.
    pub(crate) async fn unsigned_error(&self) -> String {
        let answer = self.state.client.post(&self.state.engine).send().await;
        answer.expect("the engine answers").text().await.expect("the engine answers text")
    }

    /// Calls the engine unrecorded, for what a test sets up or inspects; adds `TableName`.
    pub async fn direct(&self, operation: &str, table: &str, mut body: Value) -> Value {
        body["TableName"] = json!(format!("{table}{}", self.state.suffix));
        let answer = self.state.forward(operation, body.to_string().into()).await;
        let (status, answer) = answer.expect("the engine answers");
        let answer: Value = serde_json::from_slice(&answer).expect("the engine answers JSON");
        assert!(status.is_success(), "{operation} of {table}: {answer}");
        answer
    }
}

impl State {
    async fn respond(&self, request: Request<Bytes>) -> Option<Response<Body>> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.strip_prefix(TARGET_PREFIX)).unwrap_or_default();
        let operation = operation.to_owned();
        let body = request.into_body();
        let call = self.call(&operation, &body);
        self.calls.add(call.clone());
        let held: Vec<_> = self.held.lock().iter().filter(|held| held.0 == operation).cloned().collect();
        for (_, mut hold) in held {
            // Nothing is ever sent: it ends with the hold.
            let _ = hold.changed().await;
        }
        let (status, answer) = match self.next_failure(&operation) {
            None => self.forward_and_record(call, body).await?,
            Some(Failure::ConnectionDropped) => return None,
            Some(Failure::ResponseLost) => {
                self.forward(&operation, body).await.ok()?;
                return None;
            }
            Some(Failure::TransactionConflict) => (StatusCode::BAD_REQUEST, conflict(&operation)),
            Some(Failure::NoResponse) => std::future::pending().await,
            Some(Failure::Throttled) => {
                (StatusCode::BAD_REQUEST, error("ProvisionedThroughputExceededException"))
            }
            Some(Failure::InternalError) => (StatusCode::INTERNAL_SERVER_ERROR, error("InternalServerError")),
        };
        let mut response = Response::new(Body::from(answer));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        Some(response)
    }

    /// Forwards a call and records the capacity that it consumed.
    async fn forward_and_record(&self, call: Call, body: Bytes) -> Option<(StatusCode, Bytes)> {
        let mut request = call.body.clone();
        let body = match request.as_object_mut() {
            Some(fields) => {
                fields.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
                request.to_string().into()
            }
            None => body,
        };
        let (status, answer) = self.forward(&call.operation, body).await.ok()?;
        let units = units_of(&serde_json::from_slice(&answer).unwrap_or_default(), &call);
        self.calls.add_consumed(ConsumedCapacity { operation: call.operation, target: call.target, units });
        Some((status, answer))
    }

    fn call(&self, operation: &str, body: &Bytes) -> Call {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let first = body.pointer("/TransactItems/0").and_then(Value::as_object);
        let first = first.and_then(|action| action.values().next()).unwrap_or(&body);
        let table = first["TableName"].as_str().unwrap_or_default();
        let target = table.strip_suffix(&self.suffix).unwrap_or(table).to_owned();
        Call { operation: operation.to_owned(), target, body }
    }

    fn next_failure(&self, operation: &str) -> Option<Failure> {
        let mut planned = self.planned.lock();
        let next = planned.iter_mut().find(|planned| planned.operation == operation && planned.times > 0)?;
        next.times -= 1;
        Some(next.failure)
    }

    async fn forward(&self, operation: &str, body: Bytes) -> reqwest::Result<(StatusCode, Bytes)> {
        let response = self
            .client
            .post(&self.engine)
            .header(AUTHORIZATION, AUTHORIZATION_TEXT)
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-date", DATE)
            .header("x-amz-target", format!("{TARGET_PREFIX}{operation}"))
            .body(body)
            .send()
            .await?;
        Ok((response.status(), response.bytes().await?))
    }
}

/// The units that the engine reports. A write that its condition rejected costs as much as one that succeeds.
fn units_of(answer: &Value, call: &Call) -> f64 {
    let code = answer["__type"].as_str().unwrap_or_default();
    if code.ends_with("ConditionalCheckFailedException") {
        return (bytes_of(&call.body["Item"]) as f64 / WRITE_UNIT_BYTES).ceil().max(1.0);
    }
    let units = |consumed: &Value| consumed["CapacityUnits"].as_f64().unwrap_or_default();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => units(table),
    }
}

/// Approximate size of an item of `S`, `N` and `B`: names and contents.
fn bytes_of(item: &Value) -> usize {
    let text = |value: &Value, kind: &str| value[kind].as_str().map_or(0, str::len);
    let value = |value: &Value| text(value, "S") + text(value, "N") / 2 + 1 + text(value, "B") * 3 / 4;
    item.as_object().into_iter().flatten().map(|(name, content)| name.len() + value(content)).sum()
}

/// The body of a conflict, which a transaction reports among the reasons of its actions.
fn conflict(operation: &str) -> Bytes {
    if operation != "TransactWriteItems" {
        return error("TransactionConflictException");
    }
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "message": "injected",
        "CancellationReasons": [{"Code": "TransactionConflict", "Message": "injected"}, {"Code": "None"}],
    });
    body.to_string().into()
}

/// The body of an error as DynamoDB writes it.
fn error(code: &str) -> Bytes {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "injected"});
    body.to_string().into()
}
