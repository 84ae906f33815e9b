//! The workload: how many processes report how often to how many applications, and who watches.

use clap::Parser;

/// Says what reporting processes need: shards, concurrency, quotas, dollars a month, and what breaks first.
#[derive(Debug, Clone, Parser)]
#[command(name = "nsl-scale", version)]
pub(crate) struct Args {
    /// Reporting processes; may be repeated, one column each.
    #[arg(long = "processes", value_name = "N", default_values_t = [10_000.0, 1e6, 1e8], value_parser = positive)]
    pub(crate) processes: Vec<f64>,

    /// Reports of each process in a second.
    #[arg(long, value_name = "R", default_value = "1", value_parser = positive)]
    pub(crate) rate: f64,

    /// Reports in one frame.
    #[arg(long, value_name = "N", default_value = "1", value_parser = positive)]
    pub(crate) batch: f64,

    /// Processes that report for the same application.
    #[arg(long, value_name = "N", default_value = "100", value_parser = positive)]
    pub(crate) processes_per_app: f64,

    /// Connections that watch an application at a time, on average.
    #[arg(long, value_name = "N", default_value = "0.1", value_parser = not_negative)]
    pub(crate) viewers_per_app: f64,

    /// History queries of an application in an hour.
    #[arg(long, value_name = "N", default_value = "10", value_parser = not_negative)]
    pub(crate) queries_per_app: f64,

    /// Milliseconds of one invocation of ingest on AWS, waits included.
    #[arg(long, value_name = "MS", default_value = "15", value_parser = positive)]
    pub(crate) ingest_ms: f64,
}

/// One column of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) processes: f64,
    pub(crate) rate: f64,
    pub(crate) batch: f64,
    pub(crate) processes_per_app: f64,
    pub(crate) viewers_per_app: f64,
    pub(crate) queries_per_app: f64,
    pub(crate) ingest_ms: f64,
}

impl Args {
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let of = |processes: &f64| Workload {
            processes: *processes,
            rate: self.rate,
            batch: self.batch,
            processes_per_app: self.processes_per_app.min(*processes),
            viewers_per_app: self.viewers_per_app,
            queries_per_app: self.queries_per_app,
            ingest_ms: self.ingest_ms,
        };
        self.processes.iter().map(of).collect()
    }
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text)
        .and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be above 0".into()) })
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    let told = || format!("{text} is not from 0 to 10 billion");
    (0.0..=1e10).contains(&number).then_some(number).ok_or_else(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_call_has_three_columns() {
        let workloads = Args::parse_from(["nsl-scale"]).workloads();
        assert_eq!(workloads.iter().map(|one| one.processes).collect::<Vec<_>>(), [1e4, 1e6, 1e8]);
        assert!(Args::try_parse_from(["nsl-scale", "--rate", "0"]).is_err());
        assert!(Args::try_parse_from(["nsl-scale", "--viewers-per-app", "NaN"]).is_err());
    }
}
