//! Event source mappings: which function a table's stream invokes, with which batches and which patience.
//!
//! They come from `DynamoDB` events of functions and from `AWS::Lambda::EventSourceMapping`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value as Json;
use yaml_serde::Value;

use super::document::named;
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::filter_pattern::FilterPattern;
use super::functions::{Function, by_arn};
use super::resolve::Resolver;
use super::tables::Table;

/// Lambda's own default for streams.
const DEFAULT_BATCH_SIZE: i64 = 100;
/// Lambda's ranges; -1 stands for no limit of its own.
const BATCH_SIZE: RangeInclusive<i64> = 1..=10_000;
const WINDOW_S: RangeInclusive<i64> = 0..=300;
const PARALLELIZATION: RangeInclusive<i64> = 1..=10;
const RETRY_ATTEMPTS: RangeInclusive<i64> = -1..=10_000;
const RECORD_AGE_S: RangeInclusive<i64> = 60..=604_800;
const NO_LIMIT: i64 = -1;

/// A stream that invokes a function.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlan {
    /// Unique within the template, and fit for a file's name.
    pub(crate) id: String,
    /// The logical id of the function.
    pub(crate) function: String,
    pub(crate) table: String,
    /// Whether a mapping without a past skips what the stream holds already.
    pub(crate) latest: bool,
    /// Each record must match one of them, unless there are none.
    pub(crate) filters: Vec<FilterPattern>,
    pub(crate) rules: StreamRules,
    /// The ARN of what is told of records that are given up.
    pub(crate) on_failure: Option<String>,
}

/// How records become batches, and how long a batch is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamRules {
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    /// Batches of one shard that may be under way at once; order is then kept per item only.
    pub(crate) parallel: usize,
    /// Whether the function may answer which records failed.
    pub(crate) reports_failures: bool,
    /// Whether a batch that failed is halved.
    pub(crate) bisects: bool,
    /// Absent: until the records expire.
    pub(crate) retries: Option<u32>,
    /// Absent: as old as the stream keeps them.
    pub(crate) max_age: Option<Duration>,
}

pub(crate) fn plan(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    tables: &[Table],
) -> Result<Vec<StreamPlan>, TemplateError> {
    let mut streams = Vec::new();
    for (id, resource) in resolver.resources("AWS::Serverless::Function")? {
        let events = resource.properties.get("Events").and_then(Value::as_mapping);
        for (name, event) in events.into_iter().flat_map(named) {
            if event.get("Type").and_then(Value::as_str) == Some("DynamoDB") {
                let place = PropertyPath::new(id, format!("Events.{name}"));
                let properties =
                    event.get("Properties").ok_or_else(|| place.wrong(PropertyError::Missing))?;
                let source = Source { resolver, properties, place, stream: "Stream" };
                streams.extend(source.plan(format!("{id}{name}"), id.to_owned(), tables)?);
            }
        }
    }
    for (id, resource) in resolver.resources("AWS::Lambda::EventSourceMapping")? {
        let place = PropertyPath::new(id, "");
        let source = Source { resolver, properties: &resource.properties, place, stream: "EventSourceArn" };
        let function_place = source.place.child("FunctionName");
        let function = by_arn(functions, &source.text("FunctionName")?, &function_place)?;
        streams.extend(source.plan(id.to_owned(), function, tables)?);
    }
    Ok(streams)
}

/// The properties of one mapping, where they stand, and the name of the one that holds the stream's ARN.
struct Source<'r, 't> {
    resolver: &'r Resolver<'t>,
    properties: &'r Value,
    place: PropertyPath,
    stream: &'static str,
}

impl Source<'_, '_> {
    /// `None` for a mapping that is turned off.
    fn plan(
        &self,
        id: String,
        function: String,
        tables: &[Table],
    ) -> Result<Option<StreamPlan>, TemplateError> {
        if self.optional("Enabled")?.is_some_and(|enabled| enabled == false || enabled == "false") {
            return Ok(None);
        }
        if self.properties.get("TumblingWindowInSeconds").is_some() {
            return Err(
                self.wrong("TumblingWindowInSeconds", PropertyError::Unsupported("a tumbling window"))
            );
        }
        let latest = match self.text("StartingPosition")?.as_str() {
            "TRIM_HORIZON" => false,
            "LATEST" => true,
            _ => return Err(self.wrong("StartingPosition", PropertyError::MustBe("TRIM_HORIZON or LATEST"))),
        };
        let on_failure = self.optional("DestinationConfig")?;
        let on_failure = on_failure.as_ref().and_then(|config| config.pointer("/OnFailure/Destination"));
        let (table, filters, rules) = (self.table(tables)?, self.filters()?, self.rules()?);
        let on_failure = on_failure.and_then(Json::as_str).map(str::to_owned);
        Ok(Some(StreamPlan { id, function, table, latest, filters, rules, on_failure }))
    }

