//! Errors of percentiles over the week: of what the hosts reported, and of values that are difficult for a sketch.

use nsl_domain::bucket::Bucket;
use nsl_domain::ids::Source;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup};
use nsl_domain::time::{DAY_MS, MINUTE_MS, SECOND_MS};

use crate::table::{begin, row};
use crate::week::{WATCHED, Week, coarser};
use nsl_test_support::hosts::span;
use nsl_test_support::shapes::{SHAPES, Shapes, assert_accurate_percentiles, document};

/// Minutes of difficult values: a week.
const MINUTES: i64 = 7 * 1_440;

/// Prints the greatest error of each series.
pub(crate) fn print(week: &Week) {
    let title = "Percentiles over the week (1, 25, 50, 95, 99, 99.9) beside the exact ones";
    begin(title, &["series", "values", "greatest relative error"]);
    let hours = &week.levels[2].rollups;
    let rest = week.levels[1].rollups.iter().chain(&week.levels[0].rollups);
    let complete_to = hours.iter().map(Rollup::through).max().expect("there are hours");
    let tens_to = week.levels[1].rollups.iter().map(Rollup::through).max().expect("there are tens");
    let is_rest = |rollup: &&Rollup| {
        let from = if rollup.span().resolution() == Resolution::Minute { tens_to } else { complete_to };
        rollup.span().start() >= from
    };
    let parts: Vec<&Rollup> = hours.iter().chain(rest.filter(is_rest)).collect();
    for (name, values) in WATCHED.iter().zip(&week.values) {
        print_series(name, total(&parts, name), values.clone());
    }
    print_difficult();
}

fn print_difficult() {
    let mut shapes = Shapes::default();
    let source = Source::new("difficult").unwrap();
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); SHAPES.len()];
    let mut minutes = Vec::new();
    for minute in 0..MINUTES {
        let span = span(Resolution::Minute, minute * MINUTE_MS);
        let mut fold = MinuteBuilder::new(span);
        for second in 0..60 {
            let next = shapes.next_values();
            let document = document(next);
            values.iter_mut().zip(next).for_each(|(values, value)| values.push(value));
            let at = span.start().plus_ms(second * SECOND_MS);
            fold.add(at, &source, document.hash(), document.as_str()).unwrap();
        }
        minutes.push(fold.finish());
    }
    let later = minutes[0].span().start().plus_ms(30 * DAY_MS);
    let hours = coarser(&coarser(&minutes, later).rollups, later).rollups;
    let parts: Vec<&Rollup> = hours.iter().collect();
    for (name, values) in SHAPES.iter().zip(values) {
        print_series(name, total(&parts, name), values);
    }
}

fn total(parts: &[&Rollup], name: &str) -> Bucket {
    let of_series = |rollup: &&Rollup| {
        // Encoded and decoded, as the history function reads it.
        let mut stored = (*rollup).clone();
        let bytes = stored.to_bytes().unwrap();
        let read = Rollup::from_bytes(rollup.span(), rollup.through(), &bytes).unwrap();
        read.series().find(|(series, _)| *series == name).map(|(_, bucket)| bucket.clone())
    };
    let whole = parts.iter().filter_map(of_series).reduce(|mut whole, part| {
        whole.merge(&part);
        whole
    });
    whole.expect("the series was reported")
}

fn print_series(name: &str, whole: Bucket, values: Vec<f64>) {
    let count = values.len().to_string();
    let greatest = assert_accurate_percentiles(name, &whole, values);
    row(&[name.to_owned(), count, format!("{:.3} %", greatest * 100.0)]);
}
