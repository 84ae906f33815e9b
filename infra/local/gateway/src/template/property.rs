//! A value of the template together with its path, so that every error names the resource and the property.

use std::fmt::Display;

use serde_json::Value as Json;
use yaml_serde::Value;

use super::document::named;
use super::path::PropertyPath;
use super::resolve::{Resolver, text_of};

#[derive(Clone, Debug)]
pub(crate) struct Property<'t> {
    pub(crate) resolver: &'t Resolver<'t>,
    pub(crate) value: &'t Value,
    pub(crate) path: PropertyPath,
}

/// A resource without a condition, or with one that is true.
#[derive(Debug)]
pub(crate) struct ActiveResource<'t> {
    pub(crate) id: &'t str,
    pub(crate) properties: Property<'t>,
    pub(crate) metadata: Property<'t>,
}

/// The active resources of a type.
pub(crate) fn resources<'t>(
    resolver: &'t Resolver<'t>,
    kind: &str,
) -> anyhow::Result<Vec<ActiveResource<'t>>> {
    let mut found = Vec::new();
    for (id, resource) in &resolver.document.resources {
        if resource.kind != kind {
            continue;
        }
        if let Some(name) = &resource.condition
            && !resolver.condition(name, &PropertyPath::new(id, "Condition"))?
        {
            continue;
        }
        let property = |value, name| Property { resolver, value, path: PropertyPath::new(id, name) };
        let (properties, metadata) =
            (property(&resource.properties, ""), property(&resource.metadata, "Metadata"));
        found.push(ActiveResource { id, properties, metadata });
    }
    Ok(found)
}

/// The only active resource of a type, if there is one; the gateway serves one API of each type.
pub(crate) fn only_resource<'t>(
    resolver: &'t Resolver<'t>,
    kind: &str,
) -> anyhow::Result<Option<ActiveResource<'t>>> {
    let mut found = resources(resolver, kind)?;
    if let Some(second) = found.get(1) {
        let error = format!("the gateway runs one API of this type, and {} is another", second.id);
        return Err(PropertyPath::new(second.id, "Type").error(error));
    }
    Ok(found.pop())
}

impl<'t> Property<'t> {
    /// A property by its name, or by names joined with dots.
    pub(crate) fn get(&self, names: &str) -> Option<Self> {
        let value = names.split('.').try_fold(self.value, |value, name| value.get(name))?;
        Some(Self { resolver: self.resolver, value, path: self.path.child(names) })
    }

    pub(crate) fn required(&self, name: &str) -> anyhow::Result<Self> {
        self.get(name).ok_or_else(|| self.path.child(name).error("is missing"))
    }

    /// The properties of a mapping, by name.
    pub(crate) fn entries(&self) -> Vec<(String, Self)> {
        let entries = self.value.as_mapping().into_iter().flat_map(named);
        let property =
            |value, name: &str| Self { resolver: self.resolver, value, path: self.path.child(name) };
        entries.map(|(name, value)| (name.clone(), property(value, &name))).collect()
    }

    pub(crate) fn error(&self, error: impl Display) -> anyhow::Error {
        self.path.error(error)
    }

    pub(crate) fn resolve(&self) -> anyhow::Result<Json> {
        self.resolver.resolve(self.value, &self.path)
    }

    /// Text; numbers and booleans are converted.
    pub(crate) fn text(&self) -> anyhow::Result<String> {
        text_of(&self.resolve()?).ok_or_else(|| self.error("must be text"))
    }

    pub(crate) fn required_text(&self, name: &str) -> anyhow::Result<String> {
        self.required(name)?.text()
    }

    pub(crate) fn optional_text(&self, name: &str) -> anyhow::Result<Option<String>> {
        self.get(name).map(|property| property.text()).transpose()
    }

    /// A list of texts; empty if the property is absent.
    pub(crate) fn texts(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let Some(property) = self.get(name) else { return Ok(Vec::new()) };
        let list = property.resolve()?;
        Ok(list.as_array().into_iter().flatten().filter_map(text_of).collect())
    }

    /// Whether a property is `true`.
    pub(crate) fn flag(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.optional_text(name)?.is_some_and(|text| text == "true"))
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> anyhow::Result<u64> {
        let Some(property) = self.get(name) else { return Ok(default) };
        let number = property.text()?.parse();
        number.map_err(|_| property.error("must be a whole number"))
    }
}
