//! Resolves values of the template to what they are on this machine: parameters, names, ARNs, intrinsic functions.
//!
//! Only properties that the gateway uses are resolved, so the template may contain anything elsewhere. A reference
//! to nothing and an unknown intrinsic function are errors.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use yaml_serde::Value;

use super::document::{Document, Resource, is_intrinsic, named};
use super::generated_ids::{self, GeneratedId};
use super::path::PropertyPath;
use crate::json::scalar_text;

/// The account in local ARNs.
pub(crate) const ACCOUNT_ID: &str = "000000000000";
/// The domain of AWS's own addresses, which are replaced by local ones after resolving.
pub(crate) const URL_SUFFIX: &str = "amazonaws.com";
const PARTITION: &str = "aws";
const STACK_NAME: &str = "local";
/// Deeper than any sensible template, so that a cycle of conditions ends.
const MAX_DEPTH: usize = 64;

#[derive(Debug)]
pub(crate) struct Resolver<'t> {
    pub(super) document: &'t Document,
    region: &'t str,
    generated: BTreeMap<String, GeneratedId>,
    depth: Cell<usize>,
}

impl<'t> Resolver<'t> {
    pub(crate) fn new(document: &'t Document, region: &'t str) -> anyhow::Result<Self> {
        Ok(Self { document, region, generated: generated_ids::all(document)?, depth: Cell::new(0) })
    }

    pub(crate) fn generated(&self, logical_id: &str) -> Option<&GeneratedId> {
        self.generated.get(logical_id)
    }

    /// Resolves a value with everything inside it.
    pub(crate) fn resolve(&self, value: &Value, path: &PropertyPath) -> anyhow::Result<Json> {
        self.depth.set(self.depth.get() + 1);
        let resolved = if self.depth.get() > MAX_DEPTH {
            Err(path.error("intrinsic functions are nested too deeply, or conditions form a circle"))
        } else {
            self.resolve_one(value, path)
        };
        self.depth.set(self.depth.get() - 1);
        resolved
    }

