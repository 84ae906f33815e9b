//! What every function does before its first event: logging, SDK configuration, and a call to each table.
//!
//! Timeouts and retries of every AWS call are set here. A function that cannot work logs one line and exits.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use lambda_runtime::tracing::subscriber::filter::{EnvFilter, LevelFilter};
use lambda_runtime::tracing::subscriber::fmt::MakeWriter;
use lambda_runtime::tracing::subscriber::{self, util::SubscriberInitExt};
use nsl_domain::rollup::Retention;
use tracing::Dispatch;

use crate::apps::Apps;
use crate::audience::Audience;
use crate::clock;
use crate::connections_api::ConnectionsApi;
use crate::counters;
use crate::fan_out::FanOut;
use crate::fault::{Fault, Kind};
use crate::legacy::{Commands, Logs};
use crate::publishers::Publishers;
use crate::reports::Reports;
use crate::rollups::Rollups;
use crate::sessions::Sessions;
use crate::settings::environment;
use crate::subscriptions::Subscriptions;
use crate::table::Table;
use crate::table_probe::{self, TableProbe, TableStatus};
use crate::unauthenticated::UnauthenticatedConnections;

/// Longest wait for a connection to an endpoint in the same region.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for one attempt of a call, connecting included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for a call with all its attempts: below the functions' own timeout of 10 s, so that a caller can
/// still be answered.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts of one call, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// First pause between attempts. The SDK's own 1 s is longer than most invocations.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Starts structured logging, in the format and from the level that Lambda's environment sets.
///
/// The runtime's own layer omits the time, and Lambda treats a JSON line without a valid `timestamp` as INFO: with
/// `LogLevel=WARN` it would drop every warning and error.
pub fn init_logging() {
    let is_json =
        environment("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let level = environment("AWS_LAMBDA_LOG_LEVEL").or_else(|| environment("RUST_LOG"));
    log_layer(is_json, level.as_deref(), std::io::stdout).init();
    let namespace = environment("METRICS_NAMESPACE");
    std::panic::set_hook(Box::new(move |panic| {
        log_panic(panic);
        if let Some(namespace) = &namespace {
            counters::emit_panic(namespace, clock::now());
        }
    }));
}

/// Logs where a panic happened. Its message is left out: it may quote what a caller sent.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(location, "panicked");
}

/// The layer of log lines from `level` on, INFO if it is not a level; `RUST_LOG` may set single modules too.
fn log_layer<W>(is_json: bool, level: Option<&str>, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let lines = subscriber::fmt().with_target(false).with_env_filter(filter).with_writer(writer);
    if is_json { Dispatch::new(lines.json().finish()) } else { Dispatch::new(lines.without_time().finish()) }
}

/// `settings`; exits after one log line if they are wrong.
pub fn or_exit<S, E: std::fmt::Display>(settings: Result<S, E>) -> S {
    match settings {
        Ok(settings) => settings,
        Err(fault) => exit(&fault.to_string()),
    }
}

fn exit(reason: &str) -> ! {
    tracing::error!(reason, "function cannot start");
    std::process::exit(1)
}

/// The endpoint of the WebSocket API. Without it the SDK would call a host that serves no API, and every post would be
/// lost.
const CONNECTIONS_ENDPOINT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";

/// The access key that the local gateway gives its functions: DynamoDB Local keeps a set of tables for each.
pub const LOCAL_ACCESS_KEY: &str = "LOCALGATEWAY";

/// The endpoints of a local stand-in for AWS.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it contains a secret")]
pub struct LocalEndpoints {
    /// URL of DynamoDB.
    pub tables: String,
    /// URL of the WebSocket API's stage, the parent of `@connections`.
    pub connections: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key id that requests are signed with, which a local gateway requires.
    pub access_key: String,
}

