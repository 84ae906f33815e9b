//! The command line as types, with the bounds of what one run may do. Nothing here acts.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Most starts and most events of one case: a run ends within minutes whatever it is told.
const MAX_STARTS: i64 = 1_000;
const MAX_EVENTS: i64 = 100_000;

/// How functions reach the stand-in of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Plain HTTP, as on the local gateway.
    Plain,
    /// TLS with a certificate of our own, as on AWS.
    Tls,
}

impl Transport {
    /// Its name in the figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        }
    }
}

/// Measures the functions of a release build one by one and prints one JSON document.
///
/// Starts only the binaries of the given folder, and connects to nothing but itself.
#[derive(Debug, Clone, Parser)]
#[command(name = "nsl-measure", version)]
pub(crate) struct Args {
    /// Folder of the function binaries, the hello-world among them.
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    pub(crate) functions: PathBuf,

    /// Cases whose name contains this text; all where it is not given.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,

    /// The one case of this name, with all the events that are asked for.
    #[arg(long, value_name = "NAME", conflicts_with = "only")]
    pub(crate) exactly: Option<String>,

    /// One transport alone.
    #[arg(long, value_name = "HOW")]
    pub(crate) transport: Option<Transport>,

    /// Starts of each function, of which the median is told.
    #[arg(long, value_name = "N", default_value = "21", value_parser = clap::value_parser!(u32).range(0..=MAX_STARTS))]
    pub(crate) starts: u32,

    /// Warm events of each case whose processor time is told; of costly cases fewer are given.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u32).range(0..=MAX_EVENTS))]
    pub(crate) events: u32,

    /// Words before each function's binary, such as those of a profiler; may be repeated.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub(crate) wrap: Vec<String>,

    /// Roots that a function trusts over TLS besides our own: as many are read on AWS.
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    pub(crate) roots: PathBuf,
}

impl Args {
    /// Whether the case of this name is to be measured.
    pub(crate) fn names(&self, case: &str) -> bool {
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
    fn a_case_is_named_by_a_part_of_its_name_or_by_all_of_it() {
        let named = |words: &[&str], case| Args::parse_from([&["nsl-measure"], words].concat()).names(case);
        assert!(named(&[], "history, week") && named(&["--only", "history"], "history, week"));
        assert!(named(&["--exactly", "history"], "history"));
        assert!(!named(&["--exactly", "history"], "history, week"));
    }

    #[test]
    fn both_transports_are_measured_unless_one_is_named() {
        let transports = |words: &[&str]| Args::parse_from([&["nsl-measure"], words].concat()).transports();
        assert_eq!(transports(&[]), [Transport::Plain, Transport::Tls]);
        assert_eq!(transports(&["--transport", "tls"]), [Transport::Tls]);
    }
}
