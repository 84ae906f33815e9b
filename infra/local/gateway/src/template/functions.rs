//! Functions: which binary to run, with which environment and limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use yaml_serde::Value;

use super::document::Resource;
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::resolve::{Resolver, text_of};

/// Lambda's own default, in seconds.
const DEFAULT_TIMEOUT_S: u64 = 3;
/// Lambda's own default, in MB.
const DEFAULT_MEMORY_MB: u64 = 128;

/// An `AWS::Serverless::Function`.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) logical_id: String,
    /// The name that Lambda would know it by.
    pub(crate) name: String,
    pub(crate) binary: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u64,
    /// `Text` or `JSON`.
    pub(crate) log_format: String,
    pub(crate) log_level: Option<String>,
    pub(crate) arn: String,
}

pub(crate) fn plan(resolver: &Resolver<'_>) -> Result<BTreeMap<String, Function>, TemplateError> {
    let mut functions = BTreeMap::new();
    for (id, resource) in resolver.resources("AWS::Serverless::Function")? {
        functions.insert(id.to_owned(), function(resolver, id, resource)?);
    }
    Ok(functions)
}

fn function(resolver: &Resolver<'_>, id: &str, resource: &Resource) -> Result<Function, TemplateError> {
    let place = PropertyPath::new(id, "");
    let properties = &resource.properties;
    let binary_place = place.child("Metadata.BuildProperties.Binary");
    let binary = resource.metadata.get("BuildProperties").and_then(|build| build.get("Binary"));
    let binary = binary.ok_or_else(|| binary_place.wrong(PropertyError::Missing))?;
    let name = resolver.string(properties.get("FunctionName").unwrap_or(&Value::from(id)), &place)?;
    let arn_of = Value::from(format!("{id}.Arn"));
    let arn = Value::Tagged(Box::new(yaml_serde::value::TaggedValue {
        tag: yaml_serde::value::Tag::new("GetAtt"),
        value: arn_of,
    }));
    let logging = |key: &str| -> Result<Option<String>, TemplateError> {
        let value = properties.get("LoggingConfig").and_then(|logging| logging.get(key));
        value.map(|value| resolver.string(value, &place.child(format!("LoggingConfig.{key}")))).transpose()
    };
    Ok(Function {
        logical_id: id.to_owned(),
        name,
        binary: resolver.string(binary, &binary_place)?,
        environment: environment(resolver, properties, &place)?,
        timeout: Duration::from_secs(number(resolver, properties, "Timeout", DEFAULT_TIMEOUT_S, &place)?),
        memory_mb: number(resolver, properties, "MemorySize", DEFAULT_MEMORY_MB, &place)?,
        log_format: logging("LogFormat")?.unwrap_or_else(|| "Text".into()),
        log_level: logging("ApplicationLogLevel")?,
        arn: resolver.string(&arn, &place)?,
    })
}

fn environment(
    resolver: &Resolver<'_>,
    properties: &Value,
    place: &PropertyPath,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let place = place.child("Environment.Variables");
    let variables = properties.get("Environment").and_then(|environment| environment.get("Variables"));
    let Some(variables) = variables else { return Ok(BTreeMap::new()) };
    let Json::Object(variables) = resolver.resolve(variables, &place)? else {
        return Err(place.wrong(PropertyError::MustBe("a map of names to values")));
    };
    let mut environment = BTreeMap::new();
    for (name, value) in variables {
        let text = text_of(&value).ok_or_else(|| place.child(&name).wrong(PropertyError::MustBe("text")))?;
        environment.insert(name, text);
    }
    Ok(environment)
}

/// A property that is a whole number, written as one, as text or as a reference to a parameter.
pub(crate) fn number(
    resolver: &Resolver<'_>,
    properties: &Value,
    name: &'static str,
    default: u64,
    place: &PropertyPath,
) -> Result<u64, TemplateError> {
    let Some(value) = properties.get(name) else { return Ok(default) };
    let place = place.child(name);
    let text = resolver.string(value, &place)?;
    text.parse().map_err(|_| place.wrong(PropertyError::MustBe("a whole number")))
}

/// The function that an ARN (or its logical id, or an alias of it) names.
pub(crate) fn by_arn(
    functions: &BTreeMap<String, Function>,
    arn: &str,
    place: &PropertyPath,
) -> Result<String, TemplateError> {
    let after = arn.rsplit_once("function:").map_or(arn, |(_, after)| after);
    let name = after.split([':', '/']).next().unwrap_or_default();
    let found = functions.values().find(|function| function.logical_id == name || function.name == name);
    match found {
        Some(function) => Ok(function.logical_id.clone()),
        None => Err(place.wrong(PropertyError::NoSuchFunction(arn.to_owned()))),
    }
}
