//! Event source mappings: which function a table's stream invokes, how records are batched and how often retried.
//!
//! They come from `DynamoDB` events of functions.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value as Json;

use super::filter_pattern::FilterPattern;
use super::functions::{FunctionEvent, events};
use super::property::{Property, resources};
use super::resolve::Resolver;
use super::tables::Table;

/// Lambda's own default for streams.
const DEFAULT_BATCH_SIZE: i64 = 100;
/// Lambda's ranges; -1 means no limit.
const BATCH_SIZE: RangeInclusive<i64> = 1..=10_000;
const WINDOW_S: RangeInclusive<i64> = 0..=300;
const PARALLELIZATION: RangeInclusive<i64> = 1..=10;
const RETRY_ATTEMPTS: RangeInclusive<i64> = -1..=10_000;
const RECORD_AGE_S: RangeInclusive<i64> = -1..=604_800;
const MIN_RECORD_AGE_S: i64 = 60;
const NO_LIMIT: i64 = -1;

/// A stream that invokes a function.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlan {
    /// Unique in the template, and usable as a file name.
    pub(crate) id: String,
    /// The function's logical id.
    pub(crate) function: String,
    pub(crate) table: String,
    /// A record must match one of them; empty for all records.
    pub(crate) filters: Vec<FilterPattern>,
    pub(crate) rules: StreamRules,
    /// The ARN of the destination for discarded records.
    pub(crate) on_failure: Option<String>,
}

/// How records are batched, and how long a batch is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamRules {
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    /// Batches of one shard that may be in flight at once; order is then kept per item only.
    pub(crate) parallel: usize,
    /// Whether the function's response names the records that failed.
    pub(crate) reports_failures: bool,
    /// Whether a failed batch is halved.
    pub(crate) bisects: bool,
    /// `None`: until the records expire.
    pub(crate) retries: Option<u32>,
    /// `None`: as long as the stream keeps them.
    pub(crate) max_age: Option<Duration>,
}

pub(crate) fn plan(resolver: &Resolver<'_>, tables: &[Table]) -> anyhow::Result<Vec<StreamPlan>> {
    let mut streams = Vec::new();
    for FunctionEvent { function, name, property } in events(resolver, "DynamoDB")? {
        // Errors name `Events.Name.BatchSize`, without the level `Properties`.
        let properties = Property { path: property.path.clone(), ..property.required("Properties")? };
        let id = format!("{function}{name}");
        streams.extend(stream_plan(&properties, id, function.to_owned(), tables)?);
    }
    if let Some(mapping) = resources(resolver, "AWS::Lambda::EventSourceMapping")?.first() {
        return Err(mapping
            .properties
            .error("only `DynamoDB` events of functions are supported by the gateway"));
    }
    Ok(streams)
}

/// `None` for a mapping that is not enabled.
fn stream_plan(
    properties: &Property<'_>,
    id: String,
    function: String,
    tables: &[Table],
) -> anyhow::Result<Option<StreamPlan>> {
    if properties.optional_text("Enabled")?.is_some_and(|enabled| enabled == "false") {
        return Ok(None);
    }
    if let Some(window) = properties.get("TumblingWindowInSeconds") {
        return Err(window.error("a tumbling window is not supported by the gateway"));
    }
    let position = properties.required("StartingPosition")?;
    if position.text()? != "TRIM_HORIZON" {
        return Err(position.error("any position but TRIM_HORIZON is not supported by the gateway"));
    }
    Ok(Some(StreamPlan {
        id,
        function,
        table: table_of(&properties.required("Stream")?, tables)?,
        filters: filters(properties)?,
        rules: rules(properties)?,
        on_failure: properties.optional_text("DestinationConfig.OnFailure.Destination")?,
    }))
}

fn rules(properties: &Property<'_>) -> anyhow::Result<StreamRules> {
    let response_types = properties.texts("FunctionResponseTypes")?;
    if response_types.iter().any(|name| name != "ReportBatchItemFailures") {
        let path = properties.path.child("FunctionResponseTypes");
        return Err(path.error("must be [ReportBatchItemFailures]"));
    }
    let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let count = |number: i64| usize::try_from(number).unwrap_or_default();
    let max_age_s = ranged(properties, "MaximumRecordAgeInSeconds", NO_LIMIT, &RECORD_AGE_S)?;
    if max_age_s != NO_LIMIT && max_age_s < MIN_RECORD_AGE_S {
        let path = properties.path.child("MaximumRecordAgeInSeconds");
        return Err(path.error("must be -1 or at least 60"));
    }
    let window_s = ranged(properties, "MaximumBatchingWindowInSeconds", 0, &WINDOW_S)?;
    let retries = ranged(properties, "MaximumRetryAttempts", NO_LIMIT, &RETRY_ATTEMPTS)?;
    Ok(StreamRules {
        batch_size: count(ranged(properties, "BatchSize", DEFAULT_BATCH_SIZE, &BATCH_SIZE)?),
        window: seconds(window_s),
        parallel: count(ranged(properties, "ParallelizationFactor", 1, &PARALLELIZATION)?),
        reports_failures: !response_types.is_empty(),
        bisects: properties.flag("BisectBatchOnFunctionError")?,
        retries: u32::try_from(retries).ok(),
        max_age: (max_age_s != NO_LIMIT).then(|| seconds(max_age_s)),
    })
}

fn ranged(
    properties: &Property<'_>,
    name: &str,
    default: i64,
    range: &RangeInclusive<i64>,
) -> anyhow::Result<i64> {
    let Some(property) = properties.get(name) else { return Ok(default) };
    let number = property.text()?.parse::<i64>().ok().filter(|number| range.contains(number));
    let (least, most) = (*range.start(), *range.end());
    number.ok_or_else(|| property.error(format!("must be a whole number from {least} to {most}")))
}

/// The name of the table with this stream.
fn table_of(stream: &Property<'_>, tables: &[Table]) -> anyhow::Result<String> {
    let arn = stream.text()?;
    let path = arn.split_once(":table/").and_then(|(_, path)| path.split_once("/stream/"));
    let Some((name, _)) = path.filter(|_| arn.contains(":dynamodb:")) else {
        return Err(stream.error("must be the ARN of a table's stream"));
    };
    match tables.iter().find(|table| table.name == name) {
        Some(table) if table.create.get("StreamSpecification").is_none() => {
            Err(stream.error(format!("the table `{name}` has no StreamSpecification")))
        }
        Some(_) => Ok(name.to_owned()),
        None => Err(stream.error(format!("`{name}` is not a table of this template"))),
    }
}

fn filters(properties: &Property<'_>) -> anyhow::Result<Vec<FilterPattern>> {
    let Some(criteria) = properties.get("FilterCriteria") else { return Ok(Vec::new()) };
    let resolved = criteria.resolve()?;
    let mut patterns = Vec::new();
    for (index, filter) in resolved.get("Filters").and_then(Json::as_array).into_iter().flatten().enumerate()
    {
        let path = criteria.path.child(format!("Filters.{index}.Pattern"));
        let pattern = filter.get("Pattern").and_then(Json::as_str);
        let pattern = pattern.ok_or_else(|| path.error("must be JSON in a text"))?;
        patterns
            .push(FilterPattern::parse(pattern).map_err(|error| path.error(format!("the pattern {error}")))?);
    }
    Ok(patterns)
}
