//! `nsl history`: an app's metrics of the past, as a table, JSON or CSV.

use crate::args::History;
use crate::cli::Cli;
use crate::figure::figure;
use crate::sparkline::draw;
use crate::target::Target;
use anyhow::Context as _;
use nsl_client::http::HttpClient;
use nsl_domain::series::Unit;
use nsl_terminal::{padded, width};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for a response: API Gateway allows a function 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Series that are requested by default: those that every machine has. With all network interfaces a machine may have
/// more series than fit one response.
const DEFAULT_SERIES: &str = "cpu.*,memory.*,disk.*,process.*,processes.*";

/// The part of a response that the table shows.
#[derive(Debug, Deserialize)]
struct Response {
    series: BTreeMap<String, Columns>,
}

/// One value per point; gaps are null.
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

pub(crate) async fn run(args: History, cli: &Cli) -> anyhow::Result<()> {
    let target = Target::of_http(cli, args.app.as_deref()).await?;
    let accept = if args.csv { "text/csv" } else { "application/json" };
    let path = format!("/apps/{}/metrics", target.app_id);
    let http = HttpClient::new(&target.address, TIMEOUT)?;
    let body = http.get(&path, &query(&args), accept, Some(&target.credential)).await?;
    if args.csv {
        return Ok(cli.console.file(body.trim_end())?);
    }
    if cli.console.is_json() {
        return Ok(cli.console.json_text(body.trim_end())?);
    }
    let response: Response = serde_json::from_str(&body).context("cannot parse the response")?;
    if response.series.is_empty() {
        cli.console
            .note("no samples of these series in this time range; name others with --series, such as '*'");
        return Ok(());
    }
    Ok(cli.console.lines(table(&response))?)
}

fn query(args: &History) -> Vec<(&'static str, String)> {
    let series = args.series.clone().unwrap_or_else(|| DEFAULT_SERIES.to_owned());
    let mut query = vec![("series", series)];
    match (&args.from, &args.to) {
        (Some(from), Some(to)) => query.extend([("from", from.clone()), ("to", to.clone())]),
        _ => query.push(("timeRange", args.range.clone())),
    }
    query.extend(args.step.map(|step| ("step", step.to_string())));
    query
}

fn table(response: &Response) -> Vec<String> {
    let columns =
        response.series.keys().map(|name| width(name)).max().unwrap_or_default().max("SERIES".len());
    let mut lines = vec![format!(
        "{:<columns$}  {:>10}  {:>10}  {:>10}  {:>10}  TREND",
        "SERIES", "AVG", "MIN", "MAX", "LAST"
    )];
    for (name, points) in &response.series {
        let shown = |value| figure(value, Unit::of_series(name));
        let summary = points.summary().map(|value| value.map_or_else(|| "-".to_owned(), shown));
        let [avg, min, max, last] = summary;
        let trend = draw(&points.avg);
        lines
            .push(format!("{}  {avg:>10}  {min:>10}  {max:>10}  {last:>10}  {trend}", padded(name, columns)));
    }
    lines
}

impl Columns {
    /// Mean of all samples, minimum, maximum, and the mean of the latest point.
    fn summary(&self) -> [Option<f64>; 4] {
        let min = self.min.iter().flatten().copied().reduce(f64::min);
        let max = self.max.iter().flatten().copied().reduce(f64::max);
        [self.mean(), min, max, self.avg.iter().rev().flatten().copied().next()]
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
    fn mean_is_weighted_by_sample_count() {
        let columns = Columns {
            avg: vec![Some(10.0), None, Some(40.0)],
            min: vec![Some(1.0), None, Some(30.0)],
            max: vec![Some(20.0), None, Some(50.0)],
            count: vec![Some(2.0), Some(0.0), Some(1.0)],
        };
        assert_eq!(columns.summary(), [Some(20.0), Some(1.0), Some(50.0), Some(40.0)]);
        assert_eq!(Columns::default().summary(), [None; 4]);
    }
}
