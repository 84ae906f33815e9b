//! The parts of `nsl smoke`: its checks, how their outcomes are shown, and the temporary app that they use.

pub(crate) mod check;
pub(crate) mod connection_checks;
pub(crate) mod http_checks;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod temporary_app;
