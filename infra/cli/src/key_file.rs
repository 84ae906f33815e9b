//! Files with an API key: the key and nothing else, readable only by their owner, or a configuration of the library.

use crate::library_config::Identity;
use anyhow::{Context as _, bail, ensure};
use nsl_auth::api_key;
use nsl_domain::frame::control::trimmed;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// A key that this service may not have generated.
pub(crate) struct Imported {
    pub(crate) key: String,
    /// The ids beside it in a configuration of the library; `None` for a file with a key alone.
    pub(crate) identity: Option<Identity>,
}

/// Reads the key in the file at `path`.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read key file {}", path.display()))?;
    parse(&text).map(|parsed| parsed.key).with_context(|| format!("key file {}", path.display()))
}

/// Reads the key in the file at `path` as one that an app is to accept; `None` if there is no such file. A key that
/// could be guessed is an error.
pub(crate) fn import(path: &Path) -> anyhow::Result<Option<Imported>> {
    let attempt = || format!("key file {}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A new key file has another name, so this is a configuration whose name was mistyped.
            ensure!(path.extension().is_none_or(|end| end != "json"), "there is no file {}", path.display());
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", attempt())),
    };
    let parsed = parse(&text).with_context(attempt)?;
    ensure!(
        !api_key::is_guessable(&parsed.key),
        "{}: the digits of its key repeat, so that it could be guessed: use a new key",
        attempt()
    );
    Ok(Some(parsed))
}

fn parse(text: &str) -> anyhow::Result<Imported> {
    let text = trimmed(text);
    let (key, identity) = if text.starts_with('{') {
        let (key, identity) = Identity::parse(text)?;
        (key, Some(identity))
    } else {
        (text.to_owned(), None)
    };
    if key.is_empty() {
        bail!("it does not contain an API key");
    }
    ensure!(
        api_key::is_well_formed(&key),
        "it does not contain an API key, which is nehonix@, 64 of the digits 0-9 a-f, .nsl; the service accepts no \
         other form, because a shorter one could be guessed: use a new key"
    );
    Ok(Imported { key, identity })
}

/// Reads the key in the file at `path`, or creates the file with a new key. If two processes create it at once, one
/// creates it and the other reads it.
pub(crate) fn read_or_create(path: &Path) -> anyhow::Result<String> {
    let key = api_key::generate()?;
    match write_new(path, &key) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error).with_context(|| format!("cannot create key file {}", path.display())),
    }
}

/// Creates the file at `path` with a new key; an existing file is an error.
pub(crate) fn create(path: &Path) -> anyhow::Result<String> {
    let key = api_key::generate()?;
    match write_new(path, &key) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("cannot create key file {}: it exists; to add the key in it, give --import", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot create key file {}", path.display())),
    }
}

/// Writes a draft beside `path` and links it there, so that no process reads half a key.
fn write_new(path: &Path, key: &str) -> std::io::Result<()> {
    if path.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let written = write_private(&draft, key).and_then(|()| std::fs::hard_link(&draft, path));
    // The draft contains a key, so it is removed even if linking failed.
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
    fn private_file_is_created_once_and_then_read() {
        let folder = scratch("created");
        let path = folder.join("deep/demo.key");
        let key = read_or_create(&path).unwrap();
        assert!(api_key::is_well_formed(&key));
        assert_eq!(read_or_create(&path).unwrap(), key);
        assert_eq!(read(&path).unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "the draft was not removed"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn file_without_a_key_is_an_error_and_is_kept() {
        let folder = scratch("else");
        let path = folder.join("notes.txt");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, "dear diary").unwrap();
        assert!(read_or_create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
