//! Handshakes: the authorizer, then the `$connect` route, then the upgrade. Any path is accepted.
//!
//! The upgrade waits for both functions. A client that leaves meanwhile counts as a broken connection, so that
//! `$disconnect` runs for every `$connect` that succeeded.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::api::WebSocketApi;
use super::authorize::read_result;
use super::close::Disconnect;
use super::events::{ConnectionContext, Handshake, error_body};
use super::message::{self, ProxyResult};
use super::socket;
use crate::{clock, ids};

pub(crate) fn router(api: Arc<WebSocketApi>) -> Router {
    Router::new().fallback(upgrade).with_state(api)
}

async fn upgrade(
    State(api): State<Arc<WebSocketApi>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let Ok(accepted) = create_response_with_body(&request, Body::empty) else {
        let error = (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "Upgrade Required");
        return error.into_response();
    };
    let (mut parts, _) = request.into_parts();
    let Some(upgraded) = parts.extensions.remove::<OnUpgrade>() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let (context, handshake) = read_handshake(&parts, peer);
    let (reply, response) = oneshot::channel();
    // In its own task, because the server drops this handler when the client disconnects.
    let tasks = api.tasks.clone();
    tasks.spawn(accept_or_reject(api, context, handshake, accepted, upgraded, reply));
    response.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn accept_or_reject(
    api: Arc<WebSocketApi>,
    mut context: ConnectionContext,
    handshake: Handshake,
    mut accepted: Response,
    upgraded: OnUpgrade,
    reply: oneshot::Sender<Response>,
) {
    match connect(&api, &mut context, &handshake).await {
        Ok(subprotocol) => {
            if let Some(subprotocol) = subprotocol {
                accepted.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
            }
            if reply.send(accepted).is_ok()
                && let Ok(upgraded) = upgraded.await
            {
                socket::run(api, context, upgraded).await;
            } else {
                message::disconnected(&api, &context, &Disconnect::Broken).await;
            }
        }
        // The client may have left already.
        Err(response) => drop(reply.send(response)),
    }
}

/// Invokes the authorizer and the `$connect` route. Returns the subprotocol that the function chose.
async fn connect(
    api: &WebSocketApi,
    context: &mut ConnectionContext,
    handshake: &Handshake,
) -> Result<Option<HeaderValue>, Response> {
    if let Some(authorizer) = &api.plan.authorizer {
        let event = api.events.authorizer_event(context, handshake);
        let result = api.invoker.invoke(authorizer, &event, message::MAX_TIMEOUT).await;
        let authorized = read_result(result, &api.events.connect_arn())
            .map_err(|(status, message)| rejected(status, message, context, &event))?;
        context.authorizer = Some(authorized);
    }
    let Some(route) = api.plan.routes.get("$connect") else { return Ok(None) };
    let event = api.events.connect_event(context, handshake);
    let result = api.invoker.invoke(&route.function, &event, route.timeout).await;
    let Some(result) = result.ok().and_then(|result| ProxyResult::read(&result)) else {
        return Err(rejected(StatusCode::BAD_GATEWAY, "Internal server error", context, &event));
    };
    if !result.status.is_success() {
        return Err(result.status.into_response());
    }
    Ok(result.header("sec-websocket-protocol"))
}

fn rejected(status: StatusCode, message: &str, context: &ConnectionContext, event: &Json) -> Response {
    let body = error_body(message, context, Some(event));
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn read_handshake(parts: &Parts, peer: SocketAddr) -> (ConnectionContext, Handshake) {
    let owned = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let text = |name: HeaderName| parts.headers.get(name).map(owned);
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &parts.headers {
        // API Gateway terminates the connection and does not forward these.
        if *name == header::CONNECTION || *name == header::UPGRADE {
            continue;
        }
        headers.push((header_name(name.as_str()), owned(value)));
    }
    let source_ip = peer.ip().to_canonical().to_string();
    let trace = ids::trace_id();
    for (name, value) in [
        ("X-Amzn-Trace-Id", trace.split(';').next().unwrap_or_default()),
        ("X-Forwarded-For", &source_ip),
        ("X-Forwarded-Proto", "http"),
    ] {
        headers.push((name.to_owned(), value.to_owned()));
    }
    let context = ConnectionContext {
        connection_id: ids::gateway_id(),
        connected_at_ms: clock::now_ms(),
        host: text(header::HOST).unwrap_or_default(),
        source_ip,
        user_agent: text(header::USER_AGENT),
        authorizer: None,
    };
    (context, Handshake { headers, query: parts.uri.query().map(str::to_owned) })
}

/// A header's name as clients usually write it, because hyper keeps lower case only. Names with `x-` are mostly sent
/// in lower case and stay.
fn header_name(lower: &str) -> String {
    if lower.starts_with("x-") {
        return lower.to_owned();
    }
    let words = lower.split('-').map(|word| match word {
        "websocket" => "WebSocket".to_owned(),
        word => {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_capitalised_as_clients_do() {
        assert_eq!(header_name("sec-websocket-protocol"), "Sec-WebSocket-Protocol");
        assert_eq!(header_name("user-agent"), "User-Agent");
        assert_eq!(header_name("x-api-key"), "x-api-key");
    }
}
