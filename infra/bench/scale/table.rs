//! The answer as Markdown: what is needed, what it costs, and every limit, the most strained first.

use std::fmt::Write as _;

use crate::args::Workload;
use crate::model::{Bill, Needs, subscribers_within};

type Row<'a> = (&'a str, Box<dyn Fn(&Needs) -> String>);

/// Processor milliseconds of one post to a subscriber (RESULTS.md, fan-out), for the fan-out on paper.
const POST_MS: f64 = 0.06;
/// Between two reports of an application that reports once a second.
const SECOND_MS: f64 = 1_000.0;
const MEMORIES_MB: [f64; 3] = [256.0, 512.0, 1_769.0];

/// The whole answer.
pub(crate) fn render(workloads: &[Workload]) -> String {
    let needs: Vec<Needs> = workloads.iter().map(Needs::of).collect();
    let mut text = String::new();
    heading(&mut text, "needed", workloads);
    for (name, cell) in needed() {
        row(&mut text, name, &needs, &cell);
    }
    text.push('\n');
    heading(&mut text, "dollars a month", workloads);
    for (name, cell) in paid() {
        row(&mut text, name, &needs, &cell);
    }
    for (workload, needs) in workloads.iter().zip(&needs) {
        strains(&mut text, workload, needs);
    }
    fan_out(&mut text);
    text
}

fn heading(text: &mut String, what: &str, workloads: &[Workload]) {
    let columns: Vec<String> =
        workloads.iter().map(|one| format!("{} processes", number(one.processes))).collect();
    line(text, &format!("| {what} | {} |", columns.join(" | ")));
    line(text, &format!("|---|{}", "--:|".repeat(columns.len())));
}

fn row(text: &mut String, name: &str, needs: &[Needs], cell: &dyn Fn(&Needs) -> String) {
    let cells: Vec<String> = needs.iter().map(cell).collect();
    line(text, &format!("| {name} | {} |", cells.join(" | ")));
}

fn counted(read: impl Fn(&Needs) -> f64 + 'static) -> Box<dyn Fn(&Needs) -> String> {
    Box::new(move |needs| number(read(needs)))
}

fn needed() -> Vec<Row<'static>> {
    vec![
        ("applications", counted(|needs| needs.apps)),
        ("reports a second", counted(|needs| needs.reports)),
        ("open connections", counted(|needs| needs.connections)),
        ("handshakes a second", counted(|needs| needs.handshakes)),
        ("posts to viewers a second", counted(|needs| needs.posts)),
        ("write shards of an application", counted(|needs| needs.shards_per_app)),
        ("write units a second", counted(|needs| needs.writes)),
        ("read units a second", counted(|needs| needs.reads)),
        ("stored GB", counted(|needs| needs.stored_gigabytes)),
        ("stream shards", counted(|needs| needs.stream_shards)),
        ("times that a minute is computed", counted(|needs| needs.stream.computed_per_minute)),
        ("concurrent `ingest`", counted(|needs| needs.ingest_concurrency)),
        ("concurrent `rollup`", counted(|needs| needs.stream.concurrency)),
    ]
}

fn paid() -> Vec<Row<'static>> {
    let dollars = |read: fn(Bill) -> f64| -> Box<dyn Fn(&Needs) -> String> {
        Box::new(move |needs| number(read(needs.bill)))
    };
    vec![
        ("messages", dollars(|bill| bill.messages)),
        ("connections", dollars(|bill| bill.connections)),
        ("functions", dollars(|bill| bill.functions)),
        ("writes", dollars(|bill| bill.writes)),
        ("reads", dollars(|bill| bill.reads)),
        ("storage", dollars(|bill| bill.storage)),
        ("traffic", dollars(|bill| bill.traffic)),
        ("all of it", dollars(Bill::total)),
        (
            "for each million reports",
            Box::new(|needs| format!("{:.2}", needs.bill.total() / (needs.reports * 2.592))),
        ),
    ]
}

fn strains(text: &mut String, workload: &Workload, needs: &Needs) {
    line(text, &format!("\n{} processes, the most strained limit first:\n", number(workload.processes)));
    line(text, "| limit | needed | allowed | times over | raised |");
    line(text, "|---|--:|--:|--:|---|");
    for one in needs.strains() {
        let ratio = if one.ratio() < 10.0 { format!("{:.2}", one.ratio()) } else { number(one.ratio()) };
        let (needed, limit) = (number(one.needed), number(one.limit));
        line(text, &format!("| {} | {needed} | {limit} | {ratio} | {} |", one.what, one.kind.name()));
    }
}

fn fan_out(text: &mut String) {
    line(text, "\n| memory of `ingest`, MB | subscribers of an application that reports once a second |");
    line(text, "|--:|--:|");
    for memory_mb in MEMORIES_MB {
        let most = subscribers_within(SECOND_MS, POST_MS, memory_mb);
        line(text, &format!("| {} | {} |", number(memory_mb), number(most)));
    }
}

fn line(text: &mut String, words: &str) {
    // Writing to a text never fails.
    let _ = writeln!(text, "{words}");
}

/// A count with its thousands apart; small ones with what follows the point.
fn number(value: f64) -> String {
    if value > 0.0 && value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser as _;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(
            [0.0, 0.25, 9.0, 10.4, 999.0, 1_000.0, 1e8].map(number).join(" "),
            "0 0.2 9 10 999 1,000 100,000,000"
        );
    }

    #[test]
    fn every_row_has_a_cell_for_each_column() {
        let text = render(&Args::parse_from(["nsl-scale"]).workloads());
        let tables = text.split("\n\n").filter(|part| part.starts_with('|'));
        for table in tables {
            let cells = |line: &str| line.matches('|').count();
            let first = table.lines().next().map(cells).unwrap();
            assert!(table.lines().all(|line| cells(line) == first), "{table}");
        }
        assert!(text.contains("10,000 processes | 1,000,000 processes | 100,000,000 processes"));
    }

    #[test]
    fn the_document_shows_what_the_model_says() {
        let text = render(&Args::parse_from(["nsl-scale"]).workloads());
        let document = include_str!("../SCALE.md");
        let missing: Vec<&str> =
            text.lines().filter(|line| line.starts_with('|') && !document.contains(line)).collect();
        assert!(missing.is_empty(), "infra/bench/SCALE.md lacks: {missing:#?}");
    }
}
