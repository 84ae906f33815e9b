//! What every function does before its first event: SDK configuration, and a call to each table.
//!
//! Timeouts of every AWS call are set here, retries in `retries.rs`. A function that cannot work logs one line and exits.

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_types::timeout::TimeoutConfig;
use nsl_domain::rollup::Retention;

use crate::apps::Apps;
use crate::audience::Audience;
use crate::clock;
use crate::connections_api::ConnectionsApi;
use crate::counters::{self, Counter, Counters, SharedCounts};
use crate::deadline::{self, ObeyDeadline};
use crate::failed_calls::FailedCalls;
use crate::fan_out::FanOut;
use crate::fault::{Fault, Kind};
use crate::legacy::{Admissions, Commands, Logs, Processes};
use crate::publishers::Publishers;
use crate::reports::Reports;
use crate::retries;
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

/// Longest wait for a call with all its attempts. Several in a row are bounded by the invocation's [`crate::deadline`].
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the calls of a start together: Lambda ends a start after 10 s. Source: the "Lambda execution
/// environment lifecycle" page of the Lambda developer guide.
const WARM_UP_TIME: Duration = Duration::from_secs(5);

/// The timeouts of an operator's commands, which run anywhere and keep no caller waiting.
const OPERATOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const OPERATOR_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const OPERATOR_OPERATION_TIMEOUT: Duration = Duration::from_secs(40);

/// What counts a start that fails.
static FAILED_START: OnceLock<Counter> = OnceLock::new();

/// Counts a failed start as `counter`, from here on.
pub fn count_failed_start(counter: Counter) {
    FAILED_START.get_or_init(|| counter);
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
    if let (Some(counter), Some(namespace)) = (FAILED_START.get(), environment("METRICS_NAMESPACE")) {
        counters::emit_one(&namespace, *counter, clock::now());
    }
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

/// Clients of `config` for an operator, with the connections whose API is at `connections`.
pub(crate) fn operator_clients(config: &SdkConfig, connections: Option<&str>) -> Clients {
    let clients = Clients::new(config);
    match connections {
        Some(endpoint) => Clients { connections: connections_client_at(config, endpoint), ..clients },
        None => clients,
    }
}

/// Clients of a local stand-in for AWS, which accepts any credentials.
pub async fn local_clients(endpoints: &LocalEndpoints) -> Clients {
    let credentials =
        aws_sdk_dynamodb::config::Credentials::new(&endpoints.access_key, "local", None, None, "local");
    let region = aws_sdk_dynamodb::config::Region::new(endpoints.region.clone());
    let config = loader().credentials_provider(credentials).region(region).load().await;
    let tables = aws_sdk_dynamodb::config::Builder::from(&config)
        .endpoint_url(&endpoints.tables)
        // The quota of retries is that of the process otherwise, and so of all its tests.
        .retry_partition(aws_sdk_dynamodb::config::retry::RetryPartition::new(endpoints.tables.clone()));
    Clients::counted(tables, connections_client_at(&config, &endpoints.connections))
}

fn connections_client(
    builder: aws_sdk_apigatewaymanagement::config::Builder,
) -> aws_sdk_apigatewaymanagement::Client {
    aws_sdk_apigatewaymanagement::Client::from_conf(builder.interceptor(ObeyDeadline).build())
}

fn connections_client_at(config: &SdkConfig, endpoint: &str) -> aws_sdk_apigatewaymanagement::Client {
    let builder =
        aws_sdk_apigatewaymanagement::config::Builder::from(config).endpoint_url(endpoint).retry_partition(
            aws_sdk_apigatewaymanagement::config::retry::RetryPartition::new(endpoint.to_owned()),
        );
    connections_client(builder)
}

/// The SDK configuration that every client of a process shares.
fn loader() -> ConfigLoader {
    loader_with(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT, OPERATION_TIMEOUT)
}

/// The same for an operator's commands.
pub(crate) fn operator_loader() -> ConfigLoader {
    loader_with(OPERATOR_CONNECT_TIMEOUT, OPERATOR_ATTEMPT_TIMEOUT, OPERATOR_OPERATION_TIMEOUT)
}

fn loader_with(connect: Duration, attempt: Duration, operation: Duration) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build();
    #[expect(clippy::disallowed_methods, reason = "the one place that builds it")]
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    loader.timeout_config(timeouts).retry_config(retries::of_calls())
}

/// Opens the connection to each table ahead of the first event, while start-up has a full processor. Exits after one
/// log line if a table is missing or access is denied; an endpoint that cannot be reached is logged only, because
/// it may be back by the first event.
pub async fn warm_up(clients: &Clients, tables: &[(&str, TableProbe)]) {
    deadline::within(WARM_UP_TIME, probe_tables(clients, tables)).await;
}

async fn probe_tables(clients: &Clients, tables: &[(&str, TableProbe)]) {
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
    let ((), connections) =
        tokio::join!(warm_up(clients, tables), deadline::within(WARM_UP_TIME, connections_api.probe()));
    if let Err(fault) = connections {
        tracing::warn!(reason = fault.chain(), "warm-up call to the connections failed");
    }
}

/// The clients of one function, made from one configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) tables: aws_sdk_dynamodb::Client,
    connections: aws_sdk_apigatewaymanagement::Client,
    /// Calls to tables that were throttled or failed.
    failed_calls: SharedCounts,
    /// Whether the endpoint of connections is configured, which only some functions need.
    has_connections: bool,
}

impl Clients {
    /// Clients of `config`, which has the endpoint of connections if they are needed. No call.
    pub fn new(config: &SdkConfig) -> Self {
        Self::counted(config.into(), connections_client(config.into()))
    }

    /// Clients that count the calls to tables which fail. No call.
    fn counted(
        tables: aws_sdk_dynamodb::config::Builder,
        connections: aws_sdk_apigatewaymanagement::Client,
    ) -> Self {
        let failed_calls = SharedCounts::default();
        let counting = FailedCalls { counts: failed_calls.clone() };
        let tables = tables.interceptor(ObeyDeadline).interceptor(counting);
        let tables = aws_sdk_dynamodb::Client::from_conf(tables.build());
        Self { tables, connections, failed_calls, has_connections: true }
    }

    /// Counters with metrics in `namespace`, which also count the calls of these clients that fail. One for each process.
    pub fn counters(&self, namespace: &str) -> Counters {
        Counters::new(namespace, &self.failed_calls)
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

    /// The library's processes in `table`.
    pub fn processes(&self, table: &str) -> Processes {
        Processes { table: self.table(table) }
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

    /// The programs that are admitted by the ids of their frames, whose rows are in `table`.
    pub fn admissions(&self, table: &str) -> Admissions {
        Admissions::new(self.sessions(table), self.publishers(table))
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
