//! Workers of one cluster that run the library with a key in its `auth`, for an app without the flag.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::Value;

use super::{counted, start_library};
use crate::compat::{Copies, Credentials, Library, RunningModel};
use crate::system::harness::{App, Gateway, PartitionedGateway, QUIET, now_ms};

const WORKERS: usize = 4;
/// Reports of each worker on each of its connections.
const REPORTS: u64 = 3;

/// The sources of the last reports of an app, once there are as many as workers.
async fn sources(gateway: &Gateway, app: &App) -> BTreeSet<String> {
    let listed = |latest: &Value| {
        let reports = latest["reports"].as_array().cloned().unwrap_or_default();
        reports.iter().map(|report| report["source"].as_str().expect("a source").to_owned()).collect()
    };
    let path = format!("/apps/{}/metrics/latest", app.app_id);
    let latest = gateway
        .json_where(&path, app, |latest| {
            let sources: BTreeSet<String> = listed(latest);
            sources.len() >= WORKERS
        })
        .await;
    listed(&latest)
}

async fn wait_for_reports(workers: &[RunningModel<Library>], what: &str) {
    for worker in workers {
        let before = worker.inspect(|library| library.reported);
        worker.wait_until(what, |library| library.reported >= before + REPORTS).await;
    }
}

#[tokio::test]
async fn workers_with_a_key_are_sources_and_stay_so() {
    let _quiet = QUIET.lock().await;
    let partitioned = PartitionedGateway::start(&["--stream-window", "1"]).await;
    let app = App::create_with(partitioned.gateway(), &["--owner", "ann"]).await;
    let credentials = Credentials::new("another user", &app.app_id).with_key(&app.api_key);
    let started_ms = now_ms();
    let workers: Vec<_> = (0..WORKERS)
        .map(|index| {
            // Forked a few milliseconds after each other.
            let started_ms = started_ms + 4 * i64::try_from(index).expect("a small number");
            let copies = Copies::Two(Rng::with_seed(index as u64));
            start_library(&partitioned, Library::started_at(started_ms, credentials.clone(), copies), 1)
        })
        .collect();
    wait_for_reports(&workers, "reports").await;
    let before = sources(partitioned.gateway(), &app).await;
    assert_eq!(before.len(), WORKERS, "{before:?}");
    partitioned.cut_clients();
    for worker in &workers {
        worker.wait_for_connections(2).await;
    }
    wait_for_reports(&workers, "reports after reconnecting").await;
    assert_eq!(sources(partitioned.gateway(), &app).await, before, "each keeps its source");
    let mut reported = 0;
    for worker in workers {
        reported += worker.end("a worker").await.0.reported;
    }
    let counted = counted(partitioned.gateway(), &app).await;
    assert!(counted <= reported, "{counted} of {reported} reports are counted");
}
