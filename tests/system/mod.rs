//! What a stranger who has read docs/PROTOCOL.md may rely on, each as one test whose name is the promise.
//! The gateway runs the very binaries that AWS would run; the tests reach it over WebSocket and HTTP alone.

mod admission;
mod credentials;
mod crowd;
mod dashboard;
mod delivery;
mod doubles;
mod dropin;
mod faults;
mod garbage;
mod handshake;
pub(crate) mod harness;
mod history;
mod legacy;
mod library;
mod limits;
mod overview;
mod publishing;
mod rollups;
mod running;
mod secrecy;
mod watching;