/// The clients of this process, configured by its environment.
pub async fn clients() -> Clients {
    let has_connections = environment(CONNECTIONS_ENDPOINT).is_some_and(|endpoint| !endpoint.is_empty());
    Clients { has_connections, ..Clients::new(&loader().load().await) }
}

/// Clients of AWS whose connections API is at `endpoint`, for a command line.
pub async fn clients_with_connections_at(endpoint: &str) -> Clients {
    let config = loader().load().await;
    Clients { connections: connections_client(&config, endpoint), ..Clients::new(&config) }
}

/// Clients of a local stand-in for AWS, which accepts any credentials.
pub async fn local_clients(endpoints: &LocalEndpoints) -> Clients {
    let credentials =
        aws_sdk_dynamodb::config::Credentials::new(&endpoints.access_key, "local", None, None, "local");
    let region = aws_sdk_dynamodb::config::Region::new(endpoints.region.clone());
    let config = loader().credentials_provider(credentials).region(region).load().await;
    Clients {
        tables: aws_sdk_dynamodb::Client::from_conf(
            aws_sdk_dynamodb::config::Builder::from(&config)
                .endpoint_url(&endpoints.tables)
                // The quota of retries is that of the process otherwise, and so of all its tests.
                .retry_partition(aws_sdk_dynamodb::config::retry::RetryPartition::new(
                    endpoints.tables.clone(),
                ))
                .build(),
        ),
        connections: connections_client(&config, &endpoints.connections),
        has_connections: true,
    }
}

fn connections_client(config: &SdkConfig, endpoint: &str) -> aws_sdk_apigatewaymanagement::Client {
    let builder =
        aws_sdk_apigatewaymanagement::config::Builder::from(config).endpoint_url(endpoint).retry_partition(
            aws_sdk_apigatewaymanagement::config::retry::RetryPartition::new(endpoint.to_owned()),
        );
    aws_sdk_apigatewaymanagement::Client::from_conf(builder.build())
}

/// The SDK configuration that every client of a process shares.
fn loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
    #[expect(clippy::disallowed_methods, reason = "the one place that builds it")]
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    loader.timeout_config(timeouts).retry_config(retries)
}

/// Opens the connection to each table ahead of the first event, while start-up has a full processor. Exits after one
/// log line if a table is missing or access is denied; an endpoint that cannot be reached is logged only, because
/// it may be back by the first event.
pub async fn warm_up(clients: &Clients, tables: &[(&str, TableProbe)]) {
    for (table, probe) in tables {
        match table_probe::run(&clients.tables, table, *probe).await {
            Ok(()) => {}
            Err(fault) if fault.kind == Kind::Misconfigured => {
                exit(&format!("table {table}: {}", fault.chain()))
            }
            Err(fault) => {
                // The other tables have the same endpoint.
                tracing::warn!(table, reason = fault.chain(), "warm-up call failed");
                return;
            }
        }
    }
}

/// Like [`warm_up`] for a function that posts to connections: both endpoints at once. Exits if the environment has
/// no endpoint for connections.
pub async fn warm_up_with_posts(
    clients: &Clients,
    tables: &[(&str, TableProbe)],
    connections_api: &ConnectionsApi,
) {
    if !clients.has_connections {
        exit(&format!("misconfigured: {CONNECTIONS_ENDPOINT} is not set"));
    }
    let ((), connections) = tokio::join!(warm_up(clients, tables), connections_api.probe());
    if let Err(fault) = connections {
        tracing::warn!(reason = fault.chain(), "warm-up call to the connections failed");
    }
}

/// The clients of one function, made from one configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) tables: aws_sdk_dynamodb::Client,
    connections: aws_sdk_apigatewaymanagement::Client,
    /// Whether the endpoint of connections is configured, which only some functions need.
    has_connections: bool,
}

