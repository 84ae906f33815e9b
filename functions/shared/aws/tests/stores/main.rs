//! Contracts of the stores and of the connections_api: every operation, its answers and its errors, on a real engine.
//!
//! Each also tells what it costs: the calls that it makes, and whether its reads are consistent.

#![cfg(test)]

mod apps;
mod changes;
mod connections_api;
mod doubles;
mod engine;
mod faults;
mod library;
mod publishers;
mod reports;
mod rollups;
mod sessions;
mod subscriptions;
mod units;

use nsl_aws::boot::{Clients, LocalEndpoints, local_clients};
use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, Status};
use nsl_domain::grant::{Grant, Hold, Proof, Reach, Role, Scope};
use nsl_domain::ids::{AppId, ConnectionId, UserId};
use nsl_domain::time::TimestampMs;
use nsl_test_support::TestEnvironment;

/// 2026-11-22T13:01:01.387Z: the present of these tests, a minute after the hour.
const NOW_MS: i64 = 1_795_352_461_387;

/// One test's AWS with the clients of a function.
struct Skin {
    env: TestEnvironment,
    clients: Clients,
}

impl Skin {
    async fn start() -> Self {
        let env = TestEnvironment::start().await;
        let endpoints = LocalEndpoints {
            tables: env.dynamodb.url(),
            connections: env.connections.url(),
            region: TestEnvironment::REGION.to_owned(),
        };
        let clients = local_clients(&endpoints).await;
        Self { env, clients }
    }

    fn apps(&self) -> nsl_aws::apps::Apps {
        self.clients.apps(&self.env.table("AppsTable"))
    }

    fn sessions(&self) -> nsl_aws::sessions::Sessions {
        self.clients.sessions(&self.env.table("ConnectionsTable"))
    }

    fn subscriptions(&self) -> nsl_aws::subscriptions::Subscriptions {
        self.clients.subscriptions(&self.env.table("ConnectionsTable"))
    }

    fn publishers(&self) -> nsl_aws::publishers::Publishers {
        self.clients.publishers(&self.env.table("ConnectionsTable"))
    }

    fn reports(&self) -> nsl_aws::reports::Reports {
        self.clients.reports(&self.env.table("ReportsTable"))
    }

    fn rollups(&self) -> nsl_aws::rollups::Rollups {
        self.clients.rollups(&self.env.table("RollupsTable"), nsl_domain::rollup::Retention::default())
    }

    fn log_entries(&self) -> nsl_aws::logs::Logs {
        self.clients.log_entries(&self.env.table("LogsTable"))
    }

    fn commands(&self) -> nsl_aws::commands::Commands {
        self.clients.commands(&self.env.table("ConnectionsTable"))
    }

    async fn open(&self, connection: &ConnectionId) {
        self.sessions().open(connection, Role::Program, &[], now()).await.unwrap();
    }
}

fn now() -> TimestampMs {
    TimestampMs::clamped(NOW_MS)
}

fn id(app: &str) -> AppId {
    AppId::new(app).unwrap()
}

fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name)
}

/// An application with one key, whose text is its own name.
fn app(name: &str) -> App {
    App {
        id: id(name),
        owner: UserId::new("ann").unwrap(),
        name: format!("The {name}"),
        status: Status::Active,
        keys: vec![KeyRecord::of(name, Scope::Both)],
        legacy: false,
        shards: DEFAULT_SHARDS,
        tokens_not_before: None,
        limits: Default::default(),
        retention: Default::default(),
        limited_until: None,
    }
}

fn grant(app: &str) -> Grant {
    Grant {
        user: UserId::new("ann").unwrap(),
        scope: Scope::Both,
        reach: Reach::Apps(vec![id(app)]),
        proof: Proof::Legacy,
        until: None,
    }
}
