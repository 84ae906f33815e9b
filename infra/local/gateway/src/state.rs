//! The directory of one gateway: data, ready file, log. A lock file keeps a second gateway out.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::ids;

/// The files of the directory that users and scripts read.
pub(crate) const READY_FILE: &str = "ready.json";
pub(crate) const LOG_FILE: &str = "functions.log";
/// The directory has the demo app's key and stored metrics in it.
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

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
        let path = path.canonicalize()?;
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

/// Writes a file that only its owner may read. It is renamed into place, so it is never incomplete.
pub(crate) fn write_private_file(path: &Path, content: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(OWNER_ONLY_FILE);
        let mut file = options.open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
