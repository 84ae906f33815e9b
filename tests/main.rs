//! The system as a stranger meets it, over WebSocket and HTTP, and the rules of the repository itself.
//! It imports no crate of the project: what passes here passes for any client that can read docs/PROTOCOL.md.

mod harness;
mod models;
mod system;
mod tidy;
