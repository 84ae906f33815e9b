//! One test's AWS: fresh tables, a store before them, a desk, and the record of all calls.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nsl_gateway::{Engine, create_tables, tables_of};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::call::{Call, ConsumedCapacity};
use crate::call_log::CallLog;
use crate::connections_api::FakeConnectionsApi;
use crate::dynamodb::DynamoDbProxy;
use crate::settings::dynamodb_url;

/// The one source of the tables, beside the workspace's manifest.
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");

/// Tells the beds of one process apart.
static BEDS: AtomicU32 = AtomicU32::new(0);

/// One test's AWS.
#[derive(Debug)]
pub struct TestEnvironment {
    /// The tables.
    pub dynamodb: DynamoDbProxy,
    /// The connections.
    pub connections: FakeConnectionsApi,
    journal: CallLog,
    suffix: String,
    _engine: Option<Engine>,
}

impl TestEnvironment {
    /// The region that its addresses and tables belong to.
    pub const REGION: &str = "us-east-1";

    /// Starts one with the template's tables, all of them empty.
    pub async fn start() -> Self {
        let (engine, endpoint) = match dynamodb_url() {
            Some(url) => (None, url),
            None => {
                let engine = start_engine().await;
                let endpoint = format!("http://{}", engine.address);
                (Some(engine), endpoint)
            }
        };
        let suffix =
            if engine.is_some() { String::new() } else { format!("-{}", unique(std::process::id())) };
        let tables = tables_of(Path::new(TEMPLATE), Self::REGION).expect("the template can be read");
        let tables: Vec<_> = tables
            .into_iter()
            .map(|table| {
                let name = format!("{}{suffix}", table.name());
                table.named(&name).without_ttl()
            })
            .collect();
        create_tables(&endpoint, Self::REGION, &tables).await.expect("the tables can be created");
        let journal = CallLog::default();
        let dynamodb = DynamoDbProxy::open(&endpoint, &suffix, journal.clone()).await;
        let connections = FakeConnectionsApi::open(journal.clone()).await;
        Self { dynamodb, connections, journal, suffix, _engine: engine }
    }

    /// Whether its tables are in Amazon's own engine: no other answers a call without credentials with this error.
    pub async fn is_dynamodb_local(&self) -> bool {
        self.dynamodb.unsigned_error().await.contains("MissingAuthenticationToken")
    }

    /// What the table that the template calls `id` is named here.
    pub fn table(&self, id: &str) -> String {
        format!("{id}{}", self.suffix)
    }

    /// Names the tables otherwise from here on, so that they are not found.
    pub fn hide_tables(&mut self, suffix: &str) {
        self.suffix.push_str(suffix);
    }

    /// Every call since the last look, as one line each, in the order of arrival.
    pub fn take_lines(&self) -> Vec<String> {
        self.take_calls().iter().map(Call::to_string).collect()
    }

    /// Every call since the last look.
    pub fn take_calls(&self) -> Vec<Call> {
        self.journal.take()
    }

    /// What the tables charged since the last look.
    pub fn take_consumed(&self) -> Vec<ConsumedCapacity> {
        self.journal.take_consumed()
    }

    /// The read units of a table since the last look at any charge.
    pub fn take_read_units(&self, table: &str) -> f64 {
        let spent = self.take_consumed().into_iter();
        spent.filter(|one| one.is_read() && one.target == table).map(|one| one.units).sum()
    }

    /// The frames that were posted to `connection` since the last look, which stays where it was.
    pub fn frames(&self, connection: &str) -> Vec<Value> {
        let calls = self.journal.all().into_iter();
        calls
            .filter(|call| call.operation == "POST" && call.target == connection)
            .map(|call| call.body)
            .collect()
    }

    /// Waits until `enough` holds of the calls since the last look.
    pub async fn wait(&self, enough: impl Fn(&[Call]) -> bool) {
        self.journal.wait(enough).await;
    }

    /// Puts `item`, in DynamoDB's own JSON, into a table, unseen.
    pub async fn put(&self, table: &str, item: Value) {
        self.dynamodb.direct("PutItem", table, json!({ "Item": item })).await;
    }

    /// Every row of a table in DynamoDB's own JSON, in no order.
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

async fn start_engine() -> Engine {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
    Engine::serve(listener, None).expect("the engine starts in memory")
}

/// A name that no other bed of this or another process has: an endpoint may outlive many runs.
fn unique(process: u32) -> String {
    let env = BEDS.fetch_add(1, Ordering::Relaxed);
    format!("{process}-{env}-{:x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), env))
}
