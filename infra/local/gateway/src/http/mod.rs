//! The HTTP API: routes, authorizers and their cache, CORS, and events of payload format 2.0.

mod api;
mod authorize;
mod cache;
mod cors;
mod events;
mod listen;
mod response;
mod routes;

pub(crate) use api::HttpApi;
pub(crate) use listen::router;
