//! Files that only their owner may read: the data folder has keys, secrets and stored metrics in it.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};

use crate::ids;

const OWNER_ONLY_FILE: u32 = 0o600;
/// Access of the group and of others.
const OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// Only its owner may remove or rename a file in such a folder.
const STICKY: u32 = 0o1000;

/// Makes every file that this process and its children create private, those of SQLite too, in whatever folder.
pub fn keep_files_private() {
    umask(Mode::from_raw_mode(OTHERS));
}

/// Checks that no other user can replace the files of the folder at `path`, which is resolved, and makes those named by
/// `names` private: they may be of a version that did not. A name that ends with `-` is the start of several.
pub(crate) fn claim(path: &Path, names: &[&str]) -> anyhow::Result<()> {
    let folder = fs::metadata(path)?;
    let is_open = folder.mode() & WRITABLE_BY_OTHERS != 0 && folder.mode() & STICKY == 0;
    if !is_trusted(folder.uid()) || is_open {
        bail!(
            "other users can replace files in {}: choose another directory with --data DIR, or make it yours \
             (chown, chmod o-w)",
            path.display()
        );
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if names.iter().any(|name| is_named(&entry.file_name(), name)) {
            claim_file(&entry).with_context(|| format!("cannot use {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn claim_file(entry: &DirEntry) -> anyhow::Result<()> {
    let file = entry.metadata()?;
    if file.uid() != geteuid().as_raw() {
        bail!("it belongs to another user");
    }
    if file.is_file() && file.mode() & OTHERS != 0 {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(OWNER_ONLY_FILE))?;
    }
    Ok(())
}

/// Whether this user owns the folder, or root, who can do anything anyway.
fn is_trusted(owner: u32) -> bool {
    owner == geteuid().as_raw() || owner == 0
}

fn is_named(file: &OsStr, name: &str) -> bool {
    file == name || name.ends_with('-') && file.as_encoded_bytes().starts_with(name.as_bytes())
}

/// Writes a file that only its owner may read. It is renamed into place, so it is never incomplete.
pub(crate) fn write_private_file(path: &Path, content: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", ids::uuid()));
        // A new file: one that another user has put there keeps its owner.
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(OWNER_ONLY_FILE);
        let mut file = options.open(&temporary)?;
        let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
        let renamed = written.and_then(|()| fs::rename(&temporary, path));
        if renamed.is_err() {
            drop(fs::remove_file(&temporary));
        }
        renamed
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn older_files_are_made_private_and_others_stay() {
        let state = StateDir::open(None).unwrap();
        let folder = state.file(".");
        for name in ["secret-TokenSecret", "dynamodb.sqlite-wal", "notes.txt"] {
            fs::write(state.file(name), "x").unwrap();
            set_mode(&state.file(name), 0o664);
        }
        claim(&folder, &["secret-", "dynamodb.sqlite-", "notes"]).unwrap();
        assert_eq!(mode(&state.file("secret-TokenSecret")), 0o600);
        assert_eq!(mode(&state.file("dynamodb.sqlite-wal")), 0o600);
        assert_eq!(mode(&state.file("notes.txt")), 0o664);
    }

    #[test]
    fn folder_that_others_can_write_is_refused_unless_sticky() {
        let state = StateDir::open(None).unwrap();
        let folder = state.file(".");
        set_mode(&folder, 0o777);
        assert!(claim(&folder, &[]).unwrap_err().to_string().contains("--data DIR"));
        set_mode(&folder, 0o1777);
        claim(&folder, &[]).unwrap();
        set_mode(&folder, 0o755);
        claim(&folder, &[]).unwrap();
    }

    #[test]
    fn folder_and_file_of_another_user_are_refused() {
        // Only root can give files away.
        if !geteuid().is_root() {
            return;
        }
        let state = StateDir::open(None).unwrap();
        fs::write(state.file("secret-x"), "x").unwrap();
        std::os::unix::fs::chown(state.file("secret-x"), Some(4321), None).unwrap();
        assert!(claim(&state.file("."), &["secret-"]).is_err());
        fs::create_dir(state.file("theirs")).unwrap();
        std::os::unix::fs::chown(state.file("theirs"), Some(4321), None).unwrap();
        assert!(claim(&state.file("theirs"), &[]).is_err());
    }

    #[test]
    fn private_file_replaces_one_with_another_mode() {
        let state = StateDir::open(None).unwrap();
        let path = state.file("ready.json");
        fs::write(&path, "old").unwrap();
        set_mode(&path, 0o666);
        write_private_file(&path, "new").unwrap();
        assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "new"));
        assert!(write_private_file(&path.join("below-a-file"), "x").is_err());
    }
}
