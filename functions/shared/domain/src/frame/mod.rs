//! Frames in and out: the JSON messages of docs/PROTOCOL.md.
//!
//! `envelope` reads what every frame has, `fields` its parts, `publish` reports, which `draft` settles by their sender,
//! `control` everything else and `legacy` the library's other types; `outbound` writes, `replay` packs recent reports
//! into frames, `logs` log entries, `command` is what a dashboard tells its publishers. Nothing here decides what a
//! frame leads to.

pub mod command;
pub mod control;
pub mod draft;
pub mod envelope;
mod fields;
pub mod legacy;
pub mod logs;
pub mod outbound;
pub mod publish;
pub mod replay;
