//! The directory of one gateway: data, ready file, log. One gateway at a time.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::ids;

/// Everything for the owner, nothing for anybody else.
const OWNER_ONLY: u32 = 0o700;

/// A directory that this gateway has to itself.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    temporary: bool,
    /// Locked while the gateway runs.
    _lock: File,
}

impl StateDir {
    /// Takes `data`, or makes a directory that ends with the gateway.
    pub(crate) fn open(data: Option<&Path>) -> anyhow::Result<Self> {
        let path = match data {
            Some(path) => path.to_path_buf(),
            None => std::env::temp_dir().join(format!("nsl-gateway-{}", ids::invocation_id())),
        };
        let mut builder = fs::DirBuilder::new();
        // It holds the demo app's key and everybody's metrics.
        builder.recursive(true).mode(OWNER_ONLY);
        builder.create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock =
            File::create(path.join("lock")).with_context(|| format!("cannot write to {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another gateway uses {}: choose another directory with --data DIR", path.display())
            }
            Err(TryLockError::Error(fault)) => {
                return Err(fault).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        Ok(Self { path, temporary: data.is_none(), _lock: lock })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is the system's temporary directory's to clean.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}
