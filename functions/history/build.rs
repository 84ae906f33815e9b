//! Bundles and compresses the dashboard, so that no instance of the function does it at its start.
//! The address of the WebSocket API is not known yet: the text before it and the text after it are compressed apart, and
//! `src/page/gzip.rs` joins them.

#![allow(clippy::print_stdout, reason = "cargo reads a build script's output")]
#![allow(clippy::disallowed_methods, reason = "cargo gives a build script its folder in the environment")]

#[path = "src/page/bundle.rs"]
mod bundle;
#[path = "src/page/document.rs"]
mod document;

use std::error::Error;
use std::io::Write;
use std::path::Path;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use document::Document;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/page");
    println!("cargo::rerun-if-changed=../../infra/dashboard");
    println!("cargo::rerun-if-changed=../shared/domain/src/series/library_series.json");
    let Document { before, after, style, scripts } = document::document();
    let hashes = scripts.iter().map(|script| document::source_hash(script));
    let constants = [
        format!("const BEFORE: Part = {};", part("before", &before, false)?),
        format!("const AFTER: Part = {};", part("after", &after, true)?),
        format!("const CONTENT_HASH: &str = {:?};", document::source_hash(&(before + &after))),
        format!("const STYLE_HASH: &str = {:?};", document::source_hash(&style)),
        format!("const SCRIPT_HASHES: &str = {:?};", hashes.collect::<Vec<_>>().join(" ")),
    ];
    std::fs::write(out("page_parts.rs")?, constants.join("\n"))?;
    Ok(())
}

/// Writes `text` compressed, and returns the expression of its `Part`. The last part ends the stream.
fn part(name: &str, text: &str, is_last: bool) -> Result<String, Box<dyn Error>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    let deflated = if is_last {
        encoder.finish()?
    } else {
        // Ends with a whole byte, after which another block may follow.
        encoder.flush()?;
        encoder.get_ref().clone()
    };
    let path = out(&format!("{name}.deflate"))?;
    std::fs::write(&path, deflated)?;
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    let (crc, bytes) = (crc.sum(), text.len());
    Ok(format!("Part {{ deflated: include_bytes!({path:?}), crc: {crc}, bytes: {bytes} }}"))
}

#[expect(clippy::disallowed_methods, reason = "cargo passes a build script its folder in this variable")]
fn out(name: &str) -> Result<String, Box<dyn Error>> {
    let path = Path::new(&std::env::var("OUT_DIR")?).join(name);
    Ok(path.to_str().ok_or("OUT_DIR is not UTF-8")?.to_owned())
}
