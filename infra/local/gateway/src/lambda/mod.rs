//! Lambda on one machine: function processes, their pools, the Runtime API, and the invoker in front of them.

mod environment;
mod error;
mod invoker;
mod output;
mod pool;
mod process;
mod remote;
mod runtime_api;

pub(crate) use environment::{function_variables, tool_environment};
pub(crate) use error::{InvokeError, UNAUTHORIZED};
pub(crate) use invoker::Invoker;
pub(crate) use output::ChildOutput;
