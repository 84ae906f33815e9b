//! The embedded DynamoDB on a loopback port, with its data in a file or in memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::open;
use crate::bind::bind;
use crate::options::Options;
use crate::state::StateDir;

/// The data's file in the state directory.
pub(crate) const DATABASE_FILE: &str = "dynamodb.sqlite";
/// How often expired items are deleted. AWS may take days, so nothing may rely on it.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Old stream records are deleted once in this many sweeps.
const TRIM_EVERY_SWEEPS: u64 = 60;
/// How long open requests may take at shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    pub address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<Result<(), String>>,
    sweeper: JoinHandle<()>,
}

impl Engine {
    /// Starts the engine unless the options name another DynamoDB; returns the URL of the one to use.
    pub(crate) async fn start(options: &Options, state: &StateDir) -> anyhow::Result<(Option<Self>, String)> {
        if let Some(url) = &options.dynamodb {
            return Ok((None, url.trim_end_matches('/').to_owned()));
        }
        let bound = bind("--dynamodb-addr", Some(&options.dynamodb_addr), 0).await?;
        let listener = bound.listeners.into_iter().next().context("no listener for DynamoDB")?;
        let file = (!options.memory).then(|| state.file(DATABASE_FILE));
        let engine = Self::serve(listener, file.as_deref())?;
        let url = format!("http://{}", engine.address);
        Ok((Some(engine), url))
    }

    /// Serves the data in `file`, or in memory, on `listener`.
    pub fn serve(listener: TcpListener, file: Option<&Path>) -> anyhow::Result<Self> {
        let database = open::open(file)?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database.clone(), stopped));
        let sweeper = tokio::spawn(sweep(database, file.map(Path::to_path_buf)));
        Ok(Self { address, stop, server, sweeper })
    }

    /// Stops the engine after the open requests.
    pub async fn stop(self) {
        self.sweeper.abort();
        self.stop.cancel();
        // A connection that stays open may be cut off: each write is already committed.
        drop(tokio::time::timeout(STOP_TIMEOUT, self.server).await);
    }
}

async fn sweep(database: Database, file: Option<PathBuf>) {
    let mut minutes = tokio::time::interval(SWEEP_INTERVAL);
    for minute in 0_u64.. {
        minutes.tick().await;
        let (database, file) = (database.clone(), file.clone());
        // Not trimmed at startup: functions first get the records that they missed. A failed sweep is repeated.
        let trimmed = file.filter(|_| minute > 0 && minute.is_multiple_of(TRIM_EVERY_SWEEPS));
        let sweep = move || (database.sweep_ttl(), trimmed.map(|file| open::trim(&file)));
        drop(tokio::task::spawn_blocking(sweep).await);
    }
}
