//! Lambda on one machine: the Runtime API, processes, their pools, and the seam through which all are invoked.

mod environment;
mod fleet;
mod invoke;
mod output;
mod pool;
mod process;
mod remote;
mod runtime_api;

pub(crate) use environment::{ACCESS_KEY_ID, for_tool, of_function};
pub(crate) use invoke::{InvokeError, Invoker, UNAUTHORIZED};
pub(crate) use output::{Output, Stderr};
