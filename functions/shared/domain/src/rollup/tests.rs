//! Properties of rollups on random reports: building, merging and encoding.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::decode::read_body;
use super::format::CHECK_BYTES;
use super::*;
use crate::ids::Source;
use crate::resolution::Resolution;
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// 2026-11-22T00:00:00Z.
const DAY: i64 = 1_795_305_600_000;

fn span(resolution: Resolution, offset_ms: i64) -> RollupSpan {
    RollupSpan::containing(resolution, TimestampMs::clamped(DAY + offset_ms))
}

/// One report: its offset in the day, its source and its document.
type Sent = (i64, String, Value);

fn any_number() -> impl Strategy<Value = Value> {
    let wide = (-6.0..15.0_f64).prop_map(|exponent| 10_f64.powf(exponent));
    prop_oneof![
        3 => wide.clone().prop_map(Value::from),
        1 => wide.prop_map(|value| Value::from(-value)),
        3 => (0..5_i64).prop_map(Value::from),
        2 => (0..10_000_i64).prop_map(|hundredths| Value::from(hundredths as f64 / 100.0)),
        1 => (0..1_000_i64).prop_map(|pages| Value::from(pages * 4_096)),
    ]
}

fn any_document() -> impl Strategy<Value = Value> {
    let name = prop_oneof![3 => "[abc]", 1 => Just("cpu".to_owned()), 1 => Just("usage".to_owned())];
    let leaf = prop::collection::btree_map(name.clone(), any_number(), 0..4);
    prop::collection::btree_map(name, leaf, 0..4).prop_map(|groups| {
        let of_group = |leaf: std::collections::BTreeMap<String, Value>| Value::from(Map::from_iter(leaf));
        Value::from(Map::from_iter(groups.into_iter().map(|(name, leaf)| (name, of_group(leaf)))))
    })
}

fn any_reports() -> impl Strategy<Value = Vec<Sent>> {
    prop::collection::vec((0..MINUTE_MS, "[a-c][0-9]?", any_document()), 1..60)
}

fn minute_of(minute: RollupSpan, reports: &[Sent]) -> Rollup {
    let mut builder = MinuteBuilder::new(minute);
    let within = |sent: &&Sent| minute.contains(TimestampMs::clamped(DAY + sent.0));
    for (offset_ms, source, document) in reports.iter().filter(within) {
        let document = crate::report::Document::accept(&document.to_string()).unwrap();
        let source = Source::new(source.clone()).unwrap();
        builder
            .add(TimestampMs::clamped(DAY + offset_ms), &source, document.hash(), document.as_str())
            .unwrap();
    }
    builder.finish()
}

/// `rollup` with the sums of `like` where they agree: sums alone depend on the order of adding, by a few roundings.
fn with_sums_of(rollup: &Rollup, like: &Rollup) -> Rollup {
    let mut aligned = rollup.clone();
    aligned.through = like.through;
    aligned.span = like.span;
    for (name, bucket) in &mut aligned.series {
        let Some(other) = like.series.get(name) else { continue };
        let largest = other.max().abs().max(other.min().abs()) * other.count() as f64;
        let tolerance = (bucket.sum().abs() * 1e-9).max(largest * 1e-15);
        assert!((bucket.sum() - other.sum()).abs() <= tolerance, "{name}");
        bucket.copy_sum(other);
    }
    aligned
}

fn round_trip(rollup: &mut Rollup) -> Rollup {
    let bytes = rollup.to_bytes().unwrap();
    assert!(bytes.len() <= MAX_BYTES);
    Rollup::from_bytes(rollup.span, rollup.through, &bytes).unwrap()
}

#[test]
fn an_empty_rollup_is_a_few_bytes() {
    let mut empty = Rollup::empty(span(Resolution::Hour, 0));
    assert!(empty.to_bytes().unwrap().len() <= 10);
    assert_eq!(round_trip(&mut empty), empty);
}

#[test]
fn malformed_documents_and_repeated_paths_add_no_samples() {
    let minute = span(Resolution::Minute, 0);
    let mut builder = MinuteBuilder::new(minute);
    let source = Source::new("a").unwrap();
    assert!(builder.add(minute.start(), &source, 1, "{\"a\":1,\"b\":}").is_err());
    builder.add(minute.start(), &source, 1, "{\"b\":5,\"b\":2}").unwrap();
    builder.add(minute.end(), &source, 1, "{\"b\":3}").unwrap();
    let rollup = builder.finish();
    assert_eq!(rollup.reports(), 1);
    assert_eq!(rollup.series().map(|(name, bucket)| (name, bucket.max())).collect::<Vec<_>>(), [("b", 2.0)]);
}

#[test]
fn newer_and_damaged_bytes_are_different_errors() {
    let mut rollup = Rollup::empty(span(Resolution::Hour, 0));
    let mut bytes = rollup.to_bytes().unwrap();
    let read = |bytes: &[u8]| Rollup::from_bytes(rollup.span, rollup.through, bytes);
    assert_eq!(read(&[]), Err(DecodeError::Corrupt("no bytes")));
    bytes[0] = ENCODING + 1;
    assert_eq!(read(&bytes), Err(DecodeError::Newer(ENCODING + 1)));
    bytes[0] = 0;
    assert_eq!(read(&bytes), Err(DecodeError::Corrupt("the check does not match")));
}

