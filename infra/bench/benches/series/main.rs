//! Measures history: `nice cargo bench --workspace --bench series` prints the tables of infra/bench/RESULTS.md.
//!
//! Three sources report once per second for seven days. The rollup function's code computes the rollups of these 1.8
//! million reports, which are stored in an embedded engine that counts units. Only the raw reports of the last minutes
//! are stored, because a query reads no others. Queries run through the whole history function, from event to response,
//! and batches through the whole rollup function.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed measurement ends the program; tables are printed"
)]

mod accuracy;
mod answers;
mod service;
mod table;
mod week;
mod writes;

/// Days of reports.
const DAYS: i64 = 7;

#[tokio::main]
async fn main() {
    let days = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(DAYS);
    let week = week::Week::generate(days);
    week.print();
    accuracy::print(&week);
    answers::print_ranges(&week).await;
    answers::print_sources(&week).await;
    writes::print().await;
}
