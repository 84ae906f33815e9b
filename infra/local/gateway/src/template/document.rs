//! The sections of the template: parameters with their values, resources with Globals merged in, outputs.
//!
//! Intrinsic functions are not resolved here but in `resolve.rs`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use yaml_serde::{Mapping, Value};

use super::error::TemplateError;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) parameters: BTreeMap<String, Json>,
    pub(crate) conditions: BTreeMap<String, Value>,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) outputs: BTreeMap<String, Output>,
}

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) condition: Option<String>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) condition: Option<String>,
    pub(crate) metadata: Value,
    pub(crate) properties: Value,
}

impl Document {
    pub(crate) fn parse(text: &str, overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let root: Value = yaml_serde::from_str(text)?;
        let resources = root.get("Resources").and_then(Value::as_mapping);
        let resources = resources.ok_or(TemplateError::NoSection("Resources"))?;
        let globals = root.get("Globals").cloned().unwrap_or_default();
        Ok(Self {
            parameters: parameters(root.get("Parameters"), overrides)?,
            conditions: entries(root.get("Conditions")).map(|(k, v)| (k, v.clone())).collect(),
            resources: named(resources).map(|(id, body)| (id, resource(body, &globals))).collect(),
            outputs: entries(root.get("Outputs")).map(|(name, body)| (name, output(body))).collect(),
        })
    }
}

fn entries(section: Option<&Value>) -> impl Iterator<Item = (String, &Value)> {
    section.and_then(Value::as_mapping).into_iter().flat_map(named)
}

/// The entries of a mapping whose keys are strings; CloudFormation has no others.
pub(crate) fn named(mapping: &Mapping) -> impl Iterator<Item = (String, &Value)> {
    mapping.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)))
}

fn output(body: &Value) -> Output {
    let condition = body.get("Condition").and_then(Value::as_str).map(str::to_owned);
    Output { condition, value: body.get("Value").cloned().unwrap_or_default() }
}

fn resource(body: &Value, globals: &Value) -> Resource {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = text("Type").unwrap_or_default();
    let own = body.get("Properties").cloned().unwrap_or_default();
    let shared = kind.strip_prefix("AWS::Serverless::").and_then(|name| globals.get(name));
    let properties = match shared {
        Some(shared) => merge(shared, own),
        None => own,
    };
    let metadata = body.get("Metadata").cloned().unwrap_or_default();
    Resource { kind, condition: text("Condition"), metadata, properties }
}

/// SAM's rule for Globals: maps are merged, lists appended, other values replaced by the resource's own.
fn merge(shared: &Value, own: Value) -> Value {
    match (shared, own) {
        (shared, Value::Null) => shared.clone(),
        (Value::Mapping(shared), Value::Mapping(own)) if !is_intrinsic(shared) && !is_intrinsic(&own) => {
            let mut merged = shared.clone();
            for (key, value) in own {
                let value = match merged.get(&key) {
                    Some(below) => merge(below, value),
                    None => value,
                };
                merged.insert(key, value);
            }
            Value::Mapping(merged)
        }
        (Value::Sequence(shared), Value::Sequence(own)) => {
            Value::Sequence(shared.iter().cloned().chain(own).collect())
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

fn parameters(
    section: Option<&Value>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Json>, TemplateError> {
    let mut values = BTreeMap::new();
    for (name, body) in entries(section) {
        let text = match overrides.get(&name) {
            Some(text) => text.clone(),
            None => body
                .get("Default")
                .and_then(scalar_text)
                .ok_or_else(|| TemplateError::NoDefault(name.clone()))?,
        };
        let allowed = body.get("AllowedValues").and_then(Value::as_sequence);
        let allowed: Vec<String> = allowed.into_iter().flatten().filter_map(scalar_text).collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            return Err(TemplateError::NotAllowed { name, value: text, allowed });
        }
        let kind = body.get("Type").and_then(Value::as_str).unwrap_or("String");
        let value = if kind == "CommaDelimitedList" || kind.starts_with("List<") {
            Json::from(text.split(',').map(str::trim).filter(|s| !s.is_empty()).collect::<Vec<_>>())
        } else {
            Json::from(text)
        };
        values.insert(name, value);
    }
    match overrides.keys().find(|name| !values.contains_key(*name)) {
        Some(unknown) => Err(TemplateError::UnknownParameter(unknown.clone())),
        None => Ok(values),
    }
}

/// A scalar as text, as in CloudFormation.
fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}
