//! CloudFormation's intrinsics, resolved to the values that they have on this machine.
//!
//! A reference to nothing and an intrinsic that is not understood are faults; only properties that the gateway
//! uses are ever resolved, so a template may hold anything elsewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use yaml_serde::Value;

use super::fault::{Place, TemplateFault, Wrong};
use super::integrations::{self, Generated};
use super::read::{Document, Resource, is_intrinsic, named};

/// The account that local ARNs name.
pub(crate) const ACCOUNT_ID: &str = "000000000000";
/// The domain below which AWS's own addresses stand; local ones replace them after resolving.
pub(crate) const URL_SUFFIX: &str = "amazonaws.com";
const PARTITION: &str = "aws";
const STACK_NAME: &str = "local";
/// Deeper nesting than any sane template has, so that a circle of conditions ends.
const MAX_DEPTH: usize = 64;

/// Resolves the values of one template.
#[derive(Debug)]
pub(crate) struct Resolver<'t> {
    document: &'t Document,
    region: &'t str,
    generated: BTreeMap<String, Generated>,
    depth: std::cell::Cell<usize>,
}

impl<'t> Resolver<'t> {
    pub(crate) fn new(document: &'t Document, region: &'t str) -> Result<Self, TemplateFault> {
        let depth = std::cell::Cell::new(0);
        let mut resolver = Self { document, region, generated: BTreeMap::new(), depth };
        resolver.generated = integrations::generated(&resolver)?;
        Ok(resolver)
    }

