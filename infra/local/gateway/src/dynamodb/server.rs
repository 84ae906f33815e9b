//! The HTTP API of the embedded DynamoDB, for requests that are signed with the gateway's access key.
//!
//! The engine's own server grants every web page the right to call it, and it takes a listener, not a router, so that
//! nothing can check its requests.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dynoxide::Database;
use serde_json::json;

use super::client::{Api, CONTENT_TYPE, TARGET};
use super::operations;
use crate::access_key::AccessKey;
use crate::ids;

/// DynamoDB's limit of a request.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone)]
struct ApiState {
    database: Database,
    access_key: AccessKey,
}

pub(crate) fn router(database: Database, access_key: AccessKey) -> Router {
    let limit = DefaultBodyLimit::max(MAX_BODY_BYTES);
    Router::new().fallback(handle).layer(limit).with_state(ApiState { database, access_key })
}

async fn handle(State(state): State<ApiState>, headers: HeaderMap, body: Bytes) -> Response {
    if !state.access_key.has_signed(&headers) {
        return error(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
    }
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let apis = [Api::Tables, Api::Streams];
    let operation = apis.iter().find_map(|api| target.strip_prefix(api.prefix())?.strip_prefix('.'));
    match operation.and_then(|operation| operations::run(&state.database, operation, &body)) {
        Some(Ok(body)) => respond(StatusCode::OK, body),
        Some(Err(error)) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            respond(status, error.to_json())
        }
        None => error("UnknownOperationException", "there is no such operation"),
    }
}

fn error(code: &str, message: &str) -> Response {
    let body = json!({ "__type": format!("com.amazon.coral.service#{code}"), "message": message });
    respond(StatusCode::BAD_REQUEST, body.to_string())
}

fn respond(status: StatusCode, body: String) -> Response {
    let headers =
        [(header::CONTENT_TYPE.as_str(), CONTENT_TYPE.to_owned()), ("x-amzn-requestid", ids::uuid())];
    (status, headers, body).into_response()
}
