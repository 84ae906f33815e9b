//! The reference model: every figure of a span computed from its raw reports by definition.
//!
//! It shares nothing with rollups but the bins of the sketch, which have tests of their own against exact quantiles.

use std::collections::{BTreeMap, BTreeSet};

use nsl_domain::bucket::{Bucket, Sketch};
use nsl_domain::report::Report;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, Rollup};
use nsl_domain::time_span::TimeSpan;
use serde_json::Value;

use crate::world::{Shop, World};

/// Greatest relative error of a sum.
const SUM_ERROR: f64 = 1e-9;

/// The figures of one series.
#[derive(Debug, PartialEq)]
struct Figures {
    count: u64,
    min: f64,
    max: f64,
    last: f64,
    sketch: Sketch,
}

fn samples(document: &Value, path: &str, found: &mut BTreeMap<String, f64>) {
    let children: Vec<(String, &Value)> = match document {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        Value::Number(number) => {
            found.insert(path.to_owned(), number.as_f64().unwrap());
            return;
        }
        _ => return,
    };
    for (name, value) in children {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        samples(value, &path, found);
    }
}

/// The samples of each series, in the order of time, source and hash.
fn series_of(reports: &[&Report]) -> BTreeMap<String, Vec<f64>> {
    let mut ordered: Vec<&Report> = reports.to_vec();
    ordered.sort_by_key(|report| (report.timestamp, report.source.clone(), report.document.hash()));
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for report in ordered {
        let mut found = BTreeMap::new();
        samples(&serde_json::from_str(report.document.as_str()).unwrap(), "", &mut found);
        found.into_iter().for_each(|(name, value)| series.entry(name).or_default().push(value));
    }
    series
}

fn figures(values: &[f64]) -> Figures {
    let mut sketch = Sketch::default();
    values.iter().for_each(|value| sketch.add(*value));
    Figures {
        count: values.len() as u64,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        last: *values.last().unwrap(),
        sketch,
    }
}

fn figures_of(bucket: &Bucket) -> Figures {
    Figures {
        count: bucket.count(),
        min: bucket.min(),
        max: bucket.max(),
        last: bucket.last(),
        sketch: bucket.sketch().clone(),
    }
}

/// Asserts that `rollup` equals what the model computes from `reports`, all that it covers.
fn assert_matches(rollup: &Rollup, reports: &[&Report]) {
    let context = format!("{:?} through {}", rollup.span(), rollup.through());
    assert_eq!(rollup.reports(), reports.len() as u64, "{context}");
    let sources: BTreeSet<&str> = reports.iter().map(|report| report.source.as_str()).collect();
    let named: BTreeSet<&str> = rollup.sources().names().map(|source| source.as_str()).collect();
    assert_eq!(named, sources, "{context}");
    let expected = series_of(reports);
    let names: Vec<&str> = rollup.series().map(|(name, _)| name).collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{context}");
    for (name, bucket) in rollup.series() {
        let values = &expected[name];
        assert_eq!(figures_of(bucket), figures(values), "{name} of {context}");
        let exact: f64 = values.iter().sum();
        assert!((bucket.sum() - exact).abs() <= exact.abs() * SUM_ERROR, "sum of {name} of {context}");
    }
}

/// Asserts that every stored rollup matches the raw reports it covers, and that reading from coarse to fine counts all
/// reports. Returns how many rollups do not cover their whole span.
pub(crate) async fn assert_agrees(world: &World, shop: &Shop) -> usize {
    let mut incomplete = 0;
    for shard in shop.shards() {
        let of_shard: Vec<&Report> =
            unique(&shop.reports).into_iter().filter(|report| shop.shard_of(report) == shard).collect();
        for resolution in Resolution::ALL {
            for stored in world.stored(&shard, resolution).await {
                let rollup = stored.rollup().unwrap();
                assert_matches(
                    &rollup,
                    &within(&of_shard, TimeSpan::new(rollup.span().start(), rollup.through())),
                );
                incomplete += usize::from(!rollup.is_complete());
            }
        }
        let read = read_down(world, &shard, Resolution::Day, None).await;
        assert_eq!(read.iter().map(Rollup::reports).sum::<u64>(), of_shard.len() as u64, "reports read");
    }
    incomplete
}

/// The reports without repetitions of the same one.
fn unique(reports: &[Report]) -> Vec<&Report> {
    reports.iter().map(|report| (report.id(), report)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn within<'r>(reports: &[&'r Report], span: TimeSpan) -> Vec<&'r Report> {
    reports.iter().filter(|report| span.contains(report.timestamp)).copied().collect()
}

/// Reads as a query does: coarse rollups as far as they cover their spans, then finer ones.
async fn read_down(
    world: &World,
    shard: &AppShard,
    resolution: Resolution,
    span: Option<TimeSpan>,
) -> Vec<Rollup> {
    let inside = |rollup: &Rollup| span.is_none_or(|span| span.contains(rollup.span().start()));
    let mut read = Vec::new();
    let stored = world.stored(shard, resolution).await;
    for rollup in stored.iter().map(|stored| stored.rollup().unwrap()).filter(inside) {
        let rest = TimeSpan::new(rollup.through(), rollup.span().end());
        let finer = rollup.span().finer();
        read.push(rollup);
        if let Some(finer) = finer.filter(|_| rest.from < rest.to) {
            read.extend(Box::pin(read_down(world, shard, finer, Some(rest))).await);
        }
    }
    read
}
