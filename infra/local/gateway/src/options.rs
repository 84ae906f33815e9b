//! The command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;

/// Runs a SAM template's functions on this machine: API Gateway (WebSocket and HTTP), Lambda and DynamoDB.
///
/// Functions, routes and tables come from the template. The functions are unmodified Lambda binaries.
#[derive(Clone, Debug, Parser)]
#[command(name = "nsl-gateway", version)]
pub struct Options {
    /// Address of the WebSocket API [default: localhost:8087, on IPv4 and IPv6]
    #[arg(long, value_name = "ADDR")]
    pub ws: Option<String>,

    /// Address of the HTTP API [default: localhost:2798, on IPv4 and IPv6]
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,

    /// Base path under which the HTTP API is served as well
    #[arg(long, value_name = "PATH", default_value = "/api/logger")]
    pub http_base_path: String,

    /// Address of the @connections API, not loopback if functions run in containers
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub management: String,

    /// Address of the embedded DynamoDB
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", conflicts_with = "dynamodb")]
    pub dynamodb_addr: String,

    /// Further name under which clients address this machine; may be repeated
    ///
    /// Requests for any other host are refused, because a web page could have sent them.
    /// `localhost`, the addresses above and, if one of them is 0.0.0.0 or [::], every IP address are accepted.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,

    /// Use the DynamoDB at this URL (for example DynamoDB Local) instead of the embedded one
    #[arg(long, value_name = "URL")]
    pub dynamodb: Option<String>,

    /// Directory of the data, the ready file and the functions' log
    #[arg(long, value_name = "DIR", default_value = ".nsl", conflicts_with = "memory")]
    pub data: PathBuf,

    /// Keep data in memory only
    #[arg(long)]
    pub memory: bool,

    /// Do not start the agent that reports this machine's own metrics to the demo app
    #[arg(long)]
    pub no_demo: bool,

    /// Directory of the functions' binaries [default: the directory of this program]
    #[arg(long, value_name = "DIR")]
    pub functions: Option<PathBuf>,

    /// The SAM template
    #[arg(long, value_name = "FILE", default_value = "template.yaml")]
    pub template: PathBuf,

    /// Value of a template parameter instead of its default; may be repeated
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    pub parameters: Vec<(String, String)>,

    /// Invoke functions through this Lambda endpoint (sam local start-lambda, cargo lambda watch)
    #[arg(long, value_name = "URL")]
    pub lambda_endpoint: Option<String>,

    /// Function names at that endpoint: logical ids for sam local start-lambda, binaries for cargo lambda watch
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub lambda_names: FunctionNames,

    /// Maximum number of processes of one function; further invocations wait
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_concurrency: u16,

    /// End all but one of a function's processes after this many idle seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub shrink_after: u64,

    /// Close a connection without messages after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub idle_timeout: u64,

    /// Close any connection after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    pub max_duration: u64,

    /// Batching window of every stream in seconds, instead of the template's
    #[arg(long, value_name = "SECONDS")]
    pub stream_window: Option<u64>,

    /// Deliver streams with faults chosen by this seed: out of order across items, split, duplicated
    #[arg(long, value_name = "SEED")]
    pub stream_chaos: Option<u64>,

    /// Also write the ready file (addresses and demo app as JSON) here
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,

    /// Print every line that functions write, not only warnings and errors
    #[arg(long, short)]
    pub verbose: bool,
}

/// How a Lambda endpoint names functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FunctionNames {
    /// The function's logical id in the template.
    #[default]
    LogicalId,
    /// The name of its binary.
    Binary,
}

impl Options {
    pub(crate) fn overrides(&self) -> BTreeMap<String, String> {
        self.parameters.iter().cloned().collect()
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "must be of the form KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_suit_the_library_and_its_dashboard() {
        let options = Options::parse_from(["nsl-gateway"]);
        assert_eq!((options.ws, options.http), (None, None));
        assert_eq!((options.idle_timeout, options.max_duration), (600, 7200));
        assert_eq!(options.data, PathBuf::from(".nsl"));
        let options =
            Options::parse_from(["nsl-gateway", "--parameter", "A=b=c", "--dynamodb-addr", "host:1"]);
        assert_eq!((options.overrides()["A"].as_str(), options.dynamodb_addr.as_str()), ("b=c", "host:1"));
    }
}
