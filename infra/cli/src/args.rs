//! The command line. A credential is never an argument, because other processes can read arguments.
//!
//! `--local` takes an optional value: without one it must be the last argument or be followed by another flag.

mod app;
mod app_settings;
mod duration;
mod repair;
mod scope;
mod smoke;
mod token;

pub(crate) use app::{
    AppCommand, AppConfig, AppCreate, AppDelete, AppList, AppNamed, AppRotateKey, AppUpdate,
};
pub(crate) use repair::Repair;
pub(crate) use scope::{argument, union};
pub(crate) use smoke::Smoke;
pub(crate) use token::{Signing, TokenCommand, TokenIssue};

use clap::{Parser, Subcommand};
use nsl_domain::ids::Source;
use std::path::PathBuf;
use std::time::Duration;

/// Shortest interval between two reports of the agent: CPU usage is not meaningful over less.
const MIN_INTERVAL_SECONDS: f64 = 0.2;

/// Longest interval between two reports of the agent: API Gateway closes a connection after ten minutes of silence.
const MAX_INTERVAL_SECONDS: f64 = 300.0;

#[derive(Debug, Parser)]
#[command(
    name = "nsl",
    version,
    about = "Command line of the metrics service: send, watch and query metrics, manage applications"
)]
pub(crate) struct Args {
    /// Print JSON, one document per line.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) place: Place,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which service to use, and the key of the application.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// Use the gateway on this machine, found by its ready file [default: .nsl/ready.json, env: NSL_READY_FILE].
    #[arg(long, global = true, value_name = "READY_FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's shape of a flag with an optional value")]
    pub(crate) local: Option<Option<PathBuf>>,

    /// Use the CloudFormation stack of this name, in the Region and with the credentials of AWS_REGION, AWS_PROFILE and
    /// the files of the AWS CLI. The aws command itself is needed only by profiles of IAM Identity Center (SSO).
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "local")]
    pub(crate) stack: Option<String>,

    /// Address of the WebSocket API, wss://….
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) ws: Option<String>,

    /// Address of the HTTP API, https://….
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) http: Option<String>,

    /// File with the API key, alone or in a configuration of the library [default: the token in NSL_TOKEN, else the key of the ready file, else NSL_API_KEY].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

impl Place {
    /// The arguments that name the service in a command that the user is to run next, each after a blank.
    pub(crate) fn again(&self) -> String {
        match (&self.stack, &self.local) {
            (Some(stack), _) => format!(" --stack {stack}"),
            (None, Some(Some(ready_file))) => format!(" --local {}", ready_file.display()),
            (None, Some(None)) => " --local".to_owned(),
            (None, None) => String::new(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send this machine's CPU, memory, disk, network and process metrics at an interval.
    Agent(Agent),
    /// Create, list, show, change, deactivate and delete applications, and rotate their keys.
    App {
        #[command(subcommand)]
        command: AppCommand,
    },
    /// Query an application's metrics of the past: a table with sparklines, JSON or CSV.
    History(History),
    /// Recompute an application's rollups, or list stream records that could not be read.
    Repair(Repair),
    /// Send one report: JSON from stdin, or this machine's metrics.
    Send(Send),
    /// Test a deployed service from outside, with a temporary application: each check is one line.
    Smoke(Smoke),
    /// Show the health of the service and its tables, and the sources of an application.
    Status(Status),
    /// Watch an application's reports live, one line per report.
    Tail(Tail),
    /// Issue and inspect tokens, which grant access to applications for a limited time.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Agent {
    /// Application to report for [default: the ready file's].
    #[arg(long, value_name = "APP")]
    pub(crate) app: Option<String>,

    /// Seconds between reports, 0.2 to 300.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub(crate) interval: Duration,

    /// Number of reports to send; the command ends when the last one is acknowledged.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Name of the source [default: this machine's host name].
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub(crate) source: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Application to watch [default: the ready file's].
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// Application to query [default: the ready file's].
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,

    /// Time range that ends now, with 60 points by the minute, 144 by ten minutes, or 168 by the hour.
    #[arg(long, value_name = "SPAN", default_value = "hour", value_parser = ["hour", "day", "week"], conflicts_with = "from")]
    pub(crate) range: String,

    /// Start of the time range, ISO 8601 or epoch milliseconds.
    #[arg(long, value_name = "TIME", requires = "to")]
    pub(crate) from: Option<String>,

    /// End of the time range, exclusive.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub(crate) to: Option<String>,

    /// Seconds per point.
    #[arg(long, value_name = "SECONDS", requires = "from")]
    pub(crate) step: Option<u32>,

    /// Series by name or pattern, such as cpu.usage,memory.* [default: those of the machine and the process].
    #[arg(long, value_name = "LIST")]
    pub(crate) series: Option<String>,

    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Application to report for [default: the ready file's].
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,

    /// Send this machine's metrics instead of JSON from stdin.
    #[arg(long)]
    pub(crate) machine: bool,

    /// Name of the source [default: this machine's host name].
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub(crate) source: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// Application whose sources and rollups are shown [default: the ready file's, or none].
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(MIN_INTERVAL_SECONDS..=MAX_INTERVAL_SECONDS).contains(&seconds) {
        return Err(format!("must be between {MIN_INTERVAL_SECONDS} and {MAX_INTERVAL_SECONDS} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn source_name(text: &str) -> Result<String, String> {
    Source::new(text).map(String::from).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn local_takes_a_file_with_space_or_equals_sign() {
        let file = Some(Some(PathBuf::from("r.json")));
        assert_eq!(parse("nsl agent --local r.json --count 3").place.local, file);
        assert_eq!(parse("nsl agent --local=r.json").place.local, file);
        assert_eq!(parse("nsl --local=r.json agent").place.local, file);
    }

    #[test]
    fn local_without_a_value_is_last_or_before_a_flag() {
        assert_eq!(parse("nsl tail --local").place.local, Some(None));
        assert_eq!(parse("nsl tail demo --local").place.local, Some(None));
        assert_eq!(parse("nsl --local --json tail").place.local, Some(None));
        assert_eq!(parse("nsl tail demo").place.local, None);
    }

    #[test]
    fn next_command_names_the_same_service() {
        for line in ["", " --local", " --local r.json", " --stack prod"] {
            assert_eq!(parse(&format!("nsl tail demo{line}")).place.again(), line);
        }
    }

    #[test]
    fn repair_needs_a_time_range_or_list() {
        let parses = |line: &str| Args::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("nsl repair shop --from 0 --to 1") && parses("nsl repair shop --from 0"));
        assert!(parses("nsl repair shop --list") && parses("nsl repair --list"));
        for line in ["repair shop", "repair shop --to 1", "repair --from 0", "repair shop --from 0 --list"] {
            assert!(!parses(&format!("nsl {line}")), "{line}");
        }
    }

    #[test]
    fn interval_is_bounded() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "0.1", "-1", "301", "NaN", "inf", "soon"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn source_must_be_a_valid_id() {
        assert!(source_name("web-1").is_ok());
        assert!(source_name("web 1").is_err());
        assert!(source_name("").is_err());
    }
}
