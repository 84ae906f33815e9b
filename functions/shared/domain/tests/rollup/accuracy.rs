//! Accuracy of the percentiles of hours, merged from ten-minute rollups, merged from minutes, encoded and decoded.

use std::collections::BTreeMap;

use nsl_domain::ids::Source;
use nsl_domain::report::Document;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup};
use nsl_domain::series::for_each_sample;
use nsl_domain::time::{DAY_MS, MINUTE_MS, SECOND_MS};

use nsl_test_support::hosts::{Host, Kind, span};
use nsl_test_support::shapes::{Shapes, assert_accurate_percentiles, document};

/// Builds `minutes` of documents of `next`, one a second, merges them up to hours and compares every series with its
/// exact values.
fn assert_accurate(minutes: i64, mut next: impl FnMut() -> Document) {
    let source = Source::new("web-1").unwrap();
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut level = Vec::new();
    for minute in 0..minutes {
        let span = span(Resolution::Minute, minute * MINUTE_MS);
        let mut builder = MinuteBuilder::new(span);
        for second in 0..60 {
            let document = next();
            for_each_sample(document.as_str(), |name, value| {
                values.entry(name.to_owned()).or_default().push(value);
            })
            .unwrap();
            let at = span.start().plus_ms(second * SECOND_MS);
            builder.add(at, &source, document.hash(), document.as_str()).unwrap();
        }
        level.push(builder.finish());
    }
    let later = level[0].span().start().plus_ms(DAY_MS);
    while let Some(above) = level[0].span().coarser().filter(|above| above.resolution() <= Resolution::Hour) {
        let of_span = |below: &Rollup| below.span().coarser().unwrap();
        assert_eq!(above, of_span(&level[0]));
        let parts = level.chunk_by(|one, next| of_span(one) == of_span(next));
        level = parts.map(|parts| Rollup::from_finer(of_span(&parts[0]), parts, later).unwrap()).collect();
    }
    let decoded = level.iter_mut().map(|hour| {
        let bytes = hour.to_bytes().unwrap();
        Rollup::from_bytes(hour.span(), hour.through(), &bytes).unwrap()
    });
    let whole = decoded
        .reduce(|mut whole, part| {
            whole.merge(&part);
            whole
        })
        .unwrap();
    assert_eq!(whole.series().len(), values.len());
    for (name, bucket) in whole.series() {
        assert_accurate_percentiles(name, bucket, values.remove(name).unwrap());
    }
}

#[test]
fn percentiles_of_library_reports_are_within_one_percent() {
    for kind in [Kind::Linux, Kind::Windows] {
        let mut host = Host::new(kind, 3);
        assert_accurate(120, || host.next_document());
    }
}

#[test]
fn percentiles_of_hostile_values_are_within_one_percent() {
    let mut shapes = Shapes::default();
    assert_accurate(240, || document(shapes.next_values()));
}
