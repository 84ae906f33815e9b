//! Folds rollups and raw reports into the points of one query.
//! Memory depends on the points and series of the answer, not on the number of reports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::aggregate::Aggregate;
use super::answer::{HistoryAnswer, SeriesHistory};
use super::latest::MAX_LISTED_SOURCES;
use super::number::Number;
use super::query::HistoryQuery;
use super::quota::{Quota, default_aggregates};
use super::truncated::{Truncated, Truncations};
use crate::bucket::{Bucket, SampleOrigin, Sum};
use crate::ids::{AppId, Source};
use crate::rejection::Rejection;
use crate::rollup::Rollup;
use crate::series::for_each_sample;
use crate::time::TimestampMs;

/// Builds the answer to one history query.
#[derive(Debug)]
pub struct HistoryFold {
    app: AppId,
    query: HistoryQuery,
    sources: BTreeSet<Arc<Source>>,
    /// What the rollups lack.
    truncated: Truncations,
    /// The points of each selected series, by name.
    rows: HashMap<String, Points>,
    quota: Quota,
}

/// One entry for each point of the window, `None` for a gap.
type Points = Vec<Option<Bucket>>;

/// Each series over the whole window, by name.
#[derive(Debug)]
pub struct Totals {
    /// The series.
    pub series: BTreeMap<String, Bucket>,
    /// What is incomplete in them.
    pub truncated: Truncations,
}

impl HistoryFold {
    /// A fold of nothing.
    pub fn new(app: AppId, query: HistoryQuery) -> Self {
        Self {
            app,
            quota: query.quota(),
            query,
            sources: BTreeSet::new(),
            truncated: Truncations::default(),
            rows: HashMap::new(),
        }
    }

    /// Adds one report, in any order; `hash` is the first 64 bits of the SHA-256 of its document. A report outside the
    /// window is ignored. Each report must be added once. If a path occurs twice in a document, its last number counts.
    ///
    /// # Errors
    /// The rejection of an invalid document, which should never have been stored. Nothing of the report is added.
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
        if self.quota.is_exceeded() {
            return Ok(());
        }
        let mut values = BTreeMap::new();
        for_each_sample(document, |name, value| {
            // Most names have a row already, and a lookup is cheaper than matching patterns.
            if self.rows.contains_key(name) || self.query.selection.select(name).is_some() {
                values.insert(name.to_owned(), value);
            }
        })?;
        let at = SampleOrigin::sharing(&mut self.sources, timestamp, source, hash);
        for (name, value) in values {
            match self.point(&name, point) {
                Some(Some(bucket)) => bucket.add(value, &at),
                Some(gap) => *gap = Some(Bucket::of(value, &at)),
                None => {}
            }
        }
        Ok(())
    }

    /// Adds a rollup to the point that contains its start; one that starts outside the window is ignored.
    pub fn add_rollup(&mut self, rollup: &Rollup) {
        let Some(point) = self.query.span.window.index_of(rollup.span().start()) else {
            return;
        };
        self.sources.extend(rollup.sources().names().cloned());
        self.truncated.note(Truncated::Sources, rollup.sources().has_more());
        self.truncated.note(Truncated::Series, rollup.is_truncated());
        for (name, bucket) in rollup.series() {
            match self.point(name, point) {
                Some(Some(own)) => own.merge(bucket),
                Some(gap) => *gap = Some(bucket.clone()),
                None => {}
            }
        }
    }

    /// One point of the series `name`, whose row is added if it is new; `None` if it is not selected or exceeds the quota.
    fn point(&mut self, name: &str, point: usize) -> Option<&mut Option<Bucket>> {
        if !self.rows.contains_key(name) {
            if !self.quota.admit(self.query.selection.select(name)?) {
                return None;
            }
            self.rows.insert(name.to_owned(), vec![None; self.query.span.window.points()]);
        }
        self.rows.get_mut(name)?.get_mut(point)
    }

    /// Each series over the whole window.
    ///
    /// # Errors
    /// `too_many_series` of the field `series` if there are more series than the answer may have.
    pub fn into_totals(self) -> Result<Totals, Rejection> {
        self.quota.check()?;
        // Totals list no source.
        let mut truncated = self.truncated.without(Truncated::Sources);
        let total = |(name, points): (String, Points)| {
            let total = points.into_iter().flatten().reduce(|mut total, part| {
                total.merge(&part);
                total
            });
            total.map(|total| (name, total))
        };
        let series: BTreeMap<String, Bucket> = self.rows.into_iter().filter_map(total).collect();
        truncated.note(Truncated::Precision, !series.values().all(Bucket::is_precise));
        Ok(Totals { series, truncated })
    }

    /// The answer, complete up to `complete_to`, exclusive.
    ///
    /// # Errors
    /// `too_many_series` of the field `series` if there are more series than the answer may have.
    pub fn finish(self, complete_to: TimestampMs) -> Result<HistoryAnswer, Rejection> {
        self.quota.check()?;
        let mut truncated = self.truncated;
        let aggregates = self.query.aggregates.unwrap_or_else(|| {
            let fitting = default_aggregates(self.query.span.window.points(), self.rows.len());
            truncated.note(Truncated::Aggregates, fitting.len() < Aggregate::DEFAULT.len());
            fitting
        });
        let has_quantiles = aggregates.iter().any(|aggregate| aggregate.is_quantile());
        let mut buckets = self.rows.values().flatten().flatten();
        truncated.note(Truncated::Precision, has_quantiles && !buckets.all(Bucket::is_precise));
        truncated.note(Truncated::Sources, self.sources.len() > MAX_LISTED_SOURCES);
        let history = |(name, points): (String, Points)| (name, series_history(&points, &aggregates));
        Ok(HistoryAnswer {
            app: self.app,
            span: self.query.span,
            complete_to,
            series: self.rows.into_iter().map(history).collect(),
            sources: self.sources.into_iter().take(MAX_LISTED_SOURCES).collect(),
            truncated,
        })
    }
}

fn series_history(points: &[Option<Bucket>], aggregates: &BTreeSet<Aggregate>) -> SeriesHistory {
    let column =
        |aggregate: Aggregate| points.iter().map(|point| aggregate.of(point.as_ref()).map(Number)).collect();
    let columns = aggregates.iter().map(|aggregate| (*aggregate, column(*aggregate))).collect();
    let (mut sum, mut count, mut min, mut max) = (Sum::default(), 0, f64::MAX, f64::MIN);
    for bucket in points.iter().flatten() {
        sum.merge(bucket.compensated_sum());
        count += bucket.count();
        min = bucket.min().min(min);
        max = bucket.max().max(max);
    }
    let average = sum.divided_by(count).max(min).min(max);
    SeriesHistory { columns, average: Number(average) }
}
