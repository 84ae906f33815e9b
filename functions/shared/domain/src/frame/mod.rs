//! Frames of the WebSocket: the JSON messages of docs/PROTOCOL.md, read and rendered.
//! The types of the library and its dashboard are in [`crate::legacy`].

pub mod control;
pub mod draft;
pub mod envelope;
pub mod fields;
pub mod outbound;
pub mod packing;
pub mod publish;
pub mod replay;
#[cfg(test)]
mod tests;
