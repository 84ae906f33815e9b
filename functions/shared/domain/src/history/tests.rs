//! Whole answers; the last test compares them with a naive computation from random samples.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::{AppId, Source};
use crate::rejection::{Code, Rejection};
use crate::resolution::Resolution;
use crate::rollup::{MinuteBuilder, Retention, Rollup, RollupSpan};
use crate::time::{MINUTE_MS, TimestampMs};

/// The start of the running minute.
const RUNNING: &str = "2026-11-22T13:01:00.000Z";
const NOW: &str = "2026-11-22T13:01:01.387Z";

/// A document of the library on a Windows host.
const WINDOWS_HOST: &str = concat!(
    r#"{"cpu":{"usage":54.68304530339784,"cores":4,"loadAverage":[0,0,0]},"#,
    r#""memory":{"total":8438513664,"used":7629557760,"free":808955904,"usagePercent":90.41352617047798},"#,
    r#""process":{"uptime":4839.3571553,"memoryUsage":{"rss":39350272,"heapTotal":4528128,"heapUsed":4880571,"#,
    r#""external":2064603,"arrayBuffers":587785}},"network":{"interfaces":{"#,
    r#""Wi-Fi":{"bytesReceived":0,"bytesSent":0,"packetsReceived":0,"packetsSent":0},"#,
    r#""Loopback Pseudo-Interface 1":{"bytesReceived":0,"bytesSent":0,"packetsReceived":0,"packetsSent":0}}},"#,
    r#""activeConnections":2,"messageRate":0,"errorRate":0}"#,
);

fn instant(text: &str) -> TimestampMs {
    TimestampMs::from_iso(text).unwrap()
}

fn query(parameters: &[(&str, &str)]) -> HistoryQuery {
    let named =
        |name: &str| parameters.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect();
    HistoryQuery::read(named, &Retention::default(), instant(NOW)).unwrap()
}

fn fold(parameters: &[(&str, &str)]) -> HistoryFold {
    HistoryFold::new(AppId::new("shop").unwrap(), query(parameters))
}

/// Adds a report of `source`, `before_ms` before the running minute began.
fn add(fold: &mut HistoryFold, source: &str, before_ms: i64, document: &str) -> Result<(), Rejection> {
    fold.add(instant(RUNNING).plus_ms(-before_ms), &Source::new(source).unwrap(), 0, document)
}

fn finish(fold: HistoryFold) -> HistoryAnswer {
    fold.finish(instant(NOW)).unwrap()
}

/// The start of a window of this many minutes before the running one.
fn last_minutes(minutes: i64) -> String {
    instant(RUNNING).plus_ms(-minutes * MINUTE_MS).to_string()
}

