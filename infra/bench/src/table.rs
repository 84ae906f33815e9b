//! The result of a run as a table for people.

use crate::figures::{Latency, RunFigures, StageFigures};

/// Renders a result, without a line break at its end.
pub(crate) fn render(figures: &RunFigures) -> String {
    let mut lines = vec![heading(figures)];
    for stage in &figures.stages {
        lines.push(String::new());
        lines.extend(stage_lines(stage));
    }
    lines.push(String::new());
    if let Some(knee) = &figures.knee {
        lines.push(match knee.held_per_second {
            Some(rate) => {
                format!("knee: {rate:.0} reports a second held with p99 up to {} ms", knee.p99_limit_ms)
            }
            None => "knee: the first rate did not hold".to_owned(),
        });
    }
    let checked = &figures.checked;
    lines.push(format!(
        "checked, warm-up included: {} sent, {} acknowledged, {} rejected, {} unanswered, {} lost, {} doubled",
        checked.sent, checked.acknowledged, checked.rejected, checked.unanswered, checked.lost, checked.doubled
    ));
    if figures.foreign > 0 {
        lines.push(format!("{} live reports of other sources", figures.foreign));
    }
    lines.extend(
        figures
            .troubles
            .iter()
            .map(|trouble| format!("{:>6} x {}: {}", trouble.count, trouble.kind, trouble.what)),
    );
    lines.push(if figures.is_flawless { "kept its promises" } else { "BROKE ITS PROMISES" }.to_owned());
    lines.join("\n")
}

fn heading(figures: &RunFigures) -> String {
    let pace = match (figures.in_flight, figures.knee.is_some()) {
        (Some(in_flight), _) => format!("as answered, {in_flight} in flight each"),
        (None, true) => "at a rising rate".to_owned(),
        (None, false) => "at a rate".to_owned(),
    };
    format!(
        "{}: {} publishers, {} subscribers, {} applications, {} in a frame, {pace}",
        figures.ws, figures.publishers, figures.subscribers, figures.apps, figures.batch
    )
}

fn stage_lines(stage: &StageFigures) -> Vec<String> {
    let offered = stage.offered_per_second.map_or_else(String::new, |rate| format!(" of {rate:.1} offered"));
    let slowest = stage.slowest_second.map_or_else(String::new, |least| format!(", {least} in the slowest"));
    let mut lines = vec![
        format!(
            "carried {:.1} reports a second{offered}{slowest}, {} in {:.1} s; lost {}, doubled {}, rejected {}, unanswered {}",
            stage.carried_per_second,
            stage.carried,
            stage.seconds,
            stage.lost,
            stage.doubled,
            stage.rejected,
            stage.unanswered
        ),
        format!("{:<26}{:>10}{:>10}{:>10}{:>10}", "milliseconds", "p50", "p99", "max", "count"),
    ];
    let rows = [
        ("send to ack", &stage.to_ack),
        ("send to last subscriber", &stage.to_last_subscriber),
        ("send to history (sampled)", &stage.to_history),
    ];
    lines.extend(rows.into_iter().map(|(name, latency)| row(name, latency)));
    lines
}

fn row(name: &str, latency: &Latency) -> String {
    let shown = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
    format!(
        "{name:<26}{:>10}{:>10}{:>10}{:>10}",
        shown(latency.p50_ms),
        shown(latency.p99_ms),
        shown(latency.max_ms),
        latency.count
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_in_its_columns_and_says_where_nothing_was_measured() {
        let some = Latency { count: 7, p50_ms: Some(1.25), p99_ms: Some(10.0), max_ms: Some(1_234.5) };
        let none = Latency { count: 0, p50_ms: None, p99_ms: None, max_ms: None };
        assert_eq!(
            row("send to ack", &some).split_whitespace().skip(3).collect::<Vec<_>>(),
            ["1.2", "10.0", "1234.5", "7"]
        );
        assert_eq!(row("send to ack", &none).len(), row("send to ack", &some).len());
    }
}
