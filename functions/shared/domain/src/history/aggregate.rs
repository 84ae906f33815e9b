//! The aggregates of one point: the values of the parameter `agg` (docs/PROTOCOL.md, "HTTP").

use std::collections::BTreeSet;

use serde::Serialize;

use crate::bucket::Bucket;
use crate::rejection::Rejection;

/// One aggregate of a bucket, in the order of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// Arithmetic mean.
    Avg,
    /// Smallest value.
    Min,
    /// Greatest value.
    Max,
    /// Median, by nearest rank.
    P50,
    /// 95th percentile, by nearest rank.
    P95,
    /// 99th percentile, by nearest rank.
    P99,
    /// Last value.
    Last,
    /// Number of samples.
    Count,
    /// Sum of the values.
    Sum,
}

impl Aggregate {
    /// Every aggregate, in the order of answers.
    pub const ALL: [Self; 9] = [
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Last,
        Self::Count,
        Self::Sum,
    ];

    /// Those of a query that names none, the most important first.
    pub const DEFAULT: [Self; 5] = [Self::Avg, Self::Min, Self::Max, Self::P95, Self::Count];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Last => "last",
            Self::Count => "count",
            Self::Sum => "sum",
        }
    }

    /// Reads comma-separated lists as one, whose order and repeats do not matter; `None` without any.
    ///
    /// # Errors
    /// `invalid_field` of the field `agg` for an unknown or empty name.
    pub fn read_lists(texts: &[&str]) -> Result<Option<BTreeSet<Self>>, Rejection> {
        let read = texts.iter().flat_map(|text| text.split(',')).map(Self::read);
        let aggregates: BTreeSet<Self> = read.collect::<Result<_, _>>()?;
        Ok(Some(aggregates).filter(|aggregates| !aggregates.is_empty()))
    }

    fn read(text: &str) -> Result<Self, Rejection> {
        let known = Self::ALL.into_iter().find(|aggregate| aggregate.as_str() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Rejection::invalid("agg", format!("must be a list of {names}"))
        })
    }

    /// Whether it comes from a quantile sketch, which is not exact.
    pub fn is_quantile(self) -> bool {
        matches!(self, Self::P50 | Self::P95 | Self::P99)
    }

    /// The value of one point: a gap has a count of 0 and no other value.
    pub fn of(self, point: Option<&Bucket>) -> Option<f64> {
        let Some(bucket) = point else {
            return (self == Self::Count).then_some(0.0);
        };
        Some(match self {
            Self::Avg => bucket.average(),
            Self::Min => bucket.min(),
            Self::Max => bucket.max(),
            Self::P50 => bucket.quantile(0.50),
            Self::P95 => bucket.quantile(0.95),
            Self::P99 => bucket.quantile(0.99),
            Self::Last => bucket.last(),
            Self::Count => bucket.count() as f64,
            Self::Sum => bucket.sum(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_a_set_in_the_order_of_answers() {
        let read = |texts: &[&str]| Aggregate::read_lists(texts).unwrap().map(Vec::from_iter);
        let three = Some(vec![Aggregate::Avg, Aggregate::P99, Aggregate::Sum]);
        assert_eq!(read(&["sum,p99,avg,sum"]), three);
        assert_eq!(read(&["sum", "avg,p99", "sum"]), three);
        assert_eq!(read(&Aggregate::ALL.map(Aggregate::as_str)), Some(Aggregate::ALL.to_vec()));
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn unknown_name_is_rejected() {
        for text in ["", "mean", "avg,", "avg, min", "P95", "p96"] {
            assert_eq!(Aggregate::read_lists(&[text]).unwrap_err().field.as_deref(), Some("agg"), "{text:?}");
        }
    }
}
