//! A running function: its process, its Runtime API and the fake AWS.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::args::Args;
use crate::case::Case;
use crate::fake_aws::{Calls, FakeAws};
use crate::rows::Rows;
use crate::runtime_api::RuntimeApi;
use crate::serve::Server;
use crate::tls::Identity;

/// The variables that the template and Lambda set, for all functions together. The secrets are not real.
const ENVIRONMENT: [(&str, &str); 25] = [
    ("APPS_TABLE", "AppsTable"),
    ("CONNECTIONS_TABLE", "ConnectionsTable"),
    ("REPORTS_TABLE", "ReportsTable"),
    ("ROLLUPS_TABLE", "RollupsTable"),
    ("LOGS_TABLE", "LogsTable"),
    ("WEBSOCKET_ADDRESS", "wss://abcdef1234.execute-api.us-east-1.amazonaws.com/live"),
    ("RAW_RETENTION_HOURS", "48"),
    ("METRICS_NAMESPACE", "NehonixSmartLogger/measured"),
    ("ALLOWED_ORIGINS", "http://localhost:2798"),
    ("TOKEN_SECRET", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("TOKEN_KEYS", ""),
    ("TOKEN_AUDIENCE", "nsl"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/measured"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
    ("_HANDLER", "bootstrap"),
];

/// A part of the session token, which is as long as a real one, because it is sent and signed with every call.
const SESSION_TOKEN_PART: &str =
    "IQoJb3JpZ2luX2VjEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLE";
const SESSION_TOKEN_PARTS: usize = 7;

/// Longest wait for the first poll, even under a profiler.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for the end of a process, in which a profiler writes its output.
const END_LIMIT: Duration = Duration::from_secs(30);

/// A running function.
pub(crate) struct Function {
    child: Child,
    pub(crate) pid: u32,
    pub(crate) api: RuntimeApi,
    pub(crate) calls: Arc<Calls>,
    _tables: Server,
    _connections: Server,
}

/// Times since the start of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// Its first connection to AWS, which means that its clients are built; its first poll if it makes none.
    pub(crate) connected: Duration,
    pub(crate) polled: Duration,
}

impl Function {
    /// Starts the function and waits for its first poll.
    pub(crate) async fn start(
        args: &Args,
        case: &Case,
        rows: &Arc<Rows>,
        identity: Option<&Identity>,
    ) -> anyhow::Result<(Self, Started)> {
        let calls = Arc::new(Calls::default());
        let acceptor = || identity.map(|identity| identity.acceptor.clone());
        let fake_aws = Arc::new(FakeAws::new(Arc::clone(rows), Arc::clone(&calls)));
        // Two servers, because DynamoDB and the WebSocket API are two hosts on AWS.
        let tables = Server::start(Arc::clone(&fake_aws), acceptor()).await?;
        let connections = Server::start(fake_aws, acceptor()).await?;
        let mut api = RuntimeApi::open().await?;

        let scheme = if identity.is_some() { "https" } else { "http" };
        let mut command = command(args, &args.functions.join(case.binary));
        command
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_ENDPOINT_URL_DYNAMODB", format!("{scheme}://{}", tables.address))
            .env(
                "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                format!("{scheme}://{}/live", connections.address),
            );
        if let Some(identity) = identity {
            command.env("SSL_CERT_FILE", &identity.roots);
        }
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", case.binary))?;
        let pid = child.id().context("the process has ended")?;
        let polled = tokio::select! {
            polled = tokio::time::timeout(START_LIMIT, api.polled()) => polled.context("the function does not poll")??,
            status = child.wait() => bail!("{} ended at its start: {}", case.binary, status?),
        };
        let connected = tables.first_connection().unwrap_or(polled).min(polled);
        let started =
            Started { connected: connected.duration_since(began), polled: polled.duration_since(began) };
        Ok((Self { child, pid, api, calls, _tables: tables, _connections: connections }, started))
    }

    /// Terminates the process, so that a profiler can write its output.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        if tokio::time::timeout(END_LIMIT, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

fn command(args: &Args, binary: &Path) -> Command {
    let mut command = match args.wrap.split_first() {
        None => Command::new(binary),
        Some((first, others)) => {
            let mut command = Command::new(first);
            command.args(others).arg(binary);
            command
        }
    };
    command
        .env_clear()
        .envs(ENVIRONMENT)
        .env("AWS_SESSION_TOKEN", SESSION_TOKEN_PART.repeat(SESSION_TOKEN_PARTS))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}
