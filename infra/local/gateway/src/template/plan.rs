//! The whole plan of a template.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::document::Document;
use super::functions::{self, Function};
use super::http::{self, HttpPlan};
use super::path::PropertyPath;
use super::property::Property;
use super::resolve::Resolver;
use super::streams::{self, StreamPlan};
use super::tables::{self, Table};
use super::websocket::{self, WebSocketPlan};
use crate::json::scalar_text;

/// Everything that the gateway runs, with all references resolved.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By logical id.
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) tables: Vec<Table>,
    pub(crate) streams: Vec<StreamPlan>,
    pub(crate) websocket: Option<WebSocketPlan>,
    pub(crate) http: Option<HttpPlan>,
    /// The values of the parameters, as a stack would show them.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The outputs, with addresses on AWS.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Secrets that the functions' environments refer to; empty until they are generated or read.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// Reads the template at `path`; `overrides` are parameters' values instead of their defaults.
pub(crate) fn read(path: &Path, overrides: &BTreeMap<String, String>, region: &str) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the template {}", path.display()))?;
    plan(&text, overrides, region)
}

/// The tables of the template at `path` with default parameters, for tests of functions without a gateway.
pub fn tables_of(path: &Path, region: &str) -> anyhow::Result<Vec<Table>> {
    Ok(read(path, &BTreeMap::new(), region)?.tables)
}

pub(crate) fn plan(text: &str, overrides: &BTreeMap<String, String>, region: &str) -> anyhow::Result<Plan> {
    let document = Document::parse(text, overrides)?;
    let resolver = Resolver::new(&document, region)?;
    let functions = functions::plan(&resolver)?;
    let websocket = websocket::plan(&resolver, &functions)?;
    let http = http::plan(&resolver, &functions)?;
    let tables = tables::plan(&resolver)?;
    let streams = streams::plan(&resolver, &tables)?;
    let outputs = outputs(&document, &resolver)?;
    let parameters = document.parameters.iter();
    let parameters =
        parameters.filter_map(|(name, value)| Some((name.clone(), scalar_text(value)?))).collect();
    let secrets = BTreeMap::new();
    Ok(Plan { functions, tables, streams, websocket, http, parameters, outputs, secrets })
}

/// The outputs without a condition, or with one that is true.
fn outputs(document: &Document, resolver: &Resolver<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut outputs = BTreeMap::new();
    for (name, output) in &document.outputs {
        let id = format!("Outputs.{name}");
        let is_active = match &output.condition {
            Some(condition) => resolver.condition(condition, &PropertyPath::new(&id, "Condition"))?,
            None => true,
        };
        if is_active {
            let path = PropertyPath::new(id, "Value");
            outputs.insert(name.clone(), Property { resolver, value: &output.value, path }.text()?);
        }
    }
    Ok(outputs)
}
