//! What a outsider who has read docs/PROTOCOL.md may rely on, each as one test whose name is the promise.
//! The gateway runs the very binaries that AWS would run; the tests reach it over WebSocket and HTTP alone.

mod authentication;
mod credentials;
mod dashboard;
mod delivery;
mod doubled_reports;
mod drop_in;
mod fan_out;
mod handshake;
pub(crate) mod harness;
mod history;
mod legacy_auth;
mod legacy_frames;
mod limits;
mod malformed_frames;
mod outages;
mod overview;
mod publishing;
mod rollups;
mod secrets;
mod startup;
mod subscriptions;
