//! Frames in and out: the JSON messages of docs/PROTOCOL.md.
//!
//! `envelope` reads what every frame has, `fields` its parts, `publish` reports, which `draft` settles by their sender,
//! `control` everything else; `outbound` writes, `replay` packs recent reports into frames. Nothing here decides what a frame leads to.

pub mod control;
pub mod draft;
pub mod envelope;
mod fields;
pub mod outbound;
pub mod publish;
pub mod replay;
