//! What the system tests share: a running gateway, applications, WebSocket clients and recorded frames.
//! The harness relies only on docs/PROTOCOL.md, not on the implementation.

mod app;
mod background_traffic;
mod cli;
mod client;
mod clock;
mod dynamodb_calls;
mod gateway;
mod partition;
mod proxy;
mod recording;
mod settings;

pub(crate) use app::App;
pub(crate) use background_traffic::BackgroundTraffic;
pub(crate) use cli::{nsl, nsl_command};
pub(crate) use client::{
    Client, app_viewer_and_publisher, auth_frame, legacy_frame, metrics_frame, report, shared_app,
    shared_legacy_app,
};
pub(crate) use clock::{iso, now_ms};
pub(crate) use dynamodb_calls::DynamoDbCalls;
pub(crate) use gateway::{Gateway, counted, scratch_folder};
pub(crate) use partition::PartitionedGateway;
pub(crate) use proxy::Proxy;
pub(crate) use recording::{library_frames, recorded_documents, recorded_other_frames};
pub(crate) use settings::skip;

use std::time::Duration;

/// How long a test waits for anything before it fails: generous, because machines under load are slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An origin that the template allows by default, and another.
pub(crate) const DASHBOARD: &str = "http://localhost:3000";
pub(crate) const FOREIGN_ORIGIN: &str = "http://evil.example";

/// Locked by tests that measure delays and by tests whose load would disturb them.
pub(crate) static QUIET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
