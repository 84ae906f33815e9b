//! The command line as types, with the bounds of what one run may do. Nothing here acts.
//!
//! A credential is never an argument, for arguments are public.

use clap::{ArgGroup, Parser};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Most connections of one run: what it opens is bounded whatever it is told.
const MAX_CONNECTIONS: i64 = 10_000;

/// Longest run, in seconds: half of the two hours after which API Gateway closes a connection.
const MAX_SECONDS: i64 = 3_600;

/// Most reports of one stage: each costs the bookkeeping some forty bytes, and one for each subscriber.
pub(crate) const MAX_REPORTS: u64 = 10_000_000;

/// Reports a second that can be asked for: from one in a quarter of an hour to more than any machine sends.
const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Most reports of a frame: the protocol's limit of a batch, in 30 KB of some 0.8 KB each.
const MAX_BATCH: i64 = 35;

/// Loads a metrics service over its WebSocket API and checks that nothing is lost and nothing is doubled.
///
/// Connects only to the addresses of the ready file or of --ws and --http. Ends by itself.
/// The exit status is 0 when every acknowledged report reached every subscriber of its application exactly once.
#[derive(Debug, Clone, Parser)]
#[command(name = "nsl-load", version)]
#[command(group(ArgGroup::new("amount").args(["rate", "as_answered"])))]
pub(crate) struct Args {
    /// Ready file of a local gateway: its addresses, and its demo application where it has one.
    #[arg(long, value_name = "FILE", default_value = ".nsl/ready.json", conflicts_with = "ws")]
    pub(crate) ready_file: PathBuf,

    /// Address of the WebSocket API, instead of a ready file's.
    #[arg(long, value_name = "URL")]
    pub(crate) ws: Option<String>,

    /// Address of the HTTP API, to measure when reports are in history.
    #[arg(long, value_name = "URL", requires = "ws")]
    pub(crate) http: Option<String>,

    /// An application to load; may be repeated. Its key is in the --app-key-file of the same place, else NSL_API_KEY.
    #[arg(long = "app", value_name = "ID", requires = "ws")]
    pub(crate) app_ids: Vec<String>,

    /// File that holds the key of an --app, in the same order; may be repeated.
    #[arg(long = "app-key-file", value_name = "FILE", requires = "app_ids")]
    pub(crate) app_key_files: Vec<PathBuf>,

    /// Applications to load in place of the ready file's, or beside each --app: JSON lines as `nsl app create --json`
    /// prints them.
    #[arg(long, value_name = "FILE")]
    pub(crate) apps: Option<PathBuf>,

    /// Connections that report, spread over the applications.
    #[arg(long, value_name = "P", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    pub(crate) publishers: u32,

    /// Connections that watch, spread over the applications.
    #[arg(long, value_name = "S", default_value = "1", value_parser = clap::value_parser!(u32).range(0..=MAX_CONNECTIONS))]
    pub(crate) subscribers: u32,

    /// Reports a second of all publishers together; where --ramp starts [default: 1 for each publisher]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Send as fast as frames are acknowledged, instead of at a rate.
    #[arg(long, conflicts_with = "ramp")]
    pub(crate) as_answered: bool,

    /// Frames of each publisher that may wait for their acknowledgement, with --as-answered.
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) in_flight: u32,

    /// Reports in each frame.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH))]
    pub(crate) batch: u32,

    /// Measured seconds; of each step with --ramp [default: 10, or up to 600 with --reports]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u32).range(1..=MAX_SECONDS))]
    pub(crate) seconds: Option<u32>,

    /// End once that many measured reports were sent.
    #[arg(long, value_name = "N", conflicts_with = "ramp", value_parser = clap::value_parser!(u64).range(1..=MAX_REPORTS))]
    pub(crate) reports: Option<u64>,

    /// Seconds of load before the measured ones; checked like them, in no figure.
    #[arg(long, value_name = "S", default_value = "2", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) warm_up: u32,

    /// Double the rate step by step until p99 or loss breaks, then close in on the highest rate that holds.
    #[arg(long)]
    pub(crate) ramp: bool,

    /// With --ramp: the p99 from send to last subscriber that still counts as holding, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "500", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) p99_limit: u32,

    /// Seconds between two samples of when a report is in history; 0 takes none.
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) history_every: u32,

    /// Seconds that an answer or a delivery may take before it counts as missing.
    #[arg(long, value_name = "S", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) patience: u32,

    /// Print the result as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// Whether the connections that are asked for are more than one run may open.
    pub(crate) fn too_many_connections(&self) -> bool {
        i64::from(self.publishers) + i64::from(self.subscribers) > MAX_CONNECTIONS
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    if RATES.contains(&number) {
        return Ok(number);
    }
    Err(format!("{text} is not from {} to {}", RATES.start(), RATES.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["nsl-load"], arguments].concat())
    }

    #[test]
    fn a_bare_call_reads_the_ready_file() {
        let args = parsed(&[]).unwrap();
        assert_eq!(args.ready_file, PathBuf::from(".nsl/ready.json"));
        assert_eq!((args.publishers, args.subscribers, args.batch), (1, 1, 1));
    }

    #[test]
    fn what_contradicts_itself_or_has_no_bound_is_refused() {
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