    fn resolve_one(&self, value: &Value, path: &PropertyPath) -> anyhow::Result<Json> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                serde_json::to_value(value).map_err(|error| path.error(error))
            }
            Value::Sequence(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.resolve(item, &path.child(index))).collect()
            }
            Value::Mapping(mapping) if is_intrinsic(mapping) => match named(mapping).next() {
                Some((name, argument)) => self.intrinsic(&name, argument, path),
                None => Ok(Json::Null),
            },
            Value::Mapping(mapping) => {
                let mut object = Map::new();
                for (name, item) in named(mapping) {
                    let resolved = self.resolve(item, &path.child(&name))?;
                    // `AWS::NoValue` removes the property.
                    if !resolved.is_null() || item.is_null() {
                        object.insert(name, resolved);
                    }
                }
                Ok(Json::Object(object))
            }
            Value::Tagged(tagged) => {
                let tag = tagged.tag.to_string();
                match tag.trim_start_matches('!') {
                    name @ ("Ref" | "Condition") => self.intrinsic(name, &tagged.value, path),
                    name => self.intrinsic(&format!("Fn::{name}"), &tagged.value, path),
                }
            }
        }
    }

    fn intrinsic(&self, name: &str, argument: &Value, path: &PropertyPath) -> anyhow::Result<Json> {
        let malformed = || malformed(name, path);
        let text = || argument.as_str().ok_or_else(malformed);
        match name {
            "Ref" => self.reference(text()?, path),
            "Condition" => self.condition(text()?, path).map(Json::from),
            "Fn::GetAtt" => {
                let (id, attribute) = text()?.split_once('.').ok_or_else(malformed)?;
                self.attribute(id, attribute, path)
            }
            "Fn::Sub" => self.substitute(text()?, path),
            "Fn::Split" => match self.resolve(argument, path)?.as_array().map(Vec::as_slice) {
                Some([Json::String(separator), Json::String(text)]) => {
                    Ok(text.split(separator.as_str()).map(Json::from).collect())
                }
                _ => Err(malformed()),
            },
            "Fn::If" => match argument.as_sequence().map(Vec::as_slice) {
                Some([Value::String(condition), yes, no]) => {
                    let branch = if self.condition(condition, path)? { yes } else { no };
                    self.resolve(branch, path)
                }
                _ => Err(malformed()),
            },
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                let arguments = self.resolve(argument, path)?;
                let is_true = |value: &Json| value.as_bool() == Some(true);
                match (name, arguments.as_array().map(Vec::as_slice)) {
                    ("Fn::Equals", Some([left, right])) => Ok(Json::from(text_of(left) == text_of(right))),
                    ("Fn::Not", Some([only])) => Ok(Json::from(!is_true(only))),
                    ("Fn::And", Some(all)) => Ok(Json::from(all.iter().all(is_true))),
                    ("Fn::Or", Some(any)) => Ok(Json::from(any.iter().any(is_true))),
                    _ => Err(malformed()),
                }
            }
            _ => Err(path.error(format!("the gateway does not support the intrinsic function {name}"))),
        }
    }

    pub(super) fn condition(&self, name: &str, path: &PropertyPath) -> anyhow::Result<bool> {
        let condition = self.document.conditions.get(name);
        let condition =
            condition.ok_or_else(|| path.error(format!("the condition {name} does not exist")))?;
        let path = PropertyPath::new("Conditions", name);
        self.resolve(condition, &path)?.as_bool().ok_or_else(|| path.error("must be a condition"))
    }

    fn substitute(&self, text: &str, path: &PropertyPath) -> anyhow::Result<Json> {
        let malformed = || malformed("Fn::Sub", path);
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(malformed)?;
            let value = match name.split_once('.') {
                Some((id, attribute)) => self.attribute(id, attribute, path)?,
                None => self.reference(name, path)?,
            };
            out.push_str(before);
            out.push_str(&text_of(&value).ok_or_else(malformed)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(Json::from(out))
    }

    /// The value of `!Ref target`.
    fn reference(&self, target: &str, path: &PropertyPath) -> anyhow::Result<Json> {
        let pseudo_parameter = match target {
            "AWS::Region" => Some(self.region),
            "AWS::Partition" => Some(PARTITION),
            "AWS::AccountId" => Some(ACCOUNT_ID),
            "AWS::URLSuffix" => Some(URL_SUFFIX),
            "AWS::StackName" => Some(STACK_NAME),
            "AWS::NoValue" => return Ok(Json::Null),
            _ => None,
        };
        if let Some(text) = pseudo_parameter {
            return Ok(Json::from(text));
        }
        if let Some(value) = self.document.parameters.get(target) {
            return Ok(value.clone());
        }
        if let Some(resource) = self.document.resources.get(target) {
            return Ok(Json::from(physical_id(target, resource)));
        }
        if self.generated.contains_key(target) {
            return Ok(Json::from(target));
        }
        Err(no_such_name(target, path))
    }

    pub(super) fn attribute(&self, id: &str, attribute: &str, path: &PropertyPath) -> anyhow::Result<Json> {
        let resource = self.document.resources.get(id);
        let resource = resource.ok_or_else(|| no_such_name(id, path))?;
        let arn = |service: &str, kind: &str| {
            let (name, region) = (physical_id(id, resource), self.region);
            format!("arn:{PARTITION}:{service}:{region}:{ACCOUNT_ID}:{kind}{name}")
        };
        let arn = match (resource.kind.as_str(), attribute) {
            ("AWS::Serverless::Function", "Arn") => arn("lambda", "function:"),
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", "table/"),
            ("AWS::DynamoDB::Table", "StreamArn") => arn("dynamodb", "table/") + "/stream/local",
            (kind, "Arn") => arn(&kind.split("::").nth(1).unwrap_or_default().to_ascii_lowercase(), ""),
            _ => {
                return Err(
                    path.error(format!("the gateway has no value for the attribute `{id}.{attribute}`"))
                );
            }
        };
        Ok(Json::from(arn))
    }
}

fn malformed(intrinsic: &str, path: &PropertyPath) -> anyhow::Error {
    path.error(format!("{intrinsic} has arguments in a form that the gateway does not support"))
}

fn no_such_name(name: &str, path: &PropertyPath) -> anyhow::Error {
    path.error(format!("`{name}` names no parameter and no resource of this template"))
}

/// The id that AWS would give the resource: its own name if it has one, else the logical id.
fn physical_id(logical_id: &str, resource: &Resource) -> String {
    let property = match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::Serverless::Function" => "FunctionName",
        _ => return logical_id.to_owned(),
    };
    let own = resource.properties.get(property).and_then(Value::as_str);
    own.unwrap_or(logical_id).to_owned()
}

/// A resolved scalar as text; a list of texts is joined by commas, as in CloudFormation.
pub(crate) fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
            texts.map(|texts| texts.join(","))
        }
        scalar => scalar_text(scalar),
    }
}
