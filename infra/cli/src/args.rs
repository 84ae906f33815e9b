//! The command line as types. Nothing here acts; a credential is never an argument, for arguments are public.
//!
//! `--local` takes an optional value: a bare `--local` stands at the end or before another flag.

mod app;
mod repair;
mod terms;
mod token;

pub(crate) use app::{
    AppCommand, AppCreate, AppDelete, AppList, AppNamed, AppRotateKey, AppUpdate, KeyScope, Switch,
};
pub(crate) use repair::Repair;
pub(crate) use terms::OwnTerms;
pub(crate) use token::{TokenCommand, TokenInspect, TokenIssue};

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Shortest interval between two reports of the agent: processor usage means nothing over less.
const MIN_INTERVAL_SECONDS: f64 = 0.2;

/// Longest interval between two reports of the agent: API Gateway closes a connection after ten minutes of silence.
const MAX_INTERVAL_SECONDS: f64 = 300.0;

#[derive(Debug, Parser)]
#[command(name = "nsl", version, about = "Metrics of applications: report them, watch them, admit them.")]
pub(crate) struct Args {
    /// Print JSON, one document a line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) place: Place,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which service to talk to, and as which application.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// Talk to the gateway on this machine, found by its ready file [default: .nsl/ready.json, env: NSL_READY_FILE].
    #[arg(long, global = true, value_name = "READY_FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's shape of a flag with an optional value")]
    pub(crate) local: Option<Option<PathBuf>>,

    /// Talk to the CloudFormation stack of this name, found with the aws command and its usual profile and region.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "local")]
    pub(crate) stack: Option<String>,

    /// Address of the WebSocket API, as wss://….
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) ws: Option<String>,

    /// Address of the HTTP API, as https://….
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) http: Option<String>,

    /// File that holds the API key; without it NSL_TOKEN gives a token, or the ready file's application or
    /// NSL_API_KEY the key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Report this machine's processor, memory, disk, network and processes.
    Agent(Agent),
    /// Register applications, change them, replace their keys, switch them off.
    App {
        #[command(subcommand)]
        command: AppCommand,
    },
    /// Show an application's history as a table with a line of its course.
    History(History),
    /// Compute an application's rollups of a span anew, or list the stream records that could not be read.
    Repair(Repair),
    /// Send one report, read from stdin as JSON or looked up on this machine.
    Send(Send),
    /// Tell whether the service answers and how its tables are; of an application, who reports to it.
    Status(Status),
    /// Watch an application live, one line a report.
    Tail(Tail),
    /// Hand out tokens, which open applications for a while, and read them.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Agent {
    /// Application to report for; by default the ready file's.
    #[arg(long, value_name = "APP")]
    pub(crate) app: Option<String>,

    /// Seconds between two reports, from 0.2 to 300.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub(crate) interval: Duration,

    /// End after that many reports, once the last one is acknowledged.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Name of the reporting source; by default this machine's name.
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub(crate) source: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Application to watch; by default the ready file's.
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct History {
    /// Application to show; by default the ready file's.
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,

    /// The span up to this moment.
    #[arg(long, value_name = "SPAN", default_value = "hour", conflicts_with = "from")]
    pub(crate) range: Option<Range>,

    /// Beginning of the span, ISO 8601 or epoch milliseconds.
    #[arg(long, value_name = "TIME", requires = "to")]
    pub(crate) from: Option<String>,

    /// End of the span, exclusive.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub(crate) to: Option<String>,

    /// Width of a point in seconds.
    #[arg(long, value_name = "SECONDS", requires = "from")]
    pub(crate) step: Option<u32>,

    /// Series by name or pattern, such as cpu.usage,memory.*; by default the machine's and the process's.
    #[arg(long, value_name = "LIST")]
    pub(crate) series: Option<String>,

    /// Print the points as CSV.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// A span up to this moment.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Range {
    /// 60 points of a minute.
    Hour,
    /// 144 points of ten minutes.
    Day,
    /// 168 points of an hour.
    Week,
}

impl Range {
    /// The range as the HTTP API names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Application to report for; by default the ready file's.
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,

    /// Report this machine's figures in place of a document from stdin.
    #[arg(long)]
    pub(crate) machine: bool,

    /// Name of the reporting source; by default this machine's name.
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    pub(crate) source: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// Application whose sources and rollups are told; by default the ready file's, or none.
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(MIN_INTERVAL_SECONDS..=MAX_INTERVAL_SECONDS).contains(&seconds) {
        return Err(format!("must lie between {MIN_INTERVAL_SECONDS} and {MAX_INTERVAL_SECONDS} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn source_name(text: &str) -> Result<String, String> {
    if crate::wire::is_id(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 128 letters, digits or any of _ . : @ -".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn local_takes_a_file_in_both_spellings() {
        let file = Some(Some(PathBuf::from("r.json")));
        assert_eq!(parse("nsl agent --local r.json --count 3").place.local, file);
        assert_eq!(parse("nsl agent --local=r.json").place.local, file);
        assert_eq!(parse("nsl --local=r.json agent").place.local, file);
    }

    #[test]
    fn demo_command_of_the_gateway_is_understood() {
        let args = parse("nsl app create --demo --json --key-file k --local r.json");
        assert_eq!(args.place.local, Some(Some(PathBuf::from("r.json"))));
        assert_eq!(args.place.key_file, Some(PathBuf::from("k")));
        assert!(args.json);
        assert!(Args::try_parse_from("nsl app create --demo --name x".split(' ')).is_err());
    }

    #[test]
    fn local_stands_bare_at_the_end_and_before_a_flag() {
        assert_eq!(parse("nsl tail --local").place.local, Some(None));
        assert_eq!(parse("nsl tail demo --local").place.local, Some(None));
        assert_eq!(parse("nsl --local --json tail").place.local, Some(None));
        assert_eq!(parse("nsl tail demo").place.local, None);
    }

    #[test]
    fn a_repair_names_a_span_or_lists() {
        let parses = |line: &str| Args::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("nsl repair shop --from 0 --to 1") && parses("nsl repair shop --from 0"));
        assert!(parses("nsl repair shop --list") && parses("nsl repair --list"));
        for line in ["repair shop", "repair shop --to 1", "repair --from 0", "repair shop --from 0 --list"] {
            assert!(!parses(&format!("nsl {line}")), "{line}");
        }
    }

    #[test]
    fn interval_refuses_what_no_agent_can_keep() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "0.1", "-1", "301", "NaN", "inf", "soon"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn source_must_be_an_id() {
        assert!(source_name("web-1").is_ok());
        assert!(source_name("web 1").is_err());
        assert!(source_name("").is_err());
    }
}
