//! Contracts of the stores and of the connections API on a real engine: outcomes, errors, and the calls of every
//! operation, with whether its reads are consistent.

#![cfg(test)]

mod apps;
mod changes;
mod connection_counts;
mod connection_stories;
mod connections_api;
mod deferred;
mod engine;
mod faults;
mod legacy_reports;
mod library;
mod processes;
mod publishers;
mod reports;
mod rollups;
mod sessions;
mod subscriptions;
mod units;

use nsl_aws::subscriptions::Subscriber;
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::dialect::Dialect;
use nsl_domain::grant::{Grant, Proof, Role, StoredProof};
use nsl_domain::ids::{AppId, ConnectionId, Scope, Source, Subject, UserId};
use nsl_domain::report::{Document, Report};
use nsl_domain::rollup::AppShard;
use nsl_domain::time::TimestampMs;
use nsl_test_support::TestEnvironment;
use nsl_test_support::fixtures::{self, NOW_MS, id, now};

/// The app `shop`, registered, and no call recorded.
async fn with_shop() -> (TestEnvironment, App) {
    let shop = app("shop");
    (TestEnvironment::with_app(&shop).await, shop)
}

/// A report of `shop` by `source`, stamped `offset_ms` after the present.
fn report_of(source: &str, offset_ms: i64, document: &str) -> Report {
    Report {
        app: id("shop"),
        source: Source::new(source).unwrap(),
        timestamp: now().plus_ms(offset_ms),
        document: Document::accept(document).unwrap(),
    }
}

/// A write shard of `shop`.
fn shard(shard: u16) -> AppShard {
    AppShard { app: id("shop"), shard }
}

async fn open(env: &TestEnvironment, connection: &ConnectionId) {
    env.sessions().open(connection, Role::Program, &[], now()).await.unwrap();
}

/// A modern subscriber that takes every frame.
fn viewer(connection: &ConnectionId) -> Subscriber {
    Subscriber {
        connection: connection.clone(),
        min_interval_ms: 0,
        dialect: Dialect::Modern,
        proof: grant("shop").stored_proof(),
    }
}

/// The proof of a publisher of `shop`.
fn proof() -> StoredProof {
    grant("shop").stored_proof()
}

fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name)
}

/// An app with one key, whose text is its own name.
fn app(name: &str) -> App {
    App { name: format!("The {name}"), keys: vec![KeyRecord::of(name, Scope::BOTH)], ..fixtures::app(name) }
}

fn grant(app: &str) -> Grant {
    Grant { proof: Proof::Legacy, ..fixtures::grant(app, Scope::BOTH) }
}
