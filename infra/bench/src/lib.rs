//! What the load generator, the function measurements and the micro-benchmarks share.

mod documents;

pub use documents::Documents;