#[test]
fn answer_is_encoded_as_the_protocol_requires() {
    let from = last_minutes(2);
    let mut fold = fold(&[("from", &from), ("series", "cpu.*,host")]);
    add(&mut fold, "web-2", 0, r#"{"cpu":{"usage":4,"loadAverage":[0.5,1]},"host":"a","memory":{"used":9}}"#)
        .unwrap();
    add(&mut fold, "web-1", 2 * MINUTE_MS, r#"{"cpu":{"usage":1}}"#).unwrap();
    add(&mut fold, "web-1", 2 * MINUTE_MS - 1, r#"{"cpu":{"usage":2}}"#).unwrap();
    let expected = concat!(
        r#"{"appId":"shop","from":"2026-11-22T12:59:00.000Z","to":"2026-11-22T13:02:00.000Z","step":60,"#,
        r#""completeTo":"2026-11-22T13:01:01.387Z","timestamps":[1795352340,1795352400,1795352460],"series":{"#,
        r#""cpu.loadAverage.0":{"avg":[null,null,0.5],"min":[null,null,0.5],"max":[null,null,0.5],"#,
        r#""p95":[null,null,0.5],"count":[0,0,1]},"#,
        r#""cpu.loadAverage.1":{"avg":[null,null,1],"min":[null,null,1],"max":[null,null,1],"#,
        r#""p95":[null,null,1],"count":[0,0,1]},"#,
        r#""cpu.usage":{"avg":[1.5,null,4],"min":[1,null,4],"max":[2,null,4],"p95":[2,null,4],"count":[2,0,1]}},"#,
        r#""sources":["web-1","web-2"],"cpu":{"loadAverage":[0.5,1],"usage":2.3333333333333335}}"#,
    );
    assert_eq!(serde_json::to_string(&finish(fold)).unwrap(), expected);
}

#[test]
fn averages_have_the_shape_of_the_document() {
    let mut fold = fold(&[("timeRange", "hour")]);
    add(&mut fold, "pc", 0, WINDOWS_HOST).unwrap();
    let answer = serde_json::to_value(finish(fold)).unwrap();
    let document: Value = serde_json::from_str(WINDOWS_HOST).unwrap();
    for (member, value) in document.as_object().unwrap() {
        // Compared as text: whole numbers have no fraction in either.
        assert_eq!(answer[member].to_string(), value.to_string(), "{member}");
    }
    assert_eq!(answer["timeRange"], "hour");
    assert_eq!(answer["timestamps"].as_array().unwrap().len(), 60);
    let averages = answer["series"]["network.interfaces.Wi-Fi.bytesSent"]["avg"].as_array().unwrap();
    assert_eq!((averages.len(), &averages[58], &averages[59]), (60, &Value::Null, &json!(0)));
}

#[test]
fn document_member_does_not_replace_a_field() {
    let mut fold = fold(&[("from", RUNNING)]);
    let document = r#"{"series":{"a":1},"from":2,"timeRange":3,"appId":4,"sources":[5],"timestamps":6,"truncated":8,"own":7}"#;
    add(&mut fold, "s", 0, document).unwrap();
    let text = serde_json::to_string(&finish(fold)).unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&answer["appId"], &answer["own"], answer.get("timeRange")),
        (&json!("shop"), &json!(7), None)
    );
    assert_eq!(answer.get("truncated"), None);
    assert_eq!(text.matches(r#""series":"#).count(), 1);
    assert_eq!(answer["series"]["series.a"]["avg"], json!([1]));
    assert_eq!(answer["series"]["timeRange"]["avg"], json!([3]));
}

#[test]
fn last_number_of_a_repeated_path_counts() {
    let mut fold = fold(&[("from", RUNNING), ("agg", "count,sum")]);
    add(&mut fold, "s", 0, r#"{"a.b":1,"a":{"b":2,"b":3}}"#).unwrap();
    assert_eq!(
        serde_json::to_value(finish(fold)).unwrap()["series"]["a.b"],
        json!({"count": [1], "sum": [3]})
    );
}

#[test]
fn reports_outside_the_window_are_ignored() {
    let mut fold = fold(&[("from", RUNNING)]);
    for before_ms in [1, MINUTE_MS, -MINUTE_MS] {
        add(&mut fold, "s", before_ms, r#"{"a":1}"#).unwrap();
    }
    add(&mut fold, "s", 1, "invalid, but not read").unwrap();
    let answer = finish(fold);
    assert!(answer.series.is_empty() && answer.sources.is_empty());
}

#[test]
fn invalid_document_is_left_out_entirely() {
    let mut fold = fold(&[("from", RUNNING)]);
    add(&mut fold, "good", 0, r#"{"a":1}"#).unwrap();
    let many: String = (0..70).map(|index| format!("\"new{index}\":1,")).collect();
    for document in [&format!("{{\"a\":2,{many}"), "", "[1]", r#"{"a":3,"b":1e999}"#] {
        assert!(add(&mut fold, "bad", 0, document).is_err());
    }
    add(&mut fold, "good", 0, r#"{"b":5}"#).unwrap();
    let answer = serde_json::to_value(finish(fold)).unwrap();
    assert_eq!(answer["sources"], json!(["good"]));
    assert_eq!(Vec::from_iter(answer["series"].as_object().unwrap().keys()), ["a", "b"]);
    assert_eq!(answer["series"]["a"]["max"], json!([1]));
}

#[test]
fn series_selected_by_pattern_are_limited_to_64() {
    let document = |series: usize| json!({ "a": vec![1; series] }).to_string();
    let mut fits = fold(&[("from", RUNNING)]);
    add(&mut fits, "s", 0, &document(MAX_PATTERN_SERIES)).unwrap();
    assert_eq!(finish(fits).series.len(), MAX_PATTERN_SERIES);

    let mut too_wide = fold(&[("from", RUNNING), ("series", "b,a.*")]);
    add(&mut too_wide, "s", 0, &document(MAX_PATTERN_SERIES + 1)).unwrap();
    add(&mut too_wide, "s", 0, &document(1)).unwrap();
    let rejected = too_wide.finish(instant(NOW)).unwrap_err();
    assert_eq!((rejected.code, rejected.field.as_deref()), (Code::TooManySeries, Some("series")));

    let mut named = fold(&[("from", RUNNING), ("series", &names(100))]);
    add(&mut named, "s", 0, &document(200)).unwrap();
    assert_eq!(finish(named).series.len(), 100);
}

/// The series `a.0` and so on as a query parameter.
fn names(series: usize) -> String {
    (0..series).map(|index| format!("a.{index}")).collect::<Vec<_>>().join(",")
}

#[test]
fn largest_answer_fits_the_lambda_limit() {
    // The limit counts the answer encoded again as a JSON string.
    const LAMBDA_BYTES: usize = 6 * 1_024 * 1_024;
    let (names, all) = (names(15), Aggregate::ALL.map(Aggregate::as_str).join(","));
    let mut fold = fold(&[("timeRange", "day"), ("step", "60"), ("series", &names), ("agg", &all)]);
    // A number with the most digits.
    let document = json!({ "a": vec![-1.234_567_890_123_456_7e-300; 15] }).to_string();
    for minute in 0..1_440 {
        add(&mut fold, "s", minute * MINUTE_MS, &document).unwrap();
    }
    let answer = finish(fold);
    let figures: usize =
        answer.series.values().flat_map(|series| series.columns.values()).map(Vec::len).sum();
    assert!((MAX_FIGURES - 9 * 1_440..=MAX_FIGURES).contains(&figures), "{figures}");
    for text in [serde_json::to_string(&answer).unwrap(), answer.to_csv()] {
        assert!(serde_json::to_string(&text).unwrap().len() < LAMBDA_BYTES);
    }
}

#[test]
fn default_aggregates_are_reduced_until_they_fit() {
    let mut fold = fold(&[("timeRange", "day"), ("step", "60"), ("series", &names(28))]);
    add(&mut fold, "s", 0, &json!({ "a": vec![1; 28] }).to_string()).unwrap();
    let answer = finish(fold);
    assert_eq!(Vec::from_iter(answer.series["a.0"].columns.keys().copied()), Aggregate::DEFAULT[..4]);
    assert_eq!(serde_json::to_value(answer).unwrap()["truncated"], json!(["aggregates"]));
}

/// A rollup of the running minute from reports, each given as source and document.
fn minute_rollup(reports: impl IntoIterator<Item = (String, String)>) -> Rollup {
    let span = RollupSpan::containing(Resolution::Minute, instant(NOW));
    let mut minute = MinuteBuilder::new(span);
    for (source, document) in reports {
        minute.add(span.start(), &Source::new(source).unwrap(), 0, &document).unwrap();
    }
    Rollup::from_bytes(span, span.end(), &minute.finish().to_bytes().unwrap()).unwrap()
}

#[test]
fn filter_keeps_selected_series_of_rollups() {
    for (series, selected, kept, passes) in
        [(100, "a.7,b", 2, true), (64, "a.*", 64, true), (65, "a.*", 64, false)]
    {
        let document = json!({ "a": vec![1; series], "b": 1 }).to_string();
        let mut rollup = minute_rollup([("s".to_owned(), document)]);
        let query = query(&[("from", RUNNING), ("series", selected)]);
        let mut filter = SeriesFilter::new(&query);
        filter.apply(&mut rollup);
        assert_eq!((rollup.series().len(), filter.check().is_ok()), (kept, passes), "{selected}");
        assert_eq!((rollup.reports(), rollup.sources().names().len()), (1, 1));
    }
}

/// The member `truncated` of an answer from a rollup of `reports`.
fn truncated(parameters: &[(&str, &str)], reports: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut fold = fold(&[&[("from", RUNNING)], parameters].concat());
    fold.add_rollup(&minute_rollup(reports));
    serde_json::to_value(finish(fold)).unwrap()["truncated"].clone()
}

#[test]
fn answer_lists_what_its_rollups_lack() {
    let a = |source: usize| (format!("s-{source:02}"), r#"{"a":1}"#.to_owned());
    assert_eq!(truncated(&[], (0..16).map(a)), Value::Null);
    assert_eq!(truncated(&[], (0..17).map(a)), json!(["sources"]));
    let wide =
        |source: usize| (format!("s-{source}"), json!({ format!("{source}"): vec![1; 512] }).to_string());
    let few = [("series", "0.1")];
    assert_eq!(truncated(&few, (0..4).map(wide)), Value::Null);
    assert_eq!(truncated(&few, (0..5).map(wide)), json!(["series"]));
    // Each series has hundreds of distant values, whose sketches do not fit at full precision.
    let scattered = |report: usize| {
        let value = |place: usize| 1.5_f64.powi(((report * 37 + place * 11) % 1_400) as i32 - 700);
        (format!("s-{}", report % 9), json!({ "w": (0..500).map(value).collect::<Vec<_>>() }).to_string())
    };
    let parameters = |agg: &'static str| [("series", "w.0"), ("agg", agg)];
    assert_eq!(truncated(&parameters("p95"), (0..400).map(scattered)), json!(["precision"]));
    assert_eq!(truncated(&parameters("avg,max"), (0..400).map(scattered)), Value::Null);
}

#[test]
fn csv_has_a_line_per_point_and_a_column_per_aggregate() {
    let mut fold = fold(&[("from", &last_minutes(1)), ("agg", "avg,count")]);
    add(&mut fold, "s", 0, r#"{"cpu":{"usage":1.5},"=cmd, \"x\"":-2}"#).unwrap();
    let expected = concat!(
        "time,\"'=cmd, \"\"x\"\".avg\",\"'=cmd, \"\"x\"\".count\",cpu.usage.avg,cpu.usage.count\r\n",
        "2026-11-22T13:00:00.000Z,,0,,0\r\n",
        "2026-11-22T13:01:00.000Z,-2,1,1.5,1\r\n",
    );
    assert_eq!(finish(fold).to_csv(), expected);
}

/// A random report: milliseconds since the start of the window, source, hash, and numbers by name.
type Sampled = (i64, String, u64, BTreeMap<String, f64>);

const NAMES: [&str; 4] = ["cpu.usage", "cpu.loadAverage.0", "rate", "a b"];

fn any_reports() -> impl Strategy<Value = Vec<Sampled>> {
    let value = prop_oneof![-1e3..1e3_f64, 1e9..1e10_f64, Just(0.0), (-9_i32..9).prop_map(f64::from)];
    let numbers =
        prop::collection::btree_map(prop::sample::select(&NAMES[..]).prop_map(str::to_owned), value, 0..4);
    let report = (-MINUTE_MS..6 * MINUTE_MS, "[abc]", any::<u64>(), numbers);
    prop::collection::vec(report, 0..80)
}

/// The samples of `name` in the minute that starts at `start_ms`, by time, source and hash.
fn samples_in(reports: &[Sampled], name: &str, start_ms: i64) -> Vec<f64> {
    let inside = reports.iter().filter(|(ms, ..)| (start_ms..start_ms + MINUTE_MS).contains(ms));
    let mut found: Vec<_> = inside
        .filter_map(|(ms, source, hash, numbers)| Some(((*ms, source, *hash), *numbers.get(name)?)))
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found.into_iter().map(|(_, value)| value).collect()
}

fn naive(aggregate: &str, samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ranked = |q: f64| sorted[(q * sorted.len() as f64).ceil() as usize - 1];
    match aggregate {
        "count" => Some(samples.len() as f64),
        _ if samples.is_empty() => None,
        "min" => sorted.first().copied(),
        "max" => sorted.last().copied(),
        "last" => samples.last().copied(),
        "sum" => Some(samples.iter().sum()),
        "avg" => Some(samples.iter().sum::<f64>() / samples.len() as f64),
        "p50" => Some(ranked(0.50)),
        "p95" => Some(ranked(0.95)),
        _ => Some(ranked(0.99)),
    }
}

/// Largest difference of a value from the naive one.
fn tolerance(aggregate: &str, exact: f64, samples: &[f64]) -> f64 {
    let absolute: f64 = samples.iter().map(|value| value.abs()).sum();
    match aggregate {
        // The naive sum has such a rounding error if values of both signs cancel out.
        "sum" | "avg" => (exact.abs() * 1e-9).max(absolute * 1e-13),
        "p50" | "p95" | "p99" => exact.abs() * (0.01 + 1e-9),
        _ => 0.0,
    }
}

proptest! {
    #[test]
    fn answer_equals_a_naive_computation(reports in any_reports()) {
        let from = instant(RUNNING);
        let to = from.plus_ms(5 * MINUTE_MS).to_string();
        let all = Aggregate::ALL.map(Aggregate::as_str).join(",");
        let mut fold = fold(&[("from", RUNNING), ("to", &to), ("agg", &all)]);
        for (ms, source, hash, numbers) in &reports {
            let document = serde_json::to_string(numbers).unwrap();
            fold.add(from.plus_ms(*ms), &Source::new(source.clone()).unwrap(), *hash, &document).unwrap();
        }
        let answer = serde_json::to_value(finish(fold)).unwrap();
        for name in NAMES {
            let points: Vec<_> = (0..5).map(|point| samples_in(&reports, name, point * MINUTE_MS)).collect();
            if points.iter().all(Vec::is_empty) {
                prop_assert!(answer["series"].get(name).is_none());
                continue;
            }
            for aggregate in Aggregate::ALL.map(Aggregate::as_str) {
                let column = answer["series"][name][aggregate].as_array().unwrap();
                prop_assert_eq!(column.len(), points.len());
                for (found, samples) in column.iter().zip(&points) {
                    let exact = naive(aggregate, samples);
                    prop_assert_eq!(found.is_null(), exact.is_none());
                    if let Some(exact) = exact {
                        let off = (found.as_f64().unwrap() - exact).abs();
                        prop_assert!(off <= tolerance(aggregate, exact, samples), "{name} {aggregate} {found} {exact}");
                    }
                }
            }
        }
    }
}
