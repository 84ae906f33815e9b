//! Tables: the CreateTable request for each `AWS::DynamoDB::Table`, and its time to live.
//!
//! Keys, indexes, the stream and the time to live matter to functions; backups, encryption and capacity are left out.

use serde_json::{Map, Value as Json, json};

use super::property::{ActiveResource, resources};
use super::resolve::Resolver;

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
        if let Some(request) = self.create.as_object_mut() {
            request.insert("TableName".to_owned(), json!(name));
        }
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
    let mut create = Map::new();
    create.insert("TableName".into(), json!(name));
    create.insert("BillingMode".into(), json!("PAY_PER_REQUEST"));
    for required in ["AttributeDefinitions", "KeySchema"] {
        create.insert(required.into(), properties.required(required)?.resolve()?);
    }
    for optional in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(indexes) = properties.get(optional) {
            create.insert(optional.into(), without_capacity(indexes.resolve()?));
        }
    }
    if let Some(stream) = properties.get("StreamSpecification") {
        let mut stream = stream.resolve()?;
        if let Some(stream) = stream.as_object_mut() {
            stream.insert("StreamEnabled".into(), json!(true));
        }
        create.insert("StreamSpecification".into(), stream);
    }
    let ttl_attribute = match properties.get("TimeToLiveSpecification") {
        Some(ttl) if ttl.flag("Enabled")? => ttl.optional_text("AttributeName")?,
        Some(_) | None => None,
    };
    Ok(Table { name, create: Json::Object(create), ttl_attribute })
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
