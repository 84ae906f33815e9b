//! What the load generator, the function measurements and the micro-benchmarks share.

mod documents;
mod reports;

pub use documents::Documents;
pub use reports::{APP, report_item, reports, rollup, stream_event};
