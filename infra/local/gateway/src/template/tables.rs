//! Tables: the CreateTable request for each `AWS::DynamoDB::Table`, and its time to live.
//!
//! Backups, encryption and capacity mean nothing on one machine and are left out; keys, indexes with their
//! projections, the stream and the time to live are what functions notice.

use serde_json::{Map, Value as Json, json};

use super::error::{PropertyError, PropertyPath, TemplateError};
use super::resolve::Resolver;

/// A table to create.
#[derive(Debug)]
pub struct Table {
    pub(crate) name: String,
    /// The body of the CreateTable call.
    pub(crate) create: Json,
    /// The attribute that holds an item's time of death, in epoch seconds.
    pub(crate) ttl_attribute: Option<String>,
}

impl Table {
    /// The name that it gets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same table whose items never die, for tests whose clock is not the engine's: what they store may be past
    /// its age by the wall clock, and the engine would delete it under their hands.
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

pub(crate) fn plan(resolver: &Resolver<'_>) -> Result<Vec<Table>, TemplateError> {
    let mut tables = Vec::new();
    for (id, resource) in resolver.resources("AWS::DynamoDB::Table")? {
        let place = PropertyPath::new(id, "");
        let mut create = Map::new();
        let name = match resource.properties.get("TableName") {
            Some(name) => resolver.string(name, &place.child("TableName"))?,
            None => id.to_owned(),
        };
        create.insert("TableName".into(), json!(name));
        create.insert("BillingMode".into(), json!("PAY_PER_REQUEST"));
        for (property, required) in [
            ("AttributeDefinitions", true),
            ("KeySchema", true),
            ("GlobalSecondaryIndexes", false),
            ("LocalSecondaryIndexes", false),
        ] {
            let place = place.child(property);
            match resource.properties.get(property) {
                Some(value) => {
                    create.insert(property.into(), without_capacity(resolver.resolve(value, &place)?))
                }
                None if required => return Err(place.wrong(PropertyError::Missing)),
                None => None,
            };
        }
        if let Some(stream) = resource.properties.get("StreamSpecification") {
            let mut stream = resolver.resolve(stream, &place.child("StreamSpecification"))?;
            if let Some(stream) = stream.as_object_mut() {
                stream.insert("StreamEnabled".into(), json!(true));
            }
            create.insert("StreamSpecification".into(), stream);
        }
        let ttl = match resource.properties.get("TimeToLiveSpecification") {
            Some(ttl) => resolver.resolve(ttl, &place.child("TimeToLiveSpecification"))?,
            None => Json::Null,
        };
        let enabled = ttl.get("Enabled").is_some_and(|flag| flag == true || flag == "true");
        let attribute = ttl.get("AttributeName").and_then(Json::as_str).filter(|_| enabled);
        tables.push(Table {
            name,
            create: Json::Object(create),
            ttl_attribute: attribute.map(str::to_owned),
        });
    }
    Ok(tables)
}

/// Takes the capacity settings off indexes: CreateTable refuses them for a table that is paid per request.
fn without_capacity(mut value: Json) -> Json {
    for index in value.as_array_mut().into_iter().flatten() {
        if let Some(index) = index.as_object_mut() {
            index.remove("ProvisionedThroughput");
        }
    }
    value
}