    /// The resources of a type, without those whose condition is false.
    pub(crate) fn resources(&self, kind: &str) -> Result<Vec<(&'t str, &'t Resource)>, TemplateFault> {
        let mut found = Vec::new();
        for (id, resource) in &self.document.resources {
            if resource.kind != kind {
                continue;
            }
            if let Some(name) = &resource.condition
                && !self.condition(name, &Place::new(id, "Condition"))?
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
    pub(crate) fn string(&self, value: &Value, place: &Place) -> Result<String, TemplateFault> {
        text_of(&self.resolve(value, place)?).ok_or_else(|| place.wrong(Wrong::MustBe("text")))
    }

    /// Resolves a value with everything inside it.
    pub(crate) fn resolve(&self, value: &Value, place: &Place) -> Result<Json, TemplateFault> {
        self.depth.set(self.depth.get() + 1);
        let resolved = if self.depth.get() > MAX_DEPTH {
            Err(place.wrong(Wrong::TooDeep))
        } else {
            self.one(value, place)
        };
        self.depth.set(self.depth.get() - 1);
        resolved
    }

    fn one(&self, value: &Value, place: &Place) -> Result<Json, TemplateFault> {
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

    fn intrinsic(&self, name: &str, argument: &Value, place: &Place) -> Result<Json, TemplateFault> {
        let malformed = |name| place.wrong(Wrong::MalformedIntrinsic(name));
        match name {
            "Ref" => {
                let target = argument.as_str().ok_or_else(|| malformed("Ref"))?;
                self.reference(target).ok_or_else(|| place.wrong(Wrong::NoSuchName(target.into())))
            }
            "Fn::GetAtt" => {
                let target = match argument {
                    Value::String(text) => text.split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())),
                    Value::Sequence(parts) => match parts.as_slice() {
                        [Value::String(id), attribute] => Some((id.clone(), self.string(attribute, place)?)),
                        _ => None,
                    },
                    _ => None,
                };
                let (id, attribute) = target.ok_or_else(|| malformed("Fn::GetAtt"))?;
                self.attribute(&id, &attribute, place)
            }
            "Fn::Sub" => self.substitute(argument, place),
            "Fn::Join" => {
                let Json::Array(parts) = self.resolve(argument, place)? else {
                    return Err(malformed("Fn::Join"));
                };
                let [Json::String(glue), Json::Array(items)] = parts.as_slice() else {
                    return Err(malformed("Fn::Join"));
                };
                let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
                Ok(Json::from(texts.ok_or_else(|| malformed("Fn::Join"))?.join(glue)))
            }
            "Fn::Select" => {
                let Json::Array(parts) = self.resolve(argument, place)? else {
                    return Err(malformed("Fn::Select"));
                };
                let [index, Json::Array(items)] = parts.as_slice() else {
                    return Err(malformed("Fn::Select"));
                };
                let index = text_of(index).and_then(|text| text.parse::<usize>().ok());
                index.and_then(|index| items.get(index)).cloned().ok_or_else(|| malformed("Fn::Select"))
            }
            "Fn::Split" => {
                let Json::Array(parts) = self.resolve(argument, place)? else {
                    return Err(malformed("Fn::Split"));
                };
                let [Json::String(glue), Json::String(text)] = parts.as_slice() else {
                    return Err(malformed("Fn::Split"));
                };
                Ok(Json::from(text.split(glue.as_str()).collect::<Vec<_>>()))
            }
            "Fn::If" => match argument.as_sequence().map(Vec::as_slice) {
                Some([Value::String(name), yes, no]) => {
                    let branch = if self.condition(name, place)? { yes } else { no };
                    self.resolve(branch, place)
                }
                _ => Err(malformed("Fn::If")),
            },
            "Condition" => {
                let name = argument.as_str().ok_or_else(|| malformed("Condition"))?;
                Ok(Json::from(self.condition(name, place)?))
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => self.logic(name, argument, place),
            _ => Err(place.wrong(Wrong::UnknownIntrinsic(name.into()))),
        }
    }

    fn logic(&self, name: &str, argument: &Value, place: &Place) -> Result<Json, TemplateFault> {
        let Json::Array(parts) = self.resolve(argument, place)? else {
            return Err(place.wrong(Wrong::MalformedIntrinsic("condition function")));
        };
        let truth = |value: &Json| value.as_bool() == Some(true);
        let outcome = match (name, parts.as_slice()) {
            ("Fn::Equals", [left, right]) => text_of(left) == text_of(right),
            ("Fn::Not", [only]) => !truth(only),
            ("Fn::And", all) => all.iter().all(truth),
            ("Fn::Or", any) => any.iter().any(truth),
            _ => return Err(place.wrong(Wrong::MalformedIntrinsic("condition function"))),
        };
        Ok(Json::from(outcome))
    }

    fn condition(&self, name: &str, place: &Place) -> Result<bool, TemplateFault> {
        let condition = self.document.conditions.get(name);
        let condition = condition.ok_or_else(|| place.wrong(Wrong::NoSuchCondition(name.into())))?;
        let outcome = self.resolve(condition, &Place::new("Conditions", name))?;
        outcome.as_bool().ok_or_else(|| Place::new("Conditions", name).wrong(Wrong::MustBe("a condition")))
    }

    /// The value of `!Ref target`, if the template has such a thing.
    fn reference(&self, target: &str) -> Option<Json> {
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

    fn attribute(&self, id: &str, attribute: &str, place: &Place) -> Result<Json, TemplateFault> {
        let resource = self.document.resources.get(id);
        let resource = resource.ok_or_else(|| place.wrong(Wrong::NoSuchName(id.into())))?;
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
            _ => Err(place.wrong(Wrong::UnknownAttribute(format!("{id}.{attribute}")))),
        }
    }

    fn substitute(&self, argument: &Value, place: &Place) -> Result<Json, TemplateFault> {
        let malformed = || place.wrong(Wrong::MalformedIntrinsic("Fn::Sub"));
        let (text, own) = match argument {
            Value::String(text) => (text, Json::Null),
            Value::Sequence(parts) => match parts.as_slice() {
                [Value::String(text), variables] => (text, self.resolve(variables, place)?),
                _ => return Err(malformed()),
            },
            _ => return Err(malformed()),
        };
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(malformed)?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => value.clone(),
                (None, Some((id, attribute))) => self.attribute(id, attribute, place)?,
                (None, None) => {
                    self.reference(name).ok_or_else(|| place.wrong(Wrong::NoSuchName(name.into())))?
                }
            };
            out.push_str(&text_of(&value).ok_or_else(malformed)?);
        }
        out.push_str(rest);
        Ok(Json::from(out))
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
