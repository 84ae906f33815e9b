//! The commands, each as its own process: against an embedded DynamoDB (`gateway`), a WebSocket server that a test
//! controls (`fake_service`), or an HTTP server with fixed responses (`http_server`). `library_import` is a model of the
//! library.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod agent;
mod app_changes;
mod app_config;
mod app_create;
mod errors;
mod fake_aws;
mod fake_service;
mod gateway;
mod history;
mod http_server;
mod key_import;
mod library_import;
mod repair;
mod send;
mod smoke;
mod stack;
mod status;
mod tail;
mod token;
