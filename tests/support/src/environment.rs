//! One test's AWS: empty tables, a connections API, the functions' clients, and the record of all calls.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nsl_aws::boot::{Clients, LOCAL_ACCESS_KEY, LocalEndpoints, local_clients};
use nsl_domain::app::App;
use nsl_domain::rollup::Retention;
use nsl_gateway::{Engine, create_tables, tables_of};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::call::{Call, ConsumedCapacity};
use crate::call_log::CallLog;
use crate::connections_api::FakeConnectionsApi;
use crate::dynamodb::DynamoDbProxy;
use crate::settings::dynamodb_url;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");

/// Environments of this process so far.
static ENVIRONMENTS: AtomicU32 = AtomicU32::new(0);

/// One test's AWS.
#[derive(Debug)]
pub struct TestEnvironment {
    /// Before the engine that has the tables.
    pub dynamodb: DynamoDbProxy,
    /// Where frames are posted to.
    pub connections: FakeConnectionsApi,
    /// The AWS clients that a function is made with.
    pub clients: Clients,
    calls: CallLog,
    panics: Arc<Mutex<Vec<PlannedPanic>>>,
    /// What follows the template's name in the name of each table.
    suffix: String,
    _engine: Option<Engine>,
}

impl TestEnvironment {
    /// The region of its addresses and tables.
    pub const REGION: &str = "us-east-1";

    /// The secret that functions run as processes check tokens by.
    pub const TOKEN_SECRET: &str = "thirty-two bytes and a few beyond";

    /// Starts one whose tables are those of the template, all empty.
    pub async fn start() -> Self {
        let (engine, endpoint, suffix) = match dynamodb_url() {
            Some(url) => (None, url, unique_suffix()),
            None => {
                let engine = start_engine().await;
                let endpoint = format!("http://{}", engine.address);
                (Some(engine), endpoint, String::new())
            }
        };
        let tables = tables_of(Path::new(TEMPLATE), Self::REGION).expect("the template can be read");
        let tables: Vec<_> = tables
            .into_iter()
            .map(|table| {
                let name = format!("{}{suffix}", table.name());
                table.named(&name).without_ttl()
            })
            .collect();
        let created = create_tables(&endpoint, Self::REGION, LOCAL_ACCESS_KEY, &tables).await;
        created.expect("the tables can be created");
        let calls = CallLog::default();
        let dynamodb = DynamoDbProxy::start(&endpoint, &suffix, calls.clone()).await;
        let connections = FakeConnectionsApi::start(calls.clone()).await;
        let endpoints = LocalEndpoints {
            tables: dynamodb.url(),
            connections: connections.url(),
            region: Self::REGION.to_owned(),
            access_key: LOCAL_ACCESS_KEY.to_owned(),
        };
        let panics = Arc::<Mutex<Vec<PlannedPanic>>>::default();
        let planned = Arc::clone(&panics);
        let clients = local_clients(&endpoints)
            .await
            .observed(move |operation, body| panic_if_planned(&planned, operation, body));
        Self { dynamodb, connections, clients, calls, panics, suffix, _engine: engine }
    }

    /// Starts one in which `app` is registered.
    pub async fn with_app(app: &App) -> Self {
        let env = Self::start().await;
        env.register(app).await;
        env
    }

    /// Makes the next `times` calls of `operation` whose body contains `text` panic before they are sent.
    pub fn panic_on(&self, operation: &'static str, text: &str, times: usize) {
        self.panics.lock().push(PlannedPanic { operation, text: text.to_owned(), times });
    }

    /// Registers `app`, without a trace in the recorded calls.
    pub async fn register(&self, app: &App) {
        self.apps().create(app).await.expect("the application can be created");
        self.forget_calls();
    }

