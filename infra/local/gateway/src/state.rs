//! The directory of one gateway: data, ready file, log. A lock file keeps a second gateway out.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{ids, private_files};

/// The files of the directory that users and scripts read.
pub(crate) const DATABASE_FILE: &str = "dynamodb.sqlite";
pub(crate) const READY_FILE: &str = "ready.json";
pub(crate) const LOG_FILE: &str = "functions.log";
pub(crate) const KEY_FILE: &str = "demo-key";
pub(crate) const VIEW_KEY_FILE: &str = "demo-view-key";
/// The directory has the demo app's key and stored metrics in it.
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
/// The names of the gateway's files; one that ends with `-` is the start of several.
const FILES: [&str; 10] = [
    KEY_FILE,
    VIEW_KEY_FILE,
    DATABASE_FILE,
    "dynamodb.sqlite-",
    LOG_FILE,
    "lock",
    "on-failure-",
    READY_FILE,
    "secret-",
    "stream-",
];

/// A directory that is locked by this gateway.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    temporary: bool,
    /// Locked while the gateway runs.
    _lock: File,
}

impl StateDir {
    /// Locks `data`, or creates a temporary directory that is removed when this is dropped.
    pub(crate) fn open(data: Option<&Path>) -> anyhow::Result<Self> {
        let path = match data {
            Some(path) => path.to_path_buf(),
            None => std::env::temp_dir().join(format!("nsl-gateway-{}", ids::uuid())),
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(OWNER_ONLY_DIRECTORY);
        builder.create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        // A symbolic link counts as the folder that it names.
        let path = path.canonicalize()?;
        private_files::claim(&path, &FILES)?;
        let lock =
            File::create(path.join("lock")).with_context(|| format!("cannot write to {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, temporary: data.is_none(), _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "another gateway uses {}: stop it, or choose another directory with --data DIR",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.temporary {
            // On failure the system cleans its temporary directory.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}
