//! The gateway from outside: the real program, a fixture template, one function binary that does as it is told.
//!
//! One integration binary, so that it links once. Every test starts a gateway of its own on free ports.

mod harness;
mod websocket;