    fn rules(&self) -> Result<StreamRules, TemplateError> {
        let types = self.optional("FunctionResponseTypes")?.unwrap_or_default();
        let types: Vec<&str> = types.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        if types.iter().any(|name| *name != "ReportBatchItemFailures") {
            let wrong = PropertyError::MustBe("[ReportBatchItemFailures]");
            return Err(self.wrong("FunctionResponseTypes", wrong));
        }
        let bisects = self.optional("BisectBatchOnFunctionError")?;
        let retries = self.number("MaximumRetryAttempts", NO_LIMIT, &RETRY_ATTEMPTS)?;
        let age =
            match self.number("MaximumRecordAgeInSeconds", NO_LIMIT, &(NO_LIMIT..=*RECORD_AGE_S.end()))? {
                NO_LIMIT => None,
                age if RECORD_AGE_S.contains(&age) => Some(age),
                _ => {
                    return Err(
                        self.wrong("MaximumRecordAgeInSeconds", PropertyError::MustBe("-1 or at least 60"))
                    );
                }
            };
        let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Ok(StreamRules {
            batch_size: self.count("BatchSize", DEFAULT_BATCH_SIZE, &BATCH_SIZE)?,
            window: seconds(self.number("MaximumBatchingWindowInSeconds", 0, &WINDOW_S)?),
            parallel: self.count("ParallelizationFactor", 1, &PARALLELIZATION)?,
            reports_failures: !types.is_empty(),
            bisects: bisects.is_some_and(|flag| flag == true || flag == "true"),
            retries: u32::try_from(retries).ok(),
            max_age: age.map(seconds),
        })
    }

    /// The name of the table whose stream it is.
    fn table(&self, tables: &[Table]) -> Result<String, TemplateError> {
        let arn = self.text(self.stream)?;
        let path = arn.split_once(":table/").and_then(|(_, path)| path.split_once("/stream/"));
        let Some((name, _)) = path.filter(|_| arn.contains(":dynamodb:")) else {
            return Err(self.wrong(self.stream, PropertyError::MustBe("the ARN of a table's stream")));
        };
        match tables.iter().find(|table| table.name == name) {
            Some(table) if table.create.get("StreamSpecification").is_none() => {
                Err(self.wrong(self.stream, PropertyError::NoStream(name.to_owned())))
            }
            Some(_) => Ok(name.to_owned()),
            None => Err(self.wrong(self.stream, PropertyError::NoSuchTable(name.to_owned()))),
        }
    }

    fn filters(&self) -> Result<Vec<FilterPattern>, TemplateError> {
        let criteria = self.optional("FilterCriteria")?.unwrap_or_default();
        let filters = criteria.get("Filters").and_then(Json::as_array);
        let mut patterns = Vec::new();
        for (index, filter) in filters.into_iter().flatten().enumerate() {
            let place = self.place.child(format!("FilterCriteria.Filters.{index}.Pattern"));
            let pattern = filter.get("Pattern").and_then(Json::as_str);
            let pattern = pattern.ok_or_else(|| place.wrong(PropertyError::MustBe("JSON in a text")))?;
            patterns.push(
                FilterPattern::parse(pattern).map_err(|fault| place.wrong(PropertyError::Pattern(fault)))?,
            );
        }
        Ok(patterns)
    }

    fn optional(&self, name: &str) -> Result<Option<Json>, TemplateError> {
        let value = self.properties.get(name);
        value.map(|value| self.resolver.resolve(value, &self.place.child(name))).transpose()
    }

    fn text(&self, name: &'static str) -> Result<String, TemplateError> {
        let value = self.properties.get(name).ok_or_else(|| self.wrong(name, PropertyError::Missing))?;
        self.resolver.string(value, &self.place.child(name))
    }

    fn number(
        &self,
        name: &'static str,
        default: i64,
        range: &RangeInclusive<i64>,
    ) -> Result<i64, TemplateError> {
        let Some(value) = self.properties.get(name) else { return Ok(default) };
        let text = self.resolver.string(value, &self.place.child(name))?;
        let number = text.parse::<i64>().ok().filter(|number| range.contains(number));
        let (least, most) = (*range.start(), *range.end());
        number.ok_or_else(|| self.wrong(name, PropertyError::OutOfRange { least, most }))
    }

    /// A number whose range begins at 0 or above.
    fn count(
        &self,
        name: &'static str,
        default: i64,
        range: &RangeInclusive<i64>,
    ) -> Result<usize, TemplateError> {
        Ok(usize::try_from(self.number(name, default, range)?).unwrap_or_default())
    }

    fn wrong(&self, name: &str, kind: PropertyError) -> TemplateError {
        self.place.child(name).wrong(kind)
    }
}
