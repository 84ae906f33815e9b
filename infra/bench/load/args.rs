//! The command line. Every load is bounded. A credential is never an argument, because other processes can read
//! arguments.

use clap::{ArgGroup, Parser};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Connections of one run at most.
const MAX_CONNECTIONS: i64 = 10_000;

/// Longest stage in seconds: half of the two hours after which API Gateway closes a connection.
const MAX_SECONDS: i64 = 3_600;

/// Reports of one stage at most: each needs about forty bytes of memory, and one per subscriber.
pub(crate) const MAX_REPORTS: u64 = 10_000_000;

/// Reports per second: from one in a quarter of an hour to more than any machine sends.
const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Reports per frame at most: 30 KB of about 0.8 KB each.
const MAX_BATCH: i64 = 35;

/// Loads a metrics service over its WebSocket API and checks that no report is lost or delivered twice.
///
/// Connects only to the addresses in the ready file or in --ws and --http.
/// Exit status 0 means that every subscriber received every acknowledged report of its app exactly once.
#[derive(Debug, Clone, Parser)]
#[command(name = "nsl-load", version)]
#[command(group(ArgGroup::new("amount").args(["rate", "as_answered"])))]
pub(crate) struct Args {
    /// Ready file of a local gateway, with its addresses and its demo app.
    #[arg(long, value_name = "FILE", default_value = ".nsl/ready.json", conflicts_with = "ws")]
    pub(crate) ready_file: PathBuf,

    /// Address of the WebSocket API, in place of a ready file.
    #[arg(long, value_name = "URL")]
    pub(crate) ws: Option<String>,

    /// Address of the HTTP API, to measure when reports appear in history.
    #[arg(long, value_name = "URL", requires = "ws")]
    pub(crate) http: Option<String>,

    /// Application to load; may be repeated. Its key is in the --app-key-file of the same position, else in NSL_API_KEY.
    #[arg(long = "app", value_name = "ID", requires = "ws")]
    pub(crate) app_ids: Vec<String>,

    /// File with the key of an --app, in the same order; may be repeated.
    #[arg(long = "app-key-file", value_name = "FILE", requires = "app_ids")]
    pub(crate) app_key_files: Vec<PathBuf>,

    /// File of further apps to load, without the demo app: JSON lines as `nsl app create --json` prints
    /// them.
    #[arg(long, value_name = "FILE")]
    pub(crate) apps: Option<PathBuf>,

    /// Connections of publishers, spread over the apps.
    #[arg(long, value_name = "P", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    pub(crate) publishers: u32,

    /// Connections of subscribers, spread over the apps.
    #[arg(long, value_name = "S", default_value = "1", value_parser = clap::value_parser!(u32).range(0..=MAX_CONNECTIONS))]
    pub(crate) subscribers: u32,

    /// Reports per second of all publishers together, and the first rate of --ramp [default: 1 per publisher]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Send each frame after a reply, in place of a fixed rate.
    #[arg(long, conflicts_with = "ramp")]
    pub(crate) as_answered: bool,

    /// With --as-answered: frames per publisher that may wait for a reply.
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) in_flight: u32,

    /// Reports per frame.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH))]
    pub(crate) batch: u32,

    /// Measured seconds, with --ramp of each step [default: 10, or up to 600 with --reports]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u32).range(1..=MAX_SECONDS))]
    pub(crate) seconds: Option<u32>,

    /// Number of measured reports after which the run ends.
    #[arg(long, value_name = "N", conflicts_with = "ramp", value_parser = clap::value_parser!(u64).range(1..=MAX_REPORTS))]
    pub(crate) reports: Option<u64>,

    /// Seconds of load before the measurement; deliveries are checked, but not measured.
    #[arg(long, value_name = "S", default_value = "2", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) warm_up: u32,

    /// Double the rate until reports are lost or p99 is too high, then search for the highest rate that holds.
    #[arg(long)]
    pub(crate) ramp: bool,

    /// With --ramp: highest p99 from sending to the last subscriber, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "500", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) p99_limit: u32,

    /// Seconds between samples of the time until a report appears in history; 0 for none.
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) history_every: u32,

    /// Seconds after which a reply or a delivery counts as missing.
    #[arg(long, alias = "patience", value_name = "S", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) timeout: u32,

    /// Print the results as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// Whether more connections are requested than one run may open.
    pub(crate) fn too_many_connections(&self) -> bool {
        i64::from(self.publishers) + i64::from(self.subscribers) > MAX_CONNECTIONS
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if RATES.contains(&number) {
        return Ok(number);
    }
    Err(format!("{text} is not between {} and {}", RATES.start(), RATES.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["nsl-load"], arguments].concat())
    }

    #[test]
    fn default_target_is_the_ready_file() {
        let args = parsed(&[]).unwrap();
        assert_eq!(args.ready_file, PathBuf::from(".nsl/ready.json"));
        assert_eq!((args.publishers, args.subscribers, args.batch), (1, 1, 1));
    }

    #[test]
    fn contradictory_or_unbounded_arguments_are_rejected() {
        for wrong in [
            ["--rate", "5", "--as-answered"].as_slice(),
            &["--rate", "0"],
            &["--rate", "NaN"],
            &["--publishers", "0"],
            &["--subscribers", "10001"],
            &["--batch", "36"],
            &["--seconds", "3601"],
            &["--ramp", "--as-answered"],
            &["--app", "a"],
            &["--ws", "ws://127.0.0.1:1", "--ready-file", "x"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
        assert!(parsed(&["--publishers", "6000", "--subscribers", "6000"]).unwrap().too_many_connections());
    }
}
