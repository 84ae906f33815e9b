//! `nsl-scale`: what many reporting processes need of an AWS account, on paper, and which limit they meet first.
//!
//! Takes the calls of docs/DATA_MODEL.md (`calls.rs`), AWS's prices and limits (`prices.rs`, `limits.rs`) and a
//! workload (`args.rs`), and prints a table in Markdown. Measures nothing, calls nobody.

mod args;
mod calls;
mod limits;
mod model;
mod prices;
mod stream;
mod table;

use std::io::Write as _;

use clap::Parser as _;

fn main() -> std::io::Result<()> {
    let args = args::Args::parse();
    write!(std::io::stdout().lock(), "{}", table::render(&args.workloads()))
}
