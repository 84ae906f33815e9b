//! The embedded DynamoDB on a loopback port, with its data in a file or in memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dynoxide::Database;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{open, server};
use crate::access_key::AccessKey;
use crate::bind::{BoundListeners, bind};
use crate::guard::AllowedPages;
use crate::options::Options;
use crate::serve::serve;
use crate::state::{DATABASE_FILE, StateDir};

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
    servers: Vec<JoinHandle<()>>,
    sweeper: JoinHandle<()>,
}

impl Engine {
    /// Starts the engine unless the options name another DynamoDB; returns the URL of the one to use.
    pub(crate) async fn start(
        options: &Options,
        state: &StateDir,
        access_key: &AccessKey,
    ) -> anyhow::Result<(Option<Self>, String)> {
        if let Some(url) = &options.dynamodb {
            return Ok((None, url.trim_end_matches('/').to_owned()));
        }
        let bound = bind("--dynamodb-addr", Some(&options.dynamodb_addr), 0, &options.allow_host).await?;
        let file = (!options.memory).then(|| state.file(DATABASE_FILE));
        let engine = Self::serve_bound(bound, file.as_deref(), access_key)?;
        let url = format!("http://{}", engine.address);
        Ok((Some(engine), url))
    }

    /// Serves the data in `file`, or in memory, on `listener`, to callers that sign with `access_key`.
    pub fn serve(listener: TcpListener, file: Option<&Path>, access_key: &str) -> anyhow::Result<Self> {
        Self::serve_bound(BoundListeners::of(listener)?, file, &AccessKey::new(access_key))
    }

    fn serve_bound(
        bound: BoundListeners,
        file: Option<&Path>,
        access_key: &AccessKey,
    ) -> anyhow::Result<Self> {
        let database = open::open(file)?;
        let (address, stop) = (bound.address, CancellationToken::new());
        let router = server::router(database.clone(), access_key.clone());
        let servers = serve(bound, AllowedPages::None, router, &stop);
        let sweeper = tokio::spawn(sweep(database, file.map(Path::to_path_buf)));
        Ok(Self { address, stop, servers, sweeper })
    }

    /// Stops the engine after the open requests.
    pub async fn stop(self) {
        self.sweeper.abort();
        self.stop.cancel();
        // A connection that stays open may be cut off: each write is already committed.
        drop(tokio::time::timeout(STOP_TIMEOUT, join_all(self.servers)).await);
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
