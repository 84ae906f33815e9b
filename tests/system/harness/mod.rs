//! What the system tests share: a running gateway, applications, clients that speak the wire, recorded input.
//! Nothing here knows how the service works inside; docs/PROTOCOL.md is all that it relies on.

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
pub(crate) use cli::nsl;
pub(crate) use client::{Client, auth_frame, metrics_frame};
pub(crate) use clock::{iso, now_ms};
pub(crate) use dynamodb_calls::DynamoDbCalls;
pub(crate) use gateway::{Gateway, binary, scratch_folder};
pub(crate) use partition::PartitionedGateway;
pub(crate) use proxy::Proxy;
pub(crate) use recording::{library_frames, library_talk, recorded_documents};

use std::time::Duration;

/// How long a test waits for anything before it fails: generous, for a slow machine must not fail a sound system.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Held by a test that measures delays, and by one whose load would be measured.
pub(crate) static QUIET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
