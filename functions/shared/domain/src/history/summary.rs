//! The answers of `GET /apps/{appId}/summary` and `GET /apps/{appId}/series`: one row for each series.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fold::Totals;
use super::latest::MAX_LISTED_BYTES;
use super::number::Number;
use super::truncated::{Truncated, Truncations};
use crate::bucket::Bucket;
use crate::ids::AppId;
use crate::series::{Unit, for_each_sample};
use crate::time::TimestampMs;
use crate::window::query_span::QuerySpan;
use crate::window::time_range::TimeRange;

/// One series over a window, its members in the order of docs/PROTOCOL.md, "The other answers".
#[derive(Debug, Serialize)]
struct SummaryRow {
    name: String,
    count: Number,
    avg: Number,
    min: Number,
    max: Number,
    p50: Number,
    p95: Number,
    p99: Number,
    last: Number,
    /// The relative difference of the average from that of the window before: 0.1 is a tenth more. `null` if the series
    /// was not reported before or its average was 0.
    change: Option<Number>,
}

/// The answer of `GET /apps/{appId}/summary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryAnswer {
    app_id: AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_range: Option<TimeRange>,
    from: TimestampMs,
    to: TimestampMs,
    complete_to: TimestampMs,
    /// By name.
    series: Vec<SummaryRow>,
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    truncated: Truncations,
}

impl SummaryAnswer {
    /// The summary of `span` from its totals and from those of the window before.
    pub fn new(
        app: AppId,
        span: &QuerySpan,
        complete_to: TimestampMs,
        totals: Totals,
        before: &Totals,
    ) -> Self {
        let row = |(name, bucket)| row(before.series.get(&name), name, &bucket);
        Self {
            app_id: app,
            time_range: span.time_range,
            from: span.window.from(),
            to: span.window.to(),
            complete_to,
            series: totals.series.into_iter().map(row).collect(),
            truncated: totals.truncated,
        }
    }
}

fn row(before: Option<&Bucket>, name: String, bucket: &Bucket) -> SummaryRow {
    SummaryRow {
        name,
        count: Number(bucket.count() as f64),
        avg: Number(bucket.average()),
        min: Number(bucket.min()),
        max: Number(bucket.max()),
        p50: Number(bucket.quantile(0.50)),
        p95: Number(bucket.quantile(0.95)),
        p99: Number(bucket.quantile(0.99)),
        last: Number(bucket.last()),
        change: before.and_then(|before| change(bucket, before)),
    }
}

fn change(bucket: &Bucket, before: &Bucket) -> Option<Number> {
    let (now, then) = (bucket.average(), before.average());
    let change = (now - then) / then.abs();
    change.is_finite().then_some(Number(change))
}

#[derive(Debug, Serialize)]
struct SeriesRow {
    name: String,
    /// `percent`, `bytes` or `seconds`, if its name implies one.
    unit: Option<&'static str>,
    last: Number,
}

/// The answer of `GET /apps/{appId}/series`: every series of the last report of each source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesAnswer {
    app_id: AppId,
    /// By name, at most [`MAX_LISTED_BYTES`] of them.
    series: Vec<SeriesRow>,
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    truncated: Truncations,
}

impl SeriesAnswer {
    /// The series of `documents`, given oldest first, so that the last value counts. Invalid documents are left out.
    /// `truncated` is what is incomplete in the documents.
    pub fn new<'d>(
        app: AppId,
        documents: impl IntoIterator<Item = &'d str>,
        mut truncated: Truncations,
    ) -> Self {
        let mut known: BTreeMap<String, f64> = BTreeMap::new();
        let mut bytes = 0;
        for document in documents {
            let mut samples = Vec::new();
            if for_each_sample(document, |name, value| samples.push((name.to_owned(), value))).is_err() {
                continue;
            }
            for (name, value) in samples {
                let row = row_bytes(&name);
                bytes += if known.insert(name, value).is_none() { row } else { 0 };
            }
            truncated.note(Truncated::Series, bytes > MAX_LISTED_BYTES);
            while bytes > MAX_LISTED_BYTES {
                bytes -= known.pop_last().map_or(bytes, |(name, _)| row_bytes(&name));
            }
        }
        let row = |(name, last): (String, f64)| SeriesRow {
            unit: Unit::of_series(&name).map(Unit::as_str),
            name,
            last: Number(last),
        };
        Self { app_id: app, series: known.into_iter().map(row).collect(), truncated }
    }
}

/// Most bytes of a row of the answer, without the second escaping of [`MAX_LISTED_BYTES`].
fn row_bytes(name: &str) -> usize {
    const REST: usize = 64;
    let written = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    REST + name.bytes().map(written).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::SampleOrigin;
    use crate::ids::Source;
    use serde_json::json;

    fn app() -> AppId {
        AppId::new("shop").unwrap()
    }

    #[test]
    fn last_document_has_the_value_and_the_name_its_unit() {
        let documents = [r#"{"memory":{"used":1},"a":1}"#, "no json", r#"{"memory":{"used":2}}"#];
        let answer =
            serde_json::to_value(SeriesAnswer::new(app(), documents, Truncations::default())).unwrap();
        assert_eq!(
            answer,
            json!({"appId": "shop", "series": [
                {"name": "a", "unit": null, "last": 1},
                {"name": "memory.used", "unit": "bytes", "last": 2},
            ]})
        );
    }

    #[test]
    fn first_series_by_name_are_listed_if_they_do_not_all_fit() {
        let document = |group: usize| json!({ format!("b{group:02}{}", "x".repeat(200)): vec![1; 512] });
        let documents: Vec<String> = (0..19).map(|group| document(group).to_string()).collect();
        let listed = |documents: &[String]| {
            let documents = documents.iter().map(String::as_str);
            serde_json::to_value(SeriesAnswer::new(app(), documents, Truncations::default())).unwrap()
        };
        let all = listed(&documents[..17]);
        assert_eq!((all["series"].as_array().unwrap().len(), all.get("truncated")), (17 * 512, None));
        let cut = listed(&[&documents[..], &[r#"{"a":1}"#.to_owned()]].concat());
        assert_eq!((&cut["truncated"], &cut["series"][0]["name"]), (&json!(["series"]), &json!("a")));
        let bytes = cut.to_string().len();
        assert!((MAX_LISTED_BYTES / 2..=MAX_LISTED_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn members_of_a_row_have_the_documented_order() {
        let at =
            SampleOrigin { time: TimestampMs::EXAMPLE, source: Source::new("s").unwrap().into(), hash: 0 };
        let row = serde_json::to_string(&row(None, "a".to_owned(), &Bucket::of(2.0, &at))).unwrap();
        let expected = r#"{"name":"a","count":1,"avg":2,"min":2,"max":2,"p50":2,"p95":2,"p99":2,"last":2,"change":null}"#;
        assert_eq!(row, expected);
    }

    #[test]
    fn change_is_relative_to_the_window_before() {
        let (time, source) = (TimestampMs::EXAMPLE, Source::new("s").unwrap());
        let at = SampleOrigin { time, source: source.into(), hash: 0 };
        for (now, before, expected) in [(11.0, 10.0, Some(0.1)), (-5.0, -10.0, Some(0.5)), (1.0, 0.0, None)] {
            let found = change(&Bucket::of(now, &at), &Bucket::of(before, &at));
            assert_eq!(found, expected.map(Number), "{now} after {before}");
        }
    }
}
