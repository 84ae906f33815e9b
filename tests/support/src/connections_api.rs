//! The `@connections` API of connections that exist only as names: frames are noted, not delivered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::Call;
use crate::call_log::CallLog;
use crate::server::TestServer;

/// The stage of the API: the first segment of every path.
const STAGE: &str = "live";

/// How calls about a connection are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// There is no such connection any more: 410.
    Gone,
    /// The same without the error's code, as some proxies leave it.
    GoneWithoutCode,
    /// Too many calls: 429.
    Throttled,
    /// A fault of API Gateway's own: 500.
    InternalError,
    /// No permission: 403.
    Forbidden,
    /// Nothing until [`FakeConnectionsApi::unblock`].
    Blocked,
}

/// The desk; a connection that it was told nothing of takes every frame.
#[derive(Debug)]
pub struct FakeConnectionsApi {
    server: TestServer,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    journal: CallLog,
    manners: Mutex<HashMap<String, Behaviour>>,
    released: watch::Sender<bool>,
}

impl FakeConnectionsApi {
    pub(crate) async fn open(journal: CallLog) -> Self {
        let state =
            Arc::new(State { journal, manners: Mutex::default(), released: watch::Sender::new(false) });
        let shared = Arc::clone(&state);
        let server = TestServer::open(move |request| {
            let state = Arc::clone(&shared);
            async move { Some(state.answer(request).await) }
        });
        Self { server: server.await, state }
    }

    /// Where functions reach it: the address of the API's stage.
    pub fn url(&self) -> String {
        format!("http://{}/{STAGE}", self.server.address)
    }

    /// Answers calls about `connection` in this manner from here on.
    pub fn set_behaviour(&self, connection: &str, manner: Behaviour) {
        let mut manners = self.state.manners.lock().unwrap_or_else(PoisonError::into_inner);
        manners.insert(connection.to_owned(), manner);
    }

    /// Lets go of every held connection.
    pub fn unblock(&self) {
        self.state.released.send_replace(true);
    }

    /// Is out of reach from here on.
    pub fn go_offline(&self) {
        self.server.shut();
    }

    /// Is within reach again.
    pub fn go_online(&self) {
        self.server.reopen();
    }
}

impl State {
    async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        // An unsigned call is a bug that AWS would refuse, and so is one to another stage.
        let prefix = format!("/{STAGE}/@connections/");
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
        let connection = path.strip_prefix(&prefix).filter(|_| request.headers().contains_key(AUTHORIZATION));
        let Some(connection) = connection else {
            return refusal(StatusCode::FORBIDDEN, "ForbiddenException");
        };
        self.journal.note(Call {
            operation: request.method().to_string(),
            target: connection.to_owned(),
            body: serde_json::from_slice(request.body())
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(request.body()).into_owned())),
        });
        match self.manner(connection) {
            Some(Behaviour::Gone) => refusal(StatusCode::GONE, "GoneException"),
            Some(Behaviour::GoneWithoutCode) => with_status(StatusCode::GONE, Body::empty()),
            Some(Behaviour::Throttled) => refusal(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
            Some(Behaviour::InternalError) => with_status(StatusCode::INTERNAL_SERVER_ERROR, Body::empty()),
            Some(Behaviour::Forbidden) => refusal(StatusCode::FORBIDDEN, "ForbiddenException"),
            Some(Behaviour::Blocked) => {
                // The desk outlives its requests, so the sender is there.
                drop(self.released.subscribe().wait_for(|released| *released).await);
                done(request.method())
            }
            None => done(request.method()),
        }
    }

    fn manner(&self, connection: &str) -> Option<Behaviour> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner).get(connection).copied()
    }
}

fn done(method: &Method) -> Response<Body> {
    let status = if method == Method::DELETE { StatusCode::NO_CONTENT } else { StatusCode::OK };
    with_status(status, Body::empty())
}

/// An error as API Gateway writes it: its code in a header, its message in the body.
fn refusal(status: StatusCode, code: &'static str) -> Response<Body> {
    let mut response = with_status(status, Body::from(json!({"message": "as told"}).to_string()));
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