impl Clients {
    /// Clients of `config`, which has the endpoint of connections if they are needed. No call.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            tables: aws_sdk_dynamodb::Client::new(config),
            connections: aws_sdk_apigatewaymanagement::Client::new(config),
            has_connections: true,
        }
    }

    /// The status of `table`. One call.
    ///
    /// # Errors
    /// A [`Fault`] when DynamoDB cannot be reached or has no such table.
    pub async fn table_status(&self, table: &str) -> Result<TableStatus, Fault> {
        table_probe::status(&self.tables, table).await
    }

    fn table(&self, name: &str) -> Table {
        Table { client: self.tables.clone(), name: name.to_owned() }
    }

    /// The apps in `table`.
    pub fn apps(&self, table: &str) -> Apps {
        Apps { client: self.tables.clone(), table: table.to_owned() }
    }

    /// The session rows in `table`.
    pub fn sessions(&self, table: &str) -> Sessions {
        Sessions { table: self.table(table) }
    }

    /// The subscription rows in `table`.
    pub fn subscriptions(&self, table: &str) -> Subscriptions {
        Subscriptions { table: self.table(table) }
    }

    /// The publisher rows in `table`.
    pub fn publishers(&self, table: &str) -> Publishers {
        Publishers { table: self.table(table) }
    }

    /// The reports in `table`.
    pub fn reports(&self, table: &str) -> Reports {
        Reports { table: self.table(table) }
    }

    /// The rollups in `table`, which keeps them for `retention`.
    pub fn rollups(&self, table: &str, retention: Retention) -> Rollups {
        Rollups { table: self.table(table), retention }
    }

    /// The log entries in `table`.
    pub fn log_entries(&self, table: &str) -> Logs {
        Logs { table: self.table(table) }
    }

    /// The commands in the Connections table `table`.
    pub fn commands(&self, table: &str) -> Commands {
        Commands { table: self.table(table) }
    }

    /// The limiter of unauthenticated connections, whose session rows are in `table`.
    pub fn unauthenticated(&self, table: &str) -> UnauthenticatedConnections {
        UnauthenticatedConnections::new(self.sessions(table), self.connections_api())
    }

    /// The subscribers in the Connections table `table`.
    pub fn audience(&self, table: &str) -> Audience {
        Audience {
            subscriptions: self.subscriptions(table),
            publishers: self.publishers(table),
            connections_api: self.connections_api(),
        }
    }

    /// Posts to the connections in the Connections table `table`.
    pub fn fan_out(&self, table: &str) -> FanOut {
        FanOut {
            connections_api: self.connections_api(),
            subscriptions: self.subscriptions(table),
            publishers: self.publishers(table),
        }
    }

    /// The connections of the API whose endpoint the environment names.
    pub fn connections_api(&self) -> ConnectionsApi {
        ConnectionsApi { client: self.connections.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use nsl_domain::time::TimestampMs;
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The log lines of one event of each level.
    fn logged(is_json: bool, level: Option<&str>) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = log_layer(is_json, level, move || writer.clone());
        tracing::dispatcher::with_default(&layer, || {
            tracing::error!(table = "reports", "lost");
            tracing::warn!("slow");
            tracing::info!("fine");
        });
        let text = lines.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn log_line_has_level_and_time_that_lambda_filters_by() {
        let lines = logged(true, Some("WARN"));
        let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let levels: Vec<_> = parsed.iter().map(|line| line["level"].clone()).collect();
        assert_eq!(levels, ["ERROR", "WARN"]);
        assert_eq!(parsed[0]["fields"]["table"], "reports");
        for line in &parsed {
            let timestamp = line["timestamp"].as_str().unwrap_or_default();
            assert!(TimestampMs::from_iso(timestamp).is_ok(), "{line}");
        }
    }

    #[test]
    fn invalid_log_level_falls_back_to_the_default() {
        assert_eq!(logged(true, Some("loud")).len(), 3);
        assert_eq!(logged(true, None).len(), 3);
    }

    #[test]
    fn text_line_begins_with_its_level() {
        let lines = logged(false, Some("ERROR"));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("ERROR lost"), "{lines:?}");
    }
}
