//! Raw reports folded into the points of one query.
//!
//! Owns the memory of a fold, which the window's points and the capped number of series bound, not the number of
//! reports. The store hands out each report once, so nothing is told apart here. Ruled by design.md §6.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::answer::{Column, HistoryAnswer, MAX_NAMED_SOURCES, SeriesHistory};
use super::number::Number;
use super::quota::{Quota, default_aggregates};
use super::selection::Selection;
use super::truncated::{Truncated, Truncations};
use super::{Aggregate, HistoryQuery};
use crate::bucket::{Bucket, SampleOrigin, Sum};
use crate::ids::{AppId, Source};
use crate::rejection::Rejection;
use crate::rollup::Rollup;
use crate::series::for_each_sample;
use crate::time::TimestampMs;

/// A history query in the course of being answered.
#[derive(Debug)]
pub struct HistoryFold {
    app: AppId,
    query: HistoryQuery,
    sources: BTreeSet<Arc<Source>>,
    /// What the rollups themselves do not hold whole.
    truncated: Truncations,
    table: Table,
}

impl HistoryFold {
    /// The fold of no report yet.
    pub fn new(app: AppId, query: HistoryQuery) -> Self {
        let (points, quota) = (query.span.window.points(), query.quota());
        let (sources, truncated) = (BTreeSet::new(), Truncations::default());
        Self { app, query, sources, truncated, table: Table::new(points, quota) }
    }

    /// Adds one report, in any order; `hash` is the first 64 bits of the SHA-256 of its document. A report outside the
    /// window changes nothing. Of two numbers of the document with one path, the last in its text counts.
    ///
    /// # Errors
    /// The rejection of a document that should never have been stored. The report is left out entirely; the caller
    /// counts it and goes on.
    pub fn add(
        &mut self,
        timestamp: TimestampMs,
        source: &Source,
        hash: u64,
        document: &str,
    ) -> Result<(), Rejection> {
        let Some(point) = self.query.span.window.index_of(timestamp) else {
            return Ok(());
        };
        if self.table.quota.is_passed() {
            return Ok(());
        }
        self.table.note(document, &self.query.selection)?;
        let source = self.shared(source);
        self.table.settle(point, &SampleOrigin { time: timestamp, source, hash });
        Ok(())
    }

    /// Adds all that `rollup` covers, at the point that holds its start; one outside the window changes nothing.
    pub fn add_rollup(&mut self, rollup: &Rollup) {
        let Some(point) = self.query.span.window.index_of(rollup.span().start()) else {
            return;
        };
        self.sources.extend(rollup.sources().names().cloned());
        self.truncated.note(Truncated::Sources, rollup.sources().has_more());
        self.truncated.note(Truncated::Series, rollup.is_truncated());
        for (name, bucket) in rollup.series() {
            if let Some(place) = self.table.place_of(name, &self.query.selection) {
                self.table.merge(place, point, bucket);
            }
        }
    }

    fn shared(&mut self, source: &Source) -> Arc<Source> {
        if let Some(known) = self.sources.get(source) {
            return Arc::clone(known);
        }
        let shared = Arc::new(source.clone());
        self.sources.insert(Arc::clone(&shared));
        shared
    }

    /// Every series over the whole window, by name, and what of them is not told whole.
    ///
    /// # Errors
    /// `too_many_series`, blaming `series`, when there are more series than the answer may have.
    pub fn into_totals(self) -> Result<(BTreeMap<String, Bucket>, Truncations), Rejection> {
        self.table.quota.check()?;
        // Totals name no source.
        let mut truncated = self.truncated.without(Truncated::Sources);
        let total = |row: Row| {
            let whole = row.points.into_iter().flatten().reduce(|mut whole, part| {
                whole.merge(&part);
                whole
            });
            whole.map(|whole| (row.name, whole))
        };
        let totals: BTreeMap<String, Bucket> = self.table.rows.into_iter().filter_map(total).collect();
        truncated.note(Truncated::Precision, !totals.values().all(Bucket::is_precise));
        Ok((totals, truncated))
    }

