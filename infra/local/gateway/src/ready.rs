//! The ready file: the gateway's addresses and the demo app, for scripts and for `nsl --local`.
//!
//! It has the demo app's key and the gateway's access key, so only its owner may read it, and it is renamed into place when it is complete.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value as Json, json};

use crate::endpoints::Endpoints;
use crate::lambda::function_variables;
use crate::private_files::write_private_file;
use crate::template::Plan;

/// The document without the demo app, which is created with its help.
pub(crate) fn document(plan: &Plan, endpoints: &Endpoints) -> Json {
    let outputs: BTreeMap<&String, String> =
        plan.outputs.iter().map(|(name, value)| (name, endpoints.rewrite_to_local(value))).collect();
    json!({
        "ws": format!("ws://{}", endpoints.listen.websocket),
        "http": format!("http://{}", endpoints.listen.http),
        "dynamodb": endpoints.dynamodb,
        "accessKeyId": endpoints.access_key.as_str(),
        "management": endpoints.management_endpoint(),
        "region": endpoints.region,
        "outputs": outputs,
        "parameters": plan.parameters,
        "secrets": plan.secrets,
    })
}

/// Each function's binary and environment variables, for tools that run the functions themselves.
pub(crate) fn functions(plan: &Plan, endpoints: &Endpoints) -> Json {
    let mut functions = Map::new();
    for (id, function) in &plan.functions {
        let environment = function_variables(function, endpoints);
        functions.insert(id.clone(), json!({ "binary": function.binary, "environment": environment }));
    }
    Json::Object(functions)
}

/// Removes the ready file that a killed gateway left behind, if there is one.
pub(crate) fn remove_stale(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the old {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    pub(crate) fn write(path: &Path, document: &Json) -> anyhow::Result<Self> {
        write_private_file(path, &format!("{document:#}\n"))?;
        Ok(Self { path: path.to_path_buf() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // An error means that it is already gone.
        drop(fs::remove_file(&self.path));
    }
}
