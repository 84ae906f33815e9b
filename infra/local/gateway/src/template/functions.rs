//! Functions: binary, environment and limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use super::property::{ActiveResource, Property, resources};
use super::resolve::{Resolver, text_of};

/// The type of a function in a SAM template.
const FUNCTION: &str = "AWS::Serverless::Function";
/// Lambda's own defaults.
const DEFAULT_TIMEOUT_S: u64 = 3;
const DEFAULT_MEMORY_MB: u64 = 128;

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) logical_id: String,
    /// Its name on Lambda.
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

pub(crate) fn plan(resolver: &Resolver<'_>) -> anyhow::Result<BTreeMap<String, Function>> {
    let mut functions = BTreeMap::new();
    for resource in resources(resolver, FUNCTION)? {
        functions.insert(resource.id.to_owned(), function(&resource)?);
    }
    Ok(functions)
}

fn function(resource: &ActiveResource<'_>) -> anyhow::Result<Function> {
    let ActiveResource { id, properties, metadata } = resource;
    let arn = properties.resolver.attribute(id, "Arn", &properties.path)?;
    Ok(Function {
        logical_id: (*id).to_owned(),
        name: properties.optional_text("FunctionName")?.unwrap_or_else(|| (*id).to_owned()),
        binary: metadata.required_text("BuildProperties.Binary")?,
        environment: environment(properties)?,
        timeout: Duration::from_secs(properties.number("Timeout", DEFAULT_TIMEOUT_S)?),
        memory_mb: properties.number("MemorySize", DEFAULT_MEMORY_MB)?,
        log_format: properties.optional_text("LoggingConfig.LogFormat")?.unwrap_or_else(|| "Text".into()),
        log_level: properties.optional_text("LoggingConfig.ApplicationLogLevel")?,
        arn: text_of(&arn).unwrap_or_default(),
    })
}

fn environment(properties: &Property<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(variables) = properties.get("Environment.Variables") else { return Ok(BTreeMap::new()) };
    let Json::Object(resolved) = variables.resolve()? else {
        return Err(variables.error("must be a map of names to values"));
    };
    let mut environment = BTreeMap::new();
    for (name, value) in resolved {
        let text = text_of(&value).ok_or_else(|| variables.path.child(&name).error("must be text"))?;
        environment.insert(name, text);
    }
    Ok(environment)
}

/// An event of a function.
#[derive(Debug)]
pub(crate) struct FunctionEvent<'t> {
    pub(crate) function: &'t str,
    pub(crate) name: String,
    pub(crate) property: Property<'t>,
}

/// The events of a type, of all functions.
pub(crate) fn events<'t>(resolver: &'t Resolver<'t>, kind: &str) -> anyhow::Result<Vec<FunctionEvent<'t>>> {
    let mut found = Vec::new();
    for function in resources(resolver, FUNCTION)? {
        for (name, property) in function.properties.get("Events").iter().flat_map(Property::entries) {
            if property.optional_text("Type")?.as_deref() == Some(kind) {
                found.push(FunctionEvent { function: function.id, name, property });
            }
        }
    }
    Ok(found)
}

/// The logical id of the function that a property names by its ARN, an alias of it, or its logical id.
pub(crate) fn referenced_function(
    functions: &BTreeMap<String, Function>,
    property: &Property<'_>,
) -> anyhow::Result<String> {
    let arn = property.text()?;
    let name = arn.rsplit_once("function:").map_or(arn.as_str(), |(_, name)| name);
    let name = name.split([':', '/']).next().unwrap_or_default();
    match functions.values().find(|function| function.logical_id == name || function.name == name) {
        Some(function) => Ok(function.logical_id.clone()),
        None => Err(property.error(format!("`{arn}` is not a function of this template"))),
    }
}
