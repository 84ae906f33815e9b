//! The path of a property: every error of the template names the resource's logical id and the property.

use std::fmt;

use anyhow::anyhow;

#[derive(Clone, Debug)]
pub(crate) struct PropertyPath {
    logical_id: String,
    property: String,
}

impl PropertyPath {
    pub(crate) fn new(logical_id: impl Into<String>, property: impl Into<String>) -> Self {
        Self { logical_id: logical_id.into(), property: property.into() }
    }

    pub(crate) fn child(&self, name: impl fmt::Display) -> Self {
        let property =
            if self.property.is_empty() { name.to_string() } else { format!("{}.{name}", self.property) };
        Self { logical_id: self.logical_id.clone(), property }
    }

    pub(crate) fn error(&self, text: impl fmt::Display) -> anyhow::Error {
        let Self { logical_id, property } = self;
        if property.is_empty() {
            return anyhow!("{logical_id}: {text}");
        }
        anyhow!("{logical_id}: {property}: {text}")
    }
}
