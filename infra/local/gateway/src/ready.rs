//! The ready file: where everything is, for scripts and for `nsl --local`.
//!
//! It holds the demo app's key, so only its owner may read it, and it appears whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value as Json, json};

use crate::endpoints::Endpoints;
use crate::lambda::of_function;
use crate::template::{Function, Plan};

/// Read and write for the owner, nothing for anybody else.
const OWNER_ONLY: u32 = 0o600;

/// The document without the demo app, which is made from it.
pub(crate) fn document(plan: &Plan, endpoints: &Endpoints) -> Json {
    let outputs: BTreeMap<&String, String> =
        plan.outputs.iter().map(|(name, value)| (name, endpoints.rewrite_to_local(value))).collect();
    json!({
        "ws": format!("ws://{}", endpoints.websocket),
        "http": format!("http://{}", endpoints.http),
        "dynamodb": endpoints.dynamodb,
        "management": endpoints.management_endpoint(),
        "region": endpoints.region,
        "outputs": outputs,
        "secrets": plan.secrets,
    })
}

/// Each function's binary and what it has to find in its environment, for whoever runs the functions elsewhere.
pub(crate) fn functions(plan: &Plan, endpoints: &Endpoints) -> Json {
    let told = |function: &Function| json!({ "binary": function.binary, "environment": of_function(function, endpoints) });
    plan.functions.iter().map(|(id, function)| (id.clone(), told(function))).collect::<Map<_, _>>().into()
}

/// Removes the ready file of an earlier gateway, if there is one.
pub(crate) fn forget(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => {
            Err(fault).with_context(|| format!("cannot remove the old {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Writes `document` to `path` at once.
    pub(crate) fn write(path: &Path, document: &Json) -> anyhow::Result<Self> {
        let write = || -> std::io::Result<()> {
            let mut temporary = path.as_os_str().to_owned();
            temporary.push(format!(".{}", std::process::id()));
            let temporary = PathBuf::from(temporary);
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&temporary)?;
            file.write_all(format!("{document:#}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_path_buf() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        drop(fs::remove_file(&self.path));
    }
}
