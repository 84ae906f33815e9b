//! The command line. Every run is bounded.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Starts and events of one case at most, so that a run ends within minutes.
const MAX_STARTS: i64 = 1_000;
const MAX_EVENTS: i64 = 100_000;

/// How functions connect to the fake AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// Plain HTTP, as on the local gateway.
    Plain,
    /// TLS with a self-made certificate, as on AWS.
    Tls,
}

/// Measures the functions of a release build one by one and prints a JSON document.
///
/// Runs only the binaries in the given folder, and connects only to itself.
#[derive(Debug, Clone, Parser)]
#[command(name = "nsl-measure", version)]
pub(crate) struct Args {
    /// Folder with the binaries of the functions and of the hello-world.
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    pub(crate) functions: PathBuf,

    /// Measure only cases whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,

    /// Measure only the case with this name, with the full number of events.
    #[arg(long, value_name = "NAME", conflicts_with = "only")]
    pub(crate) exactly: Option<String>,

    /// Measure only this transport.
    #[arg(long, value_name = "HOW")]
    pub(crate) transport: Option<Transport>,

    /// Starts of each function, for the median.
    #[arg(long, value_name = "N", default_value = "21", value_parser = clap::value_parser!(u32).range(0..=MAX_STARTS))]
    pub(crate) starts: u32,

    /// Warm events of each case; expensive cases get fewer.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u32).range(0..=MAX_EVENTS))]
    pub(crate) events: u32,

    /// Word of a command that runs each binary, such as a profiler; may be repeated.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub(crate) wrap: Vec<String>,

    /// Root certificates that a function reads in addition, because it reads as many on AWS.
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    pub(crate) roots: PathBuf,
}

impl Args {
    /// Whether to measure the case with this name.
    pub(crate) fn selects(&self, case: &str) -> bool {
        self.exactly.as_ref().map_or_else(|| case.contains(&self.only), |exactly| exactly == case)
    }

    /// The transports to measure.
    pub(crate) fn transports(&self) -> Vec<Transport> {
        self.transport.map_or_else(|| vec![Transport::Plain, Transport::Tls], |one| vec![one])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_selected_by_part_of_its_name_or_all_of_it() {
        let selected =
            |words: &[&str], case| Args::parse_from([&["nsl-measure"], words].concat()).selects(case);
        assert!(selected(&[], "history, week") && selected(&["--only", "history"], "history, week"));
        assert!(selected(&["--exactly", "history"], "history"));
        assert!(!selected(&["--exactly", "history"], "history, week"));
    }

    #[test]
    fn both_transports_are_measured_by_default() {
        let transports = |words: &[&str]| Args::parse_from([&["nsl-measure"], words].concat()).transports();
        assert_eq!(transports(&[]), [Transport::Plain, Transport::Tls]);
        assert_eq!(transports(&["--transport", "tls"]), [Transport::Tls]);
    }
}
