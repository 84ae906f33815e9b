//! Values of the template, resolved to what they are on this machine: names, ARNs, parameters.
//!
//! A reference to nothing is a fault; only properties that the gateway uses are ever resolved, so a template may
//! hold anything elsewhere. Intrinsic functions stand in `intrinsics.rs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use yaml_serde::Value;

use super::document::{Document, Resource, is_intrinsic, named};
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::generated_ids::{self, Generated};

/// The account that local ARNs name.
pub(crate) const ACCOUNT_ID: &str = "000000000000";
/// The domain below which AWS's own endpoints stand; local ones replace them after resolving.
pub(crate) const URL_SUFFIX: &str = "amazonaws.com";
const PARTITION: &str = "aws";
const STACK_NAME: &str = "local";
/// Deeper nesting than any sane template has, so that a circle of conditions ends.
const MAX_DEPTH: usize = 64;

/// Resolves the values of one template.
#[derive(Debug)]
pub(crate) struct Resolver<'t> {
    pub(super) document: &'t Document,
    region: &'t str,
    generated: BTreeMap<String, Generated>,
    depth: std::cell::Cell<usize>,
}

impl<'t> Resolver<'t> {
    pub(crate) fn new(document: &'t Document, region: &'t str) -> Result<Self, TemplateError> {
        let depth = std::cell::Cell::new(0);
        let mut resolver = Self { document, region, generated: BTreeMap::new(), depth };
        resolver.generated = generated_ids::generated(&resolver)?;
        Ok(resolver)
    }

    /// The resources of a type, without those whose condition is false.
    pub(crate) fn resources(&self, kind: &str) -> Result<Vec<(&'t str, &'t Resource)>, TemplateError> {
        let mut found = Vec::new();
        for (id, resource) in &self.document.resources {
            if resource.kind != kind {
                continue;
            }
            if let Some(name) = &resource.condition
                && !self.condition(name, &PropertyPath::new(id, "Condition"))?
            {
                continue;
            }
            found.push((id.as_str(), resource));
        }
        Ok(found)
    }

    pub(crate) fn generated(&self, logical_id: &str) -> Option<&Generated> {
        self.generated.get(logical_id)
    }

    /// Resolves a value that must be text; numbers and booleans become theirs.
    pub(crate) fn string(&self, value: &Value, place: &PropertyPath) -> Result<String, TemplateError> {
        text_of(&self.resolve(value, place)?).ok_or_else(|| place.wrong(PropertyError::MustBe("text")))
    }

    /// Resolves a value with everything inside it.
    pub(crate) fn resolve(&self, value: &Value, place: &PropertyPath) -> Result<Json, TemplateError> {
        self.depth.set(self.depth.get() + 1);
        let resolved = if self.depth.get() > MAX_DEPTH {
            Err(place.wrong(PropertyError::TooDeep))
        } else {
            self.one(value, place)
        };
        self.depth.set(self.depth.get() - 1);
        resolved
    }

    fn one(&self, value: &Value, place: &PropertyPath) -> Result<Json, TemplateError> {
        match value {
            Value::Null => Ok(Json::Null),
            Value::Bool(flag) => Ok(Json::from(*flag)),
            Value::Number(number) => {
                let whole = number.as_i64().map(Json::from);
                Ok(whole.or_else(|| number.as_f64().map(Json::from)).unwrap_or_default())
            }
            Value::String(text) => Ok(Json::from(text.as_str())),
            Value::Sequence(items) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    list.push(self.resolve(item, &place.child(index))?);
                }
                Ok(Json::Array(list))
            }
            Value::Mapping(mapping) if is_intrinsic(mapping) => match named(mapping).next() {
                Some((name, argument)) => self.intrinsic(&name, argument, place),
                None => Ok(Json::Null),
            },
            Value::Mapping(mapping) => {
                let mut object = Map::new();
                for (name, item) in named(mapping) {
                    let resolved = self.resolve(item, &place.child(&name))?;
                    // `AWS::NoValue` takes the property away.
                    if !resolved.is_null() || item.is_null() {
                        object.insert(name, resolved);
                    }
                }
                Ok(Json::Object(object))
            }
            Value::Tagged(tagged) => {
                let tag = tagged.tag.to_string();
                let name = tag.trim_start_matches('!');
                let name =
                    if matches!(name, "Ref" | "Condition") { name.into() } else { format!("Fn::{name}") };
                self.intrinsic(&name, &tagged.value, place)
            }
        }
    }

    /// The value of `!Ref target`, if the template has such a thing.
    pub(super) fn reference(&self, target: &str) -> Option<Json> {
        let pseudo = match target {
            "AWS::Region" => Some(self.region),
            "AWS::Partition" => Some(PARTITION),
            "AWS::AccountId" => Some(ACCOUNT_ID),
            "AWS::URLSuffix" => Some(URL_SUFFIX),
            "AWS::StackName" => Some(STACK_NAME),
            "AWS::StackId" => Some("arn:aws:cloudformation:local:000000000000:stack/local/0"),
            "AWS::NoValue" => return Some(Json::Null),
            _ => None,
        };
        if let Some(text) = pseudo {
            return Some(Json::from(text));
        }
        if let Some(value) = self.document.parameters.get(target) {
            return Some(value.clone());
        }
        if let Some(resource) = self.document.resources.get(target) {
            return Some(Json::from(physical_id(target, resource)));
        }
        self.generated.contains_key(target).then(|| Json::from(target))
    }

    pub(super) fn attribute(
        &self,
        id: &str,
        attribute: &str,
        place: &PropertyPath,
    ) -> Result<Json, TemplateError> {
        let resource = self.document.resources.get(id);
        let resource = resource.ok_or_else(|| place.wrong(PropertyError::NoSuchName(id.into())))?;
        let arn = |service: &str, rest: &str| {
            let name = physical_id(id, resource);
            let region = self.region;
            Json::from(format!("arn:{PARTITION}:{service}:{region}:{ACCOUNT_ID}:{rest}{name}"))
        };
        match (resource.kind.as_str(), attribute) {
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => Ok(arn("lambda", "function:")),
            ("AWS::DynamoDB::Table", "Arn") => Ok(arn("dynamodb", "table/")),
            ("AWS::DynamoDB::Table", "StreamArn") => {
                let table = arn("dynamodb", "table/");
                Ok(Json::from(format!("{}/stream/local", table.as_str().unwrap_or_default())))
            }
            (kind, "Arn") => {
                let service = kind.split("::").nth(1).unwrap_or_default().to_ascii_lowercase();
                Ok(arn(&service, ""))
            }
            _ => Err(place.wrong(PropertyError::UnknownAttribute(format!("{id}.{attribute}")))),
        }
    }
}

/// The id that AWS would give the resource: its own name if it has one, else the logical id.
fn physical_id(logical_id: &str, resource: &Resource) -> String {
    let property = match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
        _ => return logical_id.to_owned(),
    };
    let own = resource.properties.get(property).and_then(Value::as_str);
    own.unwrap_or(logical_id).to_owned()
}

/// The text of a resolved scalar; a list of texts is joined by commas, as CloudFormation passes it on.
pub(crate) fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}
