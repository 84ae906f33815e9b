//! What docs/PROTOCOL.md promises, each promise as one test.
//! The gateway runs the binaries that AWS would run; the tests reach it only over WebSocket and HTTP.

mod authentication;
mod call_limit;
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
mod origin_secret;
mod outages;
mod overview;
mod publishing;
mod relay;
mod rollups;
mod secrets;
mod smoke;
mod startup;
mod subscriptions;
