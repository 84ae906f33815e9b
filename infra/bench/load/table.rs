//! The results of a run as text.

use crate::delivery_log::Counts;
use crate::results::{Latency, RunResults, StageResults};

/// Renders the results, without a final line break.
pub(crate) fn render(results: &RunResults) -> String {
    let mut lines = vec![heading(results)];
    for stage in &results.stages {
        lines.push(String::new());
        lines.extend(stage_lines(stage));
    }
    lines.push(String::new());
    if let Some(knee) = &results.knee {
        lines.push(match knee.held_per_second {
            Some(rate) => {
                format!("knee: {rate:.0} reports per second with p99 up to {} ms", knee.p99_limit_ms)
            }
            None => "knee: none, the first rate was too high".to_owned(),
        });
    }
    let Counts { sent, acknowledged, rejected, unanswered, lost, doubled } = results.checked;
    lines.push(format!(
        "checked, warm-up included: {sent} sent, {acknowledged} acknowledged, {rejected} rejected, {unanswered} unanswered, {lost} lost, {doubled} doubled"
    ));
    if results.foreign > 0 {
        lines.push(format!("{} reports of other sources received", results.foreign));
    }
    lines.extend(results.failures.iter().map(ToString::to_string));
    lines.push(if results.is_flawless { "passed" } else { "FAILED" }.to_owned());
    lines.join("\n")
}

fn heading(results: &RunResults) -> String {
    let pace = match (results.in_flight, results.knee.is_some()) {
        (Some(in_flight), _) => format!("as fast as replies arrive, {in_flight} frames in flight each"),
        (None, true) => "at an increasing rate".to_owned(),
        (None, false) => "at a fixed rate".to_owned(),
    };
    format!(
        "{}: {} publishers, {} subscribers, {} applications, {} reports per frame, {pace}",
        results.ws, results.publishers, results.subscribers, results.apps, results.batch
    )
}

fn stage_lines(stage: &StageResults) -> Vec<String> {
    let offered = stage.offered_per_second.map_or_else(String::new, |rate| format!(" of {rate:.1} offered"));
    let slowest =
        stage.slowest_second.map_or_else(String::new, |least| format!(", {least} in the slowest second"));
    let Counts { rejected, unanswered, lost, doubled, .. } = stage.counts;
    let mut lines = vec![
        format!(
            "carried {:.1} reports per second{offered}{slowest}, {} in {:.1} s; lost {lost}, doubled {doubled}, rejected {rejected}, unanswered {unanswered}",
            stage.carried_per_second, stage.carried, stage.seconds,
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
    fn row_is_aligned_with_and_without_latencies() {
        let some = Latency { count: 7, p50_ms: Some(1.25), p99_ms: Some(10.0), max_ms: Some(1_234.5) };
        let none = Latency { count: 0, p50_ms: None, p99_ms: None, max_ms: None };
        assert_eq!(
            row("send to ack", &some).split_whitespace().skip(3).collect::<Vec<_>>(),
            ["1.2", "10.0", "1234.5", "7"]
        );
        assert_eq!(row("send to ack", &none).len(), row("send to ack", &some).len());
    }
}
