//! Files that hold one API key: its text and nothing else, readable by their owner alone.

use anyhow::{Context as _, bail};
use nsl_auth::api_key;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Reads the key that the file at `path` holds.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read key file {}", path.display()))?;
    let key = text.trim();
    if !api_key::is_well_formed(key) {
        bail!("key file {} holds no API key", path.display());
    }
    Ok(key.to_owned())
}

/// Reads the key that the file at `path` holds; makes the file with a fresh key where there is none.
/// Of two commands that make it at once, one makes it and the other reads it.
pub(crate) fn read_or_make(path: &Path) -> anyhow::Result<String> {
    let key = api_key::generate()?;
    match write_new(path, &key) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error).with_context(|| format!("cannot make key file {}", path.display())),
    }
}

/// Makes the file at `path` with a fresh key; one that is there is left alone.
pub(crate) fn make(path: &Path) -> anyhow::Result<String> {
    let key = api_key::generate()?;
    write_new(path, &key).with_context(|| format!("cannot make key file {}", path.display()))?;
    Ok(key)
}

/// Writes a whole file beside `path` and links it there, so that nobody ever reads half a key.
fn write_new(path: &Path, key: &str) -> std::io::Result<()> {
    if path.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let written = write_private(&draft, key).and_then(|()| std::fs::hard_link(&draft, path));
    // A draft that stays behind harms nobody but is a key: its removal is tried whatever happened.
    let removed = std::fs::remove_file(&draft);
    written.and(removed)
}

fn write_private(path: &Path, key: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("nsl-key-file-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn file_is_made_once_and_read_ever_after() {
        let folder = scratch("made");
        let path = folder.join("deep/demo.key");
        let key = read_or_make(&path).unwrap();
        assert!(api_key::is_well_formed(&key));
        assert_eq!(read_or_make(&path).unwrap(), key);
        assert_eq!(read(&path).unwrap(), key);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a draft stayed behind");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = scratch("private");
        let path = folder.join("demo.key");
        read_or_make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn file_with_anything_else_is_refused_and_kept() {
        let folder = scratch("else");
        let path = folder.join("notes.txt");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, "dear diary").unwrap();
        assert!(read_or_make(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
