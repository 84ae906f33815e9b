//! The WebSocket API: handshakes, connections, route selection and events, as in API Gateway.

mod api;
mod authorize;
mod close;
mod connection;
mod events;
mod handshake;
mod message;
mod select;
mod socket;

pub(crate) use api::WebSocketApi;
pub(crate) use close::{Disconnect, MAX_MESSAGE_BYTES};
pub(crate) use connection::{Connection, Registry};
pub(crate) use handshake::router;