#[test]
fn a_span_merges_settled_complete_spans_only() {
    let hour = span(Resolution::Hour, 0);
    let ten = |index: i64, through: i64| {
        let mut ten = Rollup::empty(span(Resolution::TenMinutes, index * 10 * MINUTE_MS));
        ten.through = TimestampMs::clamped(DAY + through * MINUTE_MS);
        ten.reports = 1;
        ten
    };
    let at = |minutes: i64| TimestampMs::clamped(DAY + minutes * MINUTE_MS + 5 * SECOND_MS);
    let running = Rollup::from_finer(hour, &[ten(0, 10), ten(2, 25)], at(25)).unwrap();
    assert_eq!((running.reports(), running.through()), (1, at(10).plus_ms(-5 * SECOND_MS)));
    let incomplete = Rollup::from_finer(hour, &[ten(0, 10), ten(2, 25)], at(30)).unwrap_err();
    assert_eq!(incomplete, IncompleteSpans(vec![ten(2, 25).span()]));
    let over = Rollup::from_finer(hour, &[ten(0, 10), ten(2, 30)], at(60)).unwrap();
    assert!(over.is_complete());
    assert_eq!(over.reports(), 2);
    assert_eq!(Rollup::from_finer(hour, &[], at(1)).unwrap(), Rollup::empty(hour));
}

#[test]
fn a_too_large_rollup_is_coarsened_before_series_are_dropped() {
    let minute = span(Resolution::Minute, 0);
    let mut rollup = Rollup::empty(minute);
    // 400 sources, each with 512 series that spread over 600 decades.
    for report in 0..400_i64 {
        let document: Map<String, Value> = (0..512_i64)
            .map(|series| {
                let exponent = (report * 7_919 + series * 104_729) % 600 - 300;
                let sign = if (report + series) % 2 == 0 { 1.0 } else { -1.0 };
                (format!("s{:03}", series + report % 7), json!(sign * 10_f64.powi(exponent as i32)))
            })
            .collect();
        let sent = (report, format!("source-{report}"), Value::from(document));
        rollup.merge(&minute_of(minute, &[sent]));
    }
    let back = round_trip(&mut rollup);
    assert_eq!(back, rollup);
    assert!(!rollup.is_truncated() && rollup.sources().has_more());
    assert!(rollup.series().any(|(_, bucket)| bucket.sketch().level() > 0));
    assert_eq!(rollup.sources().names().len(), MAX_ROLLUP_SOURCES);
}

#[test]
fn surplus_series_are_dropped_by_name() {
    let minute = span(Resolution::Minute, 0);
    let reports: Vec<Sent> = (0..12_i64)
        .map(|report| {
            let series = (0..512_i64).map(|series| {
                let name = format!("{:06}", (report * 512 + series) * 7_919 % 100_003);
                (name, json!(series as f64 * 1.1))
            });
            (report, "a".to_owned(), Value::from(series.collect::<Map<_, _>>()))
        })
        .collect();
    let whole = minute_of(minute, &reports);
    assert!(whole.is_truncated());
    assert_eq!(whole.series().len(), MAX_ROLLUP_SERIES);
    let mut merged = Rollup::empty(minute);
    reports.iter().rev().for_each(|report| merged.merge(&minute_of(minute, std::slice::from_ref(report))));
    assert_eq!(with_sums_of(&merged, &whole), whole);
    assert_eq!(round_trip(&mut merged), merged);
}

proptest! {
    #[test]
    fn encoding_round_trips_exactly(reports in any_reports()) {
        let mut rollup = minute_of(span(Resolution::Minute, 0), &reports);
        prop_assert_eq!(round_trip(&mut rollup), rollup);
    }

    #[test]
    fn merging_is_commutative_and_associative(parts in prop::collection::vec(any_reports(), 3)) {
        let minute = span(Resolution::Minute, 0);
        let [a, b, c]: [Rollup; 3] = std::array::from_fn(|index| minute_of(minute, &parts[index]));
        let merged = |parts: [&Rollup; 3]| {
            let mut whole = parts[0].clone();
            whole.merge(parts[1]);
            whole.merge(parts[2]);
            whole
        };
        let mut right = b.clone();
        right.merge(&c);
        let mut grouped = a.clone();
        grouped.merge(&right);
        let straight = merged([&a, &b, &c]);
        prop_assert_eq!(with_sums_of(&grouped, &straight), straight.clone());
        prop_assert_eq!(with_sums_of(&merged([&c, &a, &b]), &straight), straight);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let minute = span(Resolution::Minute, 0);
        prop_assert!(Rollup::from_bytes(minute, minute.end(), &bytes).is_err());
        let mut body = bytes;
        body.insert(0, ENCODING);
        let _ = read_body(minute, minute.end(), &body);
    }

    #[test]
    fn damaged_bytes_are_detected(reports in any_reports(), position in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut rollup = minute_of(span(Resolution::Minute, 0), &reports);
        let mut bytes = rollup.to_bytes().unwrap();
        let cut = position.index(bytes.len());
        let read = |bytes: &[u8]| Rollup::from_bytes(rollup.span, rollup.through, bytes);
        prop_assert!(read(&bytes[..cut]).is_err());
        bytes[cut] ^= flip;
        prop_assert!(read(&bytes).is_err());
        // Damage that passes the check must not panic, and what is decoded can be encoded.
        bytes.truncate(bytes.len() - CHECK_BYTES);
        if let Ok(mut other) = read_body(rollup.span, rollup.through, &bytes) {
            prop_assert_eq!(round_trip(&mut other), other.clone());
            for _ in 0..8 {
                other.merge(&other.clone());
            }
            prop_assert!(other.series().all(|(_, bucket)| !bucket.quantile(0.95).is_nan()));
        }
    }
}
