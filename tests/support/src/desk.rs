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
use crate::door::Door;
use crate::journal::Journal;

/// The stage of the API: the first segment of every path.
const STAGE: &str = "live";

/// How calls about a connection are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// There is no such connection any more: 410.
    Gone,
    /// The same without the error's code, as some proxies leave it.
    GoneWithoutCode,
    /// Too many calls: 429.
    Throttled,
    /// A fault of API Gateway's own: 500.
    Broken,
    /// No permission: 403.
    Forbidden,
    /// Nothing until [`Desk::release`].
    Held,
}

/// The desk; a connection that it was told nothing of takes every frame.
#[derive(Debug)]
pub struct Desk {
    door: Door,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    journal: Journal,
    manners: Mutex<HashMap<String, Manner>>,
    released: watch::Sender<bool>,
}

impl Desk {
    pub(crate) async fn open(journal: Journal) -> Self {
        let state =
            Arc::new(State { journal, manners: Mutex::default(), released: watch::Sender::new(false) });
        let shared = Arc::clone(&state);
        let door = Door::open(move |request| {
            let state = Arc::clone(&shared);
            async move { Some(state.answer(request).await) }
        });
        Self { door: door.await, state }
    }

    /// Where functions reach it: the address of the API's stage.
    pub fn url(&self) -> String {
        format!("http://{}/{STAGE}", self.door.address)
    }

    /// Answers calls about `connection` in this manner from here on.
    pub fn treat(&self, connection: &str, manner: Manner) {
        let mut manners = self.state.manners.lock().unwrap_or_else(PoisonError::into_inner);
        manners.insert(connection.to_owned(), manner);
    }

    /// Lets go of every held connection.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    /// Is out of reach from here on.
    pub fn shut(&self) {
        self.door.shut();
    }

    /// Is within reach again.
    pub fn reopen(&self) {
        self.door.reopen();
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
            Some(Manner::Gone) => refusal(StatusCode::GONE, "GoneException"),
            Some(Manner::GoneWithoutCode) => with_status(StatusCode::GONE, Body::empty()),
            Some(Manner::Throttled) => refusal(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
            Some(Manner::Broken) => with_status(StatusCode::INTERNAL_SERVER_ERROR, Body::empty()),
            Some(Manner::Forbidden) => refusal(StatusCode::FORBIDDEN, "ForbiddenException"),
            Some(Manner::Held) => {
                // The desk outlives its requests, so the sender is there.
                drop(self.released.subscribe().wait_for(|released| *released).await);
                done(request.method())
            }
            None => done(request.method()),
        }
    }

    fn manner(&self, connection: &str) -> Option<Manner> {
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
