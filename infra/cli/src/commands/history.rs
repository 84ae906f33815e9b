//! `nsl history`: what an application's series were over a span, as a table, as JSON or as CSV.

use crate::args::{History, Place, Range};
use crate::console::Console;
use crate::http;
use crate::settings::Settings;
use crate::sparkline::{draw, figure};
use crate::target::Target;
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Series that are asked for where none is named: all that a machine has in common with any other. A machine with
/// many interfaces has more series than one answer tells.
const USUAL_SERIES: &str = "cpu.*,memory.*,disk.*,process.*,processes.*";

/// The part of an answer that a table shows.
#[derive(Debug, Deserialize)]
struct Answer {
    series: BTreeMap<String, Columns>,
}

/// One entry for each point; gaps are null.
#[derive(Debug, Default, Deserialize)]
struct Columns {
    #[serde(default)]
    avg: Vec<Option<f64>>,
    #[serde(default)]
    min: Vec<Option<f64>>,
    #[serde(default)]
    max: Vec<Option<f64>>,
    #[serde(default)]
    count: Vec<Option<f64>>,
}

/// Asks for the history that the arguments describe, and shows it.
pub(crate) async fn run(
    args: History,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let target = Target::of_http(place, args.app.as_deref(), settings)?;
    let accept = if args.csv { "text/csv" } else { "application/json" };
    let path = format!("/apps/{}/metrics", target.app_id);
    let body = http::ask(&target, &path, &query(&args), accept).await?;
    if args.csv || console.is_json() {
        console.line(body.trim_end())?;
        return Ok(());
    }
    let answer: Answer = serde_json::from_str(&body).context("cannot understand the answer")?;
    if answer.series.is_empty() {
        console.note("no samples of these series in this span; name others with --series, such as '*'");
        return Ok(());
    }
    console.line(&table(&answer))?;
    Ok(())
}

fn query(args: &History) -> Vec<(&'static str, String)> {
    let series = args.series.clone().unwrap_or_else(|| USUAL_SERIES.to_owned());
    let mut query = vec![("series", series)];
    match (&args.from, &args.to) {
        (Some(from), Some(to)) => query.extend([("from", from.clone()), ("to", to.clone())]),
        _ => query.push(("timeRange", args.range.unwrap_or(Range::Hour).as_str().to_owned())),
    }
    query.extend(args.step.map(|step| ("step", step.to_string())));
    query
}

fn table(answer: &Answer) -> String {
    let width = answer.series.keys().map(String::len).max().unwrap_or_default().max("SERIES".len());
    let mut lines = vec![format!(
        "{:<width$}  {:>8}  {:>8}  {:>8}  {:>8}  COURSE",
        "SERIES", "AVG", "MIN", "MAX", "LAST"
    )];
    for (name, columns) in &answer.series {
        let figures = columns.figures().map(|value| value.map_or_else(|| "-".to_owned(), figure));
        let [avg, min, max, last] = figures;
        let course = draw(&columns.avg);
        lines.push(format!("{name:<width$}  {avg:>8}  {min:>8}  {max:>8}  {last:>8}  {course}"));
    }
    lines.join("\n")
}

impl Columns {
    /// Mean of all samples, least, greatest, and the mean of the latest point.
    fn figures(&self) -> [Option<f64>; 4] {
        let least = self.min.iter().flatten().copied().reduce(f64::min);
        let greatest = self.max.iter().flatten().copied().reduce(f64::max);
        [self.mean(), least, greatest, self.avg.iter().rev().flatten().copied().next()]
    }

    fn mean(&self) -> Option<f64> {
        let mut samples = 0.0;
        let mut sum = 0.0;
        for (mean, count) in self.avg.iter().zip(&self.count) {
            if let (Some(mean), Some(count)) = (mean, count) {
                samples += count;
                sum += mean * count;
            }
        }
        (samples > 0.0).then(|| sum / samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_weighs_each_point_by_its_samples() {
        let columns = Columns {
            avg: vec![Some(10.0), None, Some(40.0)],
            min: vec![Some(1.0), None, Some(30.0)],
            max: vec![Some(20.0), None, Some(50.0)],
            count: vec![Some(2.0), Some(0.0), Some(1.0)],
        };
        assert_eq!(columns.figures(), [Some(20.0), Some(1.0), Some(50.0), Some(40.0)]);
        assert_eq!(Columns::default().figures(), [None; 4]);
    }

    #[test]
    fn table_shows_a_row_for_each_series() {
        let answer: Answer = serde_json::from_str(
            r#"{"appId":"a","series":{"cpu.usage":{"avg":[1,null,3],"min":[1,null,2],"max":[1,null,4],"p95":[1,null,4],"count":[1,0,1]}}}"#,
        )
        .unwrap();
        let table = table(&answer);
        assert_eq!(table.lines().last(), Some("cpu.usage         2         1         4         3  ▁ █"));
    }

    #[test]
    fn span_is_a_range_or_two_times() {
        assert!(query(&History::default()).contains(&("timeRange", "hour".to_owned())));
        let args = History {
            from: Some("1".to_owned()),
            to: Some("2".to_owned()),
            step: Some(60),
            series: Some("a.b".to_owned()),
            ..History::default()
        };
        let expected = [("series", "a.b"), ("from", "1"), ("to", "2"), ("step", "60")];
        assert_eq!(query(&args), expected.map(|(name, value)| (name, value.to_owned())));
    }
}
