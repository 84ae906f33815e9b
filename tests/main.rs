//! The service as a client sees it, over WebSocket and HTTP, and the rules of the repository itself.
//! It imports no crate of the project: what passes here passes for any client that can read docs/PROTOCOL.md.

mod compat;
mod repo_rules;
mod system;
