//! The WebSocket API: handshakes, connections, route selection and events, as in API Gateway.

mod api;
mod authorize;
mod close;
mod connection;
mod events;
mod handshake;
mod message;
mod registry;
mod select;
mod socket;

pub(crate) use api::WebSocketApi;
pub(crate) use close::{CloseReason, MAX_MESSAGE_BYTES};
pub(crate) use connection::Connection;
pub(crate) use handshake::router;
pub(crate) use registry::Registry;
