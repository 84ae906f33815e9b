//! What the SAM template asks for, as a plan that the rest of the gateway can follow.
//!
//! Reading, resolving of intrinsics and the plans for tables, streams, functions and routes stand in one file each.
//! Nothing in here opens a socket, so that every rule of the transform can be tested on a few lines of YAML.

mod document;
mod error;
mod filter_pattern;
mod functions;
mod generated_ids;
mod http;
mod intrinsics;
mod resolve;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod websocket;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use error::TemplateError;
pub(crate) use functions::Function;
pub(crate) use http::{AuthorizerPlan, CorsPlan, HttpPlan, HttpRoute, IdentitySource, Segment};
pub(crate) use resolve::{ACCOUNT_ID, URL_SUFFIX};
pub(crate) use streams::{StreamPlan, StreamRules};
pub use tables::Table;
pub(crate) use websocket::WebSocketPlan;

use document::Document;
use error::PropertyPath;
use resolve::Resolver;

/// Everything that the gateway serves, with all references resolved.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The functions by logical id.
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) tables: Vec<Table>,
    pub(crate) streams: Vec<StreamPlan>,
    pub(crate) websocket: Option<WebSocketPlan>,
    pub(crate) http: Option<HttpPlan>,
    /// The outputs with the endpoints that they would have on AWS.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Values of the secrets that the functions' environments refer to; none until they are filled in.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// Reads the template at `path`; `overrides` are the values of parameters that differ from their defaults.
pub(crate) fn read(
    path: &Path,
    overrides: &BTreeMap<String, String>,
    region: &str,
) -> Result<Plan, TemplateError> {
    let text = std::fs::read_to_string(path).map_err(|source| TemplateError::unreadable(path, source))?;
    plan(&text, overrides, region)
}

/// The tables of the template at `path` with its parameters' defaults, for tests of functions without a gateway.
pub fn tables_of(path: &Path, region: &str) -> anyhow::Result<Vec<Table>> {
    Ok(read(path, &BTreeMap::new(), region)?.tables)
}

/// Plans the template that `text` holds.
pub(crate) fn plan(
    text: &str,
    overrides: &BTreeMap<String, String>,
    region: &str,
) -> Result<Plan, TemplateError> {
    let document = Document::parse(text, overrides)?;
    let resolver = Resolver::new(&document, region)?;
    let functions = functions::plan(&resolver)?;
    let websocket = websocket::plan(&resolver, &functions)?;
    let http = http::plan(&resolver, &functions)?;
    let tables = tables::plan(&resolver)?;
    let streams = streams::plan(&resolver, &functions, &tables)?;
    let outputs = outputs(&document, &resolver)?;
    Ok(Plan { functions, tables, streams, websocket, http, outputs, secrets: BTreeMap::new() })
}

/// The outputs whose condition holds, or that have none.
fn outputs(document: &Document, resolver: &Resolver<'_>) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut outputs = BTreeMap::new();
    for (name, output) in &document.outputs {
        let id = format!("Outputs.{name}");
        let holds = match &output.condition {
            Some(condition) => resolver.condition(condition, &PropertyPath::new(&id, "Condition"))?,
            None => true,
        };
        if holds {
            outputs.insert(name.clone(), resolver.string(&output.value, &PropertyPath::new(id, "Value"))?);
        }
    }
    Ok(outputs)
}
