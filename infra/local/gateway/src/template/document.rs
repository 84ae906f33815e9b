//! The sections of the template: parameters with their values, resources with Globals merged in, outputs.
//!
//! Intrinsic functions are not resolved here but in `resolve.rs`.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value as Json;
use yaml_serde::{Mapping, Value};

use crate::json::scalar_text;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) parameters: BTreeMap<String, Json>,
    pub(crate) conditions: BTreeMap<String, Value>,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) outputs: BTreeMap<String, Output>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    pub(crate) condition: Option<String>,
    pub(crate) value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Resource {
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) condition: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Value,
    #[serde(default)]
    pub(crate) properties: Value,
}

/// The template's text, as far as the gateway uses it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sections {
    #[serde(default)]
    globals: BTreeMap<String, Value>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    conditions: BTreeMap<String, Value>,
    resources: BTreeMap<String, Resource>,
    #[serde(default)]
    outputs: BTreeMap<String, Output>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    #[serde(rename = "Type")]
    kind: String,
    default: Option<Json>,
    #[serde(default)]
    allowed_values: Vec<Json>,
}

impl Document {
    /// Parses the template; `overrides` are parameters' values instead of their defaults.
    pub(crate) fn parse(text: &str, overrides: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let Sections { globals, parameters, conditions, mut resources, outputs } =
            yaml_serde::from_str(text).context("cannot parse the template")?;
        if let Some(unknown) = overrides.keys().find(|name| !parameters.contains_key(*name)) {
            bail!("--parameter {unknown}: the template has no such parameter");
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in parameters {
            values.insert(name.clone(), parameter.value(&name, overrides.get(&name))?);
        }
        for resource in resources.values_mut() {
            let globals = resource.kind.strip_prefix("AWS::Serverless::").and_then(|name| globals.get(name));
            if let Some(globals) = globals {
                resource.properties = merge(globals, std::mem::take(&mut resource.properties));
            }
        }
        Ok(Self { parameters: values, conditions, resources, outputs })
    }
}

impl Parameter {
    fn value(&self, name: &str, given: Option<&String>) -> anyhow::Result<Json> {
        let text = given.cloned().or_else(|| self.default.as_ref().and_then(scalar_text));
        let text =
            text.with_context(|| format!("parameter {name} has no default: pass --parameter {name}=VALUE"))?;
        let allowed: Vec<String> = self.allowed_values.iter().filter_map(scalar_text).collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            bail!("--parameter {name}={text}: must be one of {}", allowed.join(", "));
        }
        if self.kind == "CommaDelimitedList" || self.kind.starts_with("List<") {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            return Ok(items.map(Json::from).collect());
        }
        Ok(Json::from(text))
    }
}

/// The entries of a mapping whose keys are strings; CloudFormation has no others.
pub(crate) fn named(mapping: &Mapping) -> impl Iterator<Item = (String, &Value)> {
    mapping.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)))
}

/// SAM's rule for Globals: maps are merged, lists appended, other values replaced by the resource's own.
fn merge(globals: &Value, own: Value) -> Value {
    match (globals, own) {
        (globals, Value::Null) => globals.clone(),
        (Value::Mapping(globals), Value::Mapping(own)) if !is_intrinsic(globals) && !is_intrinsic(&own) => {
            let mut merged = globals.clone();
            for (key, value) in own {
                let value = match merged.get(&key) {
                    Some(global) => merge(global, value),
                    None => value,
                };
                merged.insert(key, value);
            }
            Value::Mapping(merged)
        }
        (Value::Sequence(globals), Value::Sequence(own)) => {
            Value::Sequence(globals.iter().cloned().chain(own).collect())
        }
        (_, own) => own,
    }
}

/// Whether a mapping is an intrinsic function in its long form, `{Ref: X}` or `{Fn::Sub: …}`.
pub(crate) fn is_intrinsic(mapping: &Mapping) -> bool {
    let mut keys = mapping.keys().filter_map(Value::as_str);
    let Some(first) = keys.next() else { return false };
    mapping.len() == 1 && (first == "Ref" || first == "Condition" || first.starts_with("Fn::"))
}
