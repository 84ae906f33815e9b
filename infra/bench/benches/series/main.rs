//! Measures history: `nice cargo bench --workspace --bench series` prints the tables of infra/bench/RESULTS.md.
//!
//! Three sources report once a second for seven days. Their 1.8 million reports are folded by the code that the rollup
//! function runs, and the rollups stored in a real engine; of raw reports only those of the last minutes are, which is
//! all that an answer reads. The history function itself answers, from its event to its text. The engine counts units.
//! What the rollup function writes is measured with the function itself, batch by batch.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends, and its table goes to the terminal"
)]

#[path = "../../../../functions/shared/domain/tests/rollup/hosts.rs"]
#[expect(dead_code, reason = "the tests of sizes need more of it")]
mod hosts;

#[path = "../../../../functions/shared/domain/tests/rollup/shapes.rs"]
mod shapes;

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
    let week = week::Week::made(days);
    week.tell();
    accuracy::tell(&week);
    answers::tell_ranges(&week).await;
    answers::tell_sources(&week).await;
    writes::tell().await;
}
