//! Handshakes: the authorizer, then the `$connect` route, then the upgrade. Any path is accepted.
//!
//! The upgrade waits for both functions. A client that leaves meanwhile is treated as a connection that broke, so
//! that `$disconnect` runs for every `$connect` that succeeded.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::authorize::{Refusal, judge};
use super::events::{Handshake, Session, header_name};
use super::{Gate, connection, message};
use crate::{clock, ids};

/// The WebSocket API as a service.
pub(crate) fn router(gate: Arc<Gate>) -> Router {
    Router::new().fallback(upgrade).with_state(gate)
}

async fn upgrade(
    State(gate): State<Arc<Gate>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let Some(accept) = accept_key(&parts) else {
        let refusal = (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "Upgrade Required");
        return refusal.into_response();
    };
    let Some(upgraded) = parts.extensions.remove::<OnUpgrade>() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let handshake = handshake(&parts, peer);
    let (answer, answered) = oneshot::channel();
    // A task of its own: the server drops this handler with the client's connection.
    let tasks = gate.tasks.clone();
    tasks.spawn(admit(gate, handshake, accept, upgraded, answer));
    answered.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn admit(
    gate: Arc<Gate>,
    handshake: Handshake,
    accept: String,
    upgraded: OnUpgrade,
    answer: oneshot::Sender<Response>,
) {
    let mut session = Session {
        connection_id: ids::gateway_id(),
        connected_at_ms: clock::now_ms(),
        host: handshake.host.clone(),
        source_ip: handshake.source_ip.clone(),
        user_agent: handshake.user_agent.clone(),
        authorizer: None,
    };
    match connect(&gate, &mut session, &handshake).await {
        Ok(subprotocol) => {
            let response = switching_protocols(&accept, subprotocol);
            if answer.send(response).is_ok()
                && let Ok(upgraded) = upgraded.await
            {
                connection::run(gate, session, upgraded).await;
            } else {
                message::disconnected(&gate, &session, &super::close::End::Broken).await;
            }
        }
        // The client may have left; then nobody is told.
        Err(refusal) => drop(answer.send(refusal)),
    }
}

/// Asks the authorizer and the `$connect` route. Returns the subprotocol that the function chose.
async fn connect(
    gate: &Gate,
    session: &mut Session,
    handshake: &Handshake,
) -> Result<Option<HeaderValue>, Response> {
    if let Some(authorizer) = &gate.plan.authorizer {
        let event = gate.api.authorizer_event(session, handshake);
        let patience = message::MAX_PATIENCE;
        let result = gate.invoker.invoke(authorizer, &event.body, patience).await;
        let context = judge(result, &gate.api.connect_arn())
            .map_err(|refusal| refused(&refusal, session, &event.request_id))?;
        session.authorizer = Some(context);
    }
    let Some(route) = gate.plan.routes.get("$connect") else { return Ok(None) };
    let event = gate.api.connect_event(session, handshake);
    let result = gate.invoker.invoke(&route.function, &event.body, route.timeout).await;
    let bad_gateway = Refusal { status: StatusCode::BAD_GATEWAY, message: "Internal server error" };
    let result = result.map_err(|_| refused(&bad_gateway, session, &event.request_id))?;
    let Some(proxied) = message::Proxied::read(&result) else {
        return Err(refused(&bad_gateway, session, &event.request_id));
    };
    if !proxied.status.is_success() {
        return Err(proxied.status.into_response());
    }
    Ok(proxied.header("sec-websocket-protocol"))
}

fn refused(refusal: &Refusal, session: &Session, request_id: &str) -> Response {
    let body = error_body(refusal.message, session, request_id);
    (refusal.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The document with which API Gateway tells of its own errors, in a frame or in a refused handshake.
pub(crate) fn error_body(message: &str, session: &Session, request_id: &str) -> Json {
    json!({ "message": message, "connectionId": session.connection_id, "requestId": request_id })
}

fn switching_protocols(accept: &str, subprotocol: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(accept.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// The key that accepts the handshake, if the request is one.
fn accept_key(parts: &Parts) -> Option<String> {
    let holds = |name: header::HeaderName, wanted: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = parts.method == Method::GET
        && holds(header::CONNECTION, "upgrade")
        && holds(header::UPGRADE, "websocket")
        && holds(header::SEC_WEBSOCKET_VERSION, "13");
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY)?;
    asks.then(|| derive_accept_key(key.as_bytes()))
}

fn handshake(parts: &Parts, peer: SocketAddr) -> Handshake {
    let text = |headers: &HeaderMap, name: header::HeaderName| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &parts.headers {
        // API Gateway ends the connection itself and passes these on to nobody.
        if *name == header::CONNECTION || *name == header::UPGRADE {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.push((header_name(name.as_str()), value));
    }
    let source_ip = peer.ip().to_canonical().to_string();
    let forwarded = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    headers.push(forwarded("X-Amzn-Trace-Id", ids::trace_id().split(';').next().unwrap_or_default()));
    headers.push(forwarded("X-Forwarded-For", &source_ip));
    headers.push(forwarded("X-Forwarded-Proto", "http"));
    Handshake {
        headers,
        query: parts.uri.query().map(str::to_owned),
        host: text(&parts.headers, header::HOST).unwrap_or_default(),
        source_ip,
        user_agent: text(&parts.headers, header::USER_AGENT),
    }
}