    /// The answer, complete up to `complete_to`, exclusive.
    ///
    /// # Errors
    /// `too_many_series`, blaming `series`, when there are more series than the answer may have.
    pub fn finish(self, complete_to: TimestampMs) -> Result<HistoryAnswer, Rejection> {
        self.table.quota.check()?;
        let Table { points, rows, .. } = self.table;
        let asked = self.query.aggregates;
        let default = || default_aggregates(points, rows.len());
        let mut truncated = self.truncated;
        truncated.note(Truncated::Aggregates, asked.is_none() && default().len() < Aggregate::DEFAULT.len());
        let aggregates = asked.unwrap_or_else(default);
        let tells_quantiles = aggregates.iter().any(|aggregate| aggregate.is_quantile());
        truncated.note(Truncated::Precision, tells_quantiles && !rows.iter().all(Row::is_precise));
        truncated.note(Truncated::Sources, self.sources.len() > MAX_NAMED_SOURCES);
        let told = |row: Row| (row.name, series_history(&row.points, &aggregates));
        Ok(HistoryAnswer {
            app: self.app,
            span: self.query.span,
            complete_to,
            series: rows.into_iter().map(told).collect(),
            sources: self.sources.into_iter().take(MAX_NAMED_SOURCES).collect(),
            truncated,
        })
    }
}

fn series_history(points: &[Option<Bucket>], aggregates: &BTreeSet<Aggregate>) -> SeriesHistory {
    let column = |aggregate: Aggregate| {
        let values = points.iter().map(|point| aggregate.of(point.as_ref()).map(Number)).collect();
        Column { aggregate, values }
    };
    let (mut sum, mut count, mut min, mut max) = (Sum::default(), 0, f64::MAX, f64::MIN);
    for bucket in points.iter().flatten() {
        sum.merge(bucket.compensated_sum());
        count += bucket.count();
        min = bucket.min().min(min);
        max = bucket.max().max(max);
    }
    let average = sum.divided_by(count).max(min).min(max);
    SeriesHistory { columns: aggregates.iter().copied().map(column).collect(), average: Number(average) }
}

/// The buckets of the series that the query asks for.
#[derive(Debug)]
struct Table {
    points: usize,
    rows: Vec<Row>,
    /// Place in `rows` by name.
    places: HashMap<String, usize>,
    /// How many rows there may be; nothing is folded any more once there was one too many.
    quota: Quota,
    /// Places of the rows that the report being read has a number for.
    noted: Vec<usize>,
}

#[derive(Debug)]
struct Row {
    name: String,
    /// The number of the report being read.
    noted: Option<f64>,
    points: Vec<Option<Bucket>>,
}

impl Row {
    fn is_precise(&self) -> bool {
        self.points.iter().flatten().all(Bucket::is_precise)
    }
}

impl Table {
    fn new(points: usize, quota: Quota) -> Self {
        Self { points, rows: Vec::new(), places: HashMap::new(), quota, noted: Vec::new() }
    }

    /// Notes the chosen numbers of `document`, the last of each path, or changes nothing where it is corrupt.
    fn note(&mut self, document: &str, selection: &Selection) -> Result<(), Rejection> {
        let (rows, counts) = (self.rows.len(), self.quota.counts());
        let outcome = for_each_sample(document, |name, value| self.note_sample(name, value, selection));
        if outcome.is_err() {
            self.forget_noted();
            for row in self.rows.drain(rows..) {
                self.places.remove(&row.name);
            }
            self.quota.restore(counts);
        }
        outcome.map(|_| ())
    }

    fn forget_noted(&mut self) {
        for place in self.noted.drain(..) {
            if let Some(row) = self.rows.get_mut(place) {
                row.noted = None;
            }
        }
    }

    fn note_sample(&mut self, name: &str, value: f64, selection: &Selection) {
        let Some(place) = self.place_of(name, selection) else {
            return;
        };
        if let Some(row) = self.rows.get_mut(place)
            && row.noted.replace(value).is_none()
        {
            self.noted.push(place);
        }
    }

    /// The place of the series `name`, made if need be; `None` where it is not chosen or is one too many.
    fn place_of(&mut self, name: &str, selection: &Selection) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if !self.quota.admits(selection.chooses(name)?) {
            return None;
        }
        let place = self.rows.len();
        self.rows.push(Row { name: name.to_owned(), noted: None, points: vec![None; self.points] });
        self.places.insert(name.to_owned(), place);
        Some(place)
    }

    fn merge(&mut self, place: usize, point: usize, bucket: &Bucket) {
        match self.rows.get_mut(place).and_then(|row| row.points.get_mut(point)) {
            Some(Some(own)) => own.merge(bucket),
            Some(none) => *none = Some(bucket.clone()),
            None => {}
        }
    }

    /// Adds what was noted to the buckets of `point`.
    fn settle(&mut self, point: usize, at: &SampleOrigin) {
        for place in self.noted.drain(..) {
            let Some(row) = self.rows.get_mut(place) else {
                continue;
            };
            if let (Some(value), Some(bucket)) = (row.noted.take(), row.points.get_mut(point)) {
                match bucket {
                    Some(bucket) => bucket.add(value, at),
                    None => *bucket = Some(Bucket::of(value, at)),
                }
            }
        }
    }
}
