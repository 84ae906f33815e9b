//! One row for each series over a whole window, beside the window before.
//!
//! Owns the shape of `GET /apps/{appId}/summary` and of `GET /apps/{appId}/series`. Refuses to choose series: every
//! one that was reported is told, as far as an answer may be long. Ruled by protocol.md §3.

use std::collections::BTreeMap;

use serde::Serialize;

use super::latest::MAX_LISTED_BYTES;
use super::number::Number;
use super::truncated::{Truncated, Truncations};
use crate::bucket::Bucket;
use crate::ids::AppId;
use crate::series::for_each_sample;
use crate::time::TimestampMs;
use crate::window::Window;
use crate::window::time_range::TimeRange;

/// What a series did in a window.
#[derive(Debug, Clone, Serialize)]
pub struct SummaryRow {
    /// The series.
    pub name: String,
    count: u64,
    avg: Number,
    min: Number,
    max: Number,
    p50: Number,
    p95: Number,
    p99: Number,
    last: Number,
    /// How much the average differs from that of the window before, as a part of the latter: 0.1 is a tenth more.
    /// Absent values and an average of 0 before give `null`.
    change: Option<Number>,
}

/// The answer of `summary`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryAnswer {
    app_id: AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_range: Option<TimeRange>,
    from: TimestampMs,
    to: TimestampMs,
    complete_to: TimestampMs,
    /// The series that were reported in the window, by name.
    pub series: Vec<SummaryRow>,
    /// What of the window is not told whole.
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    truncated: Truncations,
}

impl SummaryAnswer {
    /// The summary of `window` from its series, with what of them is not told whole, and from those of the window
    /// before.
    pub fn new(
        app: AppId,
        (time_range, window): (Option<TimeRange>, Window),
        complete_to: TimestampMs,
        (series, truncated): (BTreeMap<String, Bucket>, Truncations),
        before: &BTreeMap<String, Bucket>,
    ) -> Self {
        let rows = series.into_iter().map(|(name, bucket)| {
            let change = before.get(&name).and_then(|before| change(&bucket, before));
            row(name, &bucket, change)
        });
        Self {
            app_id: app,
            time_range,
            from: window.from(),
            to: window.to(),
            complete_to,
            series: rows.collect(),
            truncated,
        }
    }
}

fn row(name: String, bucket: &Bucket, change: Option<Number>) -> SummaryRow {
    SummaryRow {
        name,
        count: bucket.count(),
        avg: Number(bucket.average()),
        min: Number(bucket.min()),
        max: Number(bucket.max()),
        p50: Number(bucket.quantile(0.5)),
        p95: Number(bucket.quantile(0.95)),
        p99: Number(bucket.quantile(0.99)),
        last: Number(bucket.last()),
        change,
    }
}

fn change(bucket: &Bucket, before: &Bucket) -> Option<Number> {
    let (now, then) = (bucket.average(), before.average());
    let change = (now - then) / then.abs();
    change.is_finite().then_some(Number(change))
}

/// One known series.
#[derive(Debug, Clone, Serialize)]
pub struct KnownSeries {
    /// Its name.
    pub name: String,
    /// What it is counted in, where its name says so: `percent`, `bytes`, `seconds`.
    pub unit: Option<&'static str>,
    /// The value that was reported last.
    pub last: Number,
}

/// The answer of `series`: every series of the last report of each source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesAnswer {
    app_id: AppId,
    /// By name, at most [`MAX_LISTED_BYTES`] of them.
    pub series: Vec<KnownSeries>,
    /// Whether there are more, or sources whose series are not among them.
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    truncated: Truncations,
}

impl SeriesAnswer {
    /// The series of `documents`, which are given oldest first, so that the last one to have a series tells its value.
    /// A document that cannot be read is left out. `truncated` is what the documents themselves do not tell whole.
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
        let told =
            |(name, last): (String, f64)| KnownSeries { unit: unit_of(&name), name, last: Number(last) };
        Self { app_id: app, series: known.into_iter().map(told).collect(), truncated }
    }
}

/// Bytes that a series of this name takes in the answer at most, besides what is escaped a second time.
fn row_bytes(name: &str) -> usize {
    const REST: usize = 64;
    let written = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    REST + name.bytes().map(written).sum::<usize>()
}

/// The unit that the last part of a series' name tells, by the library's own words.
fn unit_of(name: &str) -> Option<&'static str> {
    let (group, last) = name.rsplit_once('.').unwrap_or(("", name));
    match last {
        "usage" | "usagePercent" | "system" | "user" => Some("percent"),
        "uptime" => Some("seconds"),
        "rss" | "heapTotal" | "heapUsed" | "external" | "arrayBuffers" => Some("bytes"),
        "total" | "used" | "free" if matches!(group, "memory" | "disk") => Some("bytes"),
        _ if last.starts_with("bytes") || last.ends_with("Bytes") => Some("bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn app() -> AppId {
        AppId::new("shop").unwrap()
    }

    #[test]
    fn the_last_document_tells_the_value_and_the_name_its_unit() {
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
    fn the_series_that_are_first_by_name_are_told_and_that_there_are_more() {
        let document = |group: usize| json!({ format!("b{group:02}{}", "x".repeat(200)): vec![1; 512] });
        let documents: Vec<String> = (0..19).map(|group| document(group).to_string()).collect();
        let told = |documents: &[String]| {
            let documents = documents.iter().map(String::as_str);
            serde_json::to_value(SeriesAnswer::new(app(), documents, Truncations::default())).unwrap()
        };
        let all = told(&documents[..17]);
        assert_eq!((all["series"].as_array().unwrap().len(), all.get("truncated")), (17 * 512, None));
        let cut = told(&[&documents[..], &[r#"{"a":1}"#.to_owned()]].concat());
        assert_eq!((&cut["truncated"], &cut["series"][0]["name"]), (&json!(["series"]), &json!("a")));
        let bytes = cut.to_string().len();
        assert!((MAX_LISTED_BYTES / 2..=MAX_LISTED_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_change_is_told_against_the_window_before() {
        let at = crate::bucket::SampleOrigin {
            time: TimestampMs::clamped(0),
            source: std::sync::Arc::new(crate::ids::Source::new("s").unwrap()),
            hash: 0,
        };
        let of = |value: f64| BTreeMap::from([("a".to_owned(), Bucket::of(value, &at))]);
        let window = TimeRange::Hour.window(TimestampMs::clamped(1_800_000_000_000));
        let change = |now: f64, before: &BTreeMap<String, Bucket>| {
            let span = (Some(TimeRange::Hour), window);
            let answer =
                SummaryAnswer::new(app(), span, window.to(), (of(now), Truncations::default()), before);
            serde_json::to_value(answer).unwrap()["series"][0]["change"].clone()
        };
        assert_eq!(change(11.0, &of(10.0)), json!(0.1));
        assert_eq!(change(-5.0, &of(-10.0)), json!(0.5));
        assert_eq!(change(1.0, &of(0.0)), Value::Null);
        assert_eq!(change(1.0, &BTreeMap::new()), Value::Null);
    }
}
