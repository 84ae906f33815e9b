//! Tables: the CreateTable request for each `AWS::DynamoDB::Table`, and its time to live.
//!
//! Keys, indexes, the stream and the time to live matter to functions; backups, encryption and capacity are left out.

use serde_json::{Value as Json, json};

use super::property::{ActiveResource, resources};
use super::resolve::Resolver;
use crate::json::extended;

/// A table to create.
#[derive(Debug)]
pub struct Table {
    pub(crate) name: String,
    /// The body of the CreateTable call.
    pub(crate) create: Json,
    /// The attribute with an item's expiry in epoch seconds.
    pub(crate) ttl_attribute: Option<String>,
}

impl Table {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same table without a time to live, for tests with a clock of their own: by the wall clock their items may
    /// be expired, and the engine would delete them.
    #[must_use]
    pub fn without_ttl(mut self) -> Self {
        self.ttl_attribute = None;
        self
    }

    /// The same table under another name, for tests that share an endpoint.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.create = extended(self.create, json!({ "TableName": name }));
        name.clone_into(&mut self.name);
        self
    }
}

pub(crate) fn plan(resolver: &Resolver<'_>) -> anyhow::Result<Vec<Table>> {
    resources(resolver, "AWS::DynamoDB::Table")?.iter().map(table).collect()
}

fn table(resource: &ActiveResource<'_>) -> anyhow::Result<Table> {
    let properties = &resource.properties;
    let name = properties.optional_text("TableName")?.unwrap_or_else(|| resource.id.to_owned());
    let mut create = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": properties.required("AttributeDefinitions")?.resolve()?,
        "KeySchema": properties.required("KeySchema")?.resolve()?,
    });
    for optional in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(indexes) = properties.get(optional) {
            create = extended(create, json!({ optional: without_capacity(indexes.resolve()?) }));
        }
    }
    if let Some(stream) = properties.get("StreamSpecification") {
        let stream = extended(stream.resolve()?, json!({ "StreamEnabled": true }));
        create = extended(create, json!({ "StreamSpecification": stream }));
    }
    let ttl_attribute = match properties.get("TimeToLiveSpecification") {
        Some(ttl) if ttl.flag("Enabled")? => ttl.optional_text("AttributeName")?,
        Some(_) | None => None,
    };
    Ok(Table { name, create, ttl_attribute })
}

/// Removes the capacity of indexes, which CreateTable rejects for on-demand tables.
fn without_capacity(mut value: Json) -> Json {
    for index in value.as_array_mut().into_iter().flatten() {
        if let Some(index) = index.as_object_mut() {
            index.remove("ProvisionedThroughput");
        }
    }
    value
}