    /// The value that the template gives a function's environment variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        let text = match name {
            "APPS_TABLE" => self.table("AppsTable"),
            "CONNECTIONS_TABLE" => self.table("ConnectionsTable"),
            "REPORTS_TABLE" => self.table("ReportsTable"),
            "ROLLUPS_TABLE" => self.table("RollupsTable"),
            "LOGS_TABLE" => self.table("LogsTable"),
            "ALLOWED_ORIGINS" => "http://localhost:2798, https://dashboard.example".to_owned(),
            "METRICS_NAMESPACE" => "test".to_owned(),
            "RAW_RETENTION_HOURS" => "48".to_owned(),
            "TOKEN_AUDIENCE" => "nsl".to_owned(),
            "WEBSOCKET_ADDRESS" => "wss://example.com/live".to_owned(),
            _ => return None,
        };
        Some(text)
    }

    /// The name here of the table that the template calls `id`.
    pub fn table(&self, id: &str) -> String {
        format!("{id}{}", self.suffix)
    }

    /// Makes [`Self::table`] name tables that do not exist.
    pub fn hide_tables(&mut self) {
        self.suffix.push_str("-elsewhere");
    }

    /// Whether the engine is Amazon's DynamoDB Local: only it answers an unsigned call with this error.
    pub async fn is_dynamodb_local(&self) -> bool {
        self.dynamodb.unsigned_error().await.contains("MissingAuthenticationToken")
    }

    /// The recorded calls since the last take, one line each, in the order of arrival.
    pub fn take_lines(&self) -> Vec<String> {
        self.take_calls().iter().map(Call::to_string).collect()
    }

    /// The recorded calls since the last take.
    pub fn take_calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    /// The capacity consumed since the last take.
    pub fn take_consumed(&self) -> Vec<ConsumedCapacity> {
        self.calls.take_consumed()
    }

    /// Discards the recorded calls and their capacity.
    pub fn forget_calls(&self) {
        self.take_calls();
        self.take_consumed();
    }

    /// The read units of one table since the last take.
    pub fn take_read_units(&self, table: &str) -> f64 {
        let consumed = self.take_consumed().into_iter();
        consumed.filter(|one| one.is_read() && one.target == table).map(|one| one.units).sum()
    }

    /// The frames that were posted to `connection` since the last take of calls, which this is not.
    pub fn frames(&self, connection: &str) -> Vec<Value> {
        let calls = self.calls.all().into_iter();
        calls
            .filter(|call| call.operation == "POST" && call.target == connection)
            .map(|call| call.body)
            .collect()
    }

    /// The bytes of each frame that was posted since the last take of calls, which this is not.
    pub fn posted_bytes(&self) -> Vec<usize> {
        let posts = self.calls.all().into_iter().filter(|call| call.operation == "POST");
        posts.map(|call| call.body.to_string().len()).collect()
    }

    /// Waits until the calls since the last take satisfy `enough`.
    pub async fn wait(&self, enough: impl Fn(&[Call]) -> bool) {
        self.calls.wait(enough).await;
    }

    /// Puts `item`, in DynamoDB's JSON, into a table, unrecorded.
    pub async fn put(&self, table: &str, item: Value) {
        self.dynamodb.direct("PutItem", table, json!({ "Item": item })).await;
    }

    /// The rows of connections, without the counts of apps.
    pub async fn connection_rows(&self) -> Vec<Value> {
        let mut rows = self.rows("ConnectionsTable").await;
        rows.retain(|row| !row["pk"]["S"].as_str().unwrap_or_default().starts_with("count#"));
        rows
    }

    /// Every row of a table in DynamoDB's JSON, unordered.
    pub async fn rows(&self, table: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut body = json!({ "ConsistentRead": true });
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            let mut page = self.dynamodb.direct("Scan", table, body).await;
            rows.extend(page["Items"].as_array().cloned().unwrap_or_default());
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return rows;
            }
        }
    }
}

/// The stores on the tables of the template.
impl TestEnvironment {
    pub fn apps(&self) -> nsl_aws::apps::Apps {
        self.clients.apps(&self.table("AppsTable"))
    }

    pub fn sessions(&self) -> nsl_aws::sessions::Sessions {
        self.clients.sessions(&self.table("ConnectionsTable"))
    }

    pub fn subscriptions(&self) -> nsl_aws::subscriptions::Subscriptions {
        self.clients.subscriptions(&self.table("ConnectionsTable"))
    }

    pub fn publishers(&self) -> nsl_aws::publishers::Publishers {
        self.clients.publishers(&self.table("ConnectionsTable"))
    }

    pub fn processes(&self) -> nsl_aws::legacy::Processes {
        self.clients.processes(&self.table("ConnectionsTable"))
    }

    pub fn commands(&self) -> nsl_aws::legacy::Commands {
        self.clients.commands(&self.table("ConnectionsTable"))
    }

    pub fn reports(&self) -> nsl_aws::reports::Reports {
        self.clients.reports(&self.table("ReportsTable"))
    }

    pub fn rollups(&self) -> nsl_aws::rollups::Rollups {
        self.clients.rollups(&self.table("RollupsTable"), Retention::default())
    }

    pub fn log_entries(&self) -> nsl_aws::legacy::Logs {
        self.clients.log_entries(&self.table("LogsTable"))
    }
}

/// The next calls of an operation that panic.
#[derive(Debug)]
struct PlannedPanic {
    operation: &'static str,
    /// Part of the body.
    text: String,
    times: usize,
}

fn panic_if_planned(panics: &Mutex<Vec<PlannedPanic>>, operation: &str, body: &str) {
    let is_due = |planned: &&mut PlannedPanic| {
        planned.times > 0 && planned.operation == operation && body.contains(&planned.text)
    };
    let mut panics = panics.lock();
    if let Some(planned) = panics.iter_mut().find(is_due) {
        planned.times -= 1;
        drop(panics);
        panic!("injected");
    }
}

async fn start_engine() -> Engine {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
    Engine::serve(listener, None, LOCAL_ACCESS_KEY).expect("the engine starts in memory")
}

/// A suffix that no other environment of this or another process has, for an endpoint that outlives the run.
fn unique_suffix() -> String {
    let environment = ENVIRONMENTS.fetch_add(1, Ordering::Relaxed);
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), environment);
    format!("-{}-{environment}-{random:x}", std::process::id())
}
