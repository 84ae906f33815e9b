//! Client of the metrics service, shared by the command line (`nsl`) and the benchmarks: WebSocket and HTTP
//! connections, the frames of docs/PROTOCOL.md, the local gateway's ready file, terminal output and the wall clock.

pub mod backoff;
pub mod clock;
pub mod console;
pub mod credential;
pub mod frame;
pub mod http;
pub mod progress;
pub mod ready_file;
pub mod settings;
pub mod socket;
