//! The load generator against a service that misbehaves on purpose: it must detect each kind of fault.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod service;

use serde_json::Value;
use service::{Behaviour, Service};
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

/// Longest wait for a run.
const LIMIT: Duration = Duration::from_secs(60);

struct Outcome {
    is_success: bool,
    results: Value,
    stderr: String,
}

impl Outcome {
    fn checked(&self, name: &str) -> u64 {
        self.results["checked"][name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.stderr))
    }
}

/// Runs the load generator with these arguments.
async fn nsl_load(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsl-load"));
    command.args(arguments).env_clear().env("NSL_API_KEY", service::KEY).kill_on_drop(true);
    tokio::time::timeout(LIMIT, command.output()).await.expect("the run did not end").unwrap()
}

/// The error of a run that cannot start.
async fn only_line(arguments: &[&str]) -> String {
    let output = nsl_load(arguments).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

/// Loads a service with two publishers and two subscribers of one app.
async fn load(behaviour: Behaviour, more: &[&str]) -> Outcome {
    let service = Service::start(behaviour).await;
    let url = service.url();
    let connections = ["--ws", &url, "--app", "shop", "--publishers", "2", "--subscribers", "2"];
    let output = nsl_load(&[&connections, ["--timeout", "1", "--json"].as_slice(), more].concat()).await;
    Outcome {
        is_success: output.status.success(),
        results: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Forty reports without a warm-up.
const FORTY: [&str; 5] = ["--as-answered", "--reports", "40", "--warm-up", "0"];

#[tokio::test]
async fn correct_service_passes() {
    let outcome = load(Behaviour::default(), &FORTY).await;
    assert!(outcome.is_success, "{} {}", outcome.results, outcome.stderr);
    let stage = &outcome.results["stages"][0];
    assert_eq!((stage["sent"].as_u64(), stage["carried"].as_u64()), (Some(40), Some(40)));
    assert_eq!(stage["toAck"]["count"], 40);
    assert_eq!(stage["toLastSubscriber"]["count"], 40);
    assert_eq!((outcome.checked("lost"), outcome.checked("doubled")), (0, 0));
}

#[tokio::test]
async fn batches_and_rates_are_checked() {
    let arguments = ["--rate", "100", "--batch", "5", "--seconds", "1", "--warm-up", "1"];
    let outcome = load(Behaviour::default(), &arguments).await;
    assert!(outcome.is_success, "{} {}", outcome.results, outcome.stderr);
    assert_eq!(outcome.results["stages"][0]["sent"], 100);
    assert_eq!(outcome.checked("sent"), 200, "the warm-up is checked too");
}

#[tokio::test]
async fn each_kind_of_fault_is_detected() {
    let behaviour = Behaviour::default;
    for (behaviour, counts, failure) in [
        // Every tenth of 80 deliveries is missing.
        (
            Behaviour { lose_every: 10, ..behaviour() },
            [("acknowledged", 40), ("lost", 8), ("doubled", 0)].as_slice(),
            "",
        ),
        (Behaviour { double_every: 8, ..behaviour() }, &[("lost", 0), ("doubled", 10)], ""),
        (Behaviour { misdeliver_every: 10, ..behaviour() }, &[], "without a subscription"),
        (Behaviour { stop_after: Some(6), ..behaviour() }, &[("unanswered", 2)], "timed out"),
        (Behaviour { close_after: Some(6), ..behaviour() }, &[], "1001 Going away"),
        (Behaviour { reject_every: 4, ..behaviour() }, &[("rejected", 10), ("lost", 0)], "unavailable"),
    ] {
        let shown = format!("{behaviour:?}");
        let outcome = load(behaviour, &FORTY).await;
        assert!(!outcome.is_success, "{shown}");
        for (name, count) in counts {
            assert_eq!(outcome.checked(name), *count, "{shown}: {}", outcome.results);
        }
        assert!(outcome.results["failures"].to_string().contains(failure), "{shown}: {}", outcome.results);
    }
}

#[tokio::test]
async fn late_delivery_is_not_lost_but_slow() {
    let delay = Duration::from_millis(300);
    let outcome = load(Behaviour { delay_every: 10, delay, ..Behaviour::default() }, &FORTY).await;
    assert!(outcome.is_success, "{} {}", outcome.results, outcome.stderr);
    let longest = outcome.results["stages"][0]["toLastSubscriber"]["maxMs"].as_f64().unwrap();
    assert!(longest >= 299.0, "{longest}");
}

#[tokio::test]
async fn wrong_key_is_one_line() {
    let outcome = load(Behaviour { rejects_key: true, ..Behaviour::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("2 x refused: the handshake was answered with 401"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn ramp_ends_at_the_highest_rate_that_holds() {
    // The service loses reports from the 61st on: the steps of 20 and 40 hold, that of 80 does not.
    let behaviour = Behaviour { lose_after: Some(61), ..Behaviour::default() };
    let outcome = load(behaviour, &["--ramp", "--rate", "20", "--seconds", "1", "--warm-up", "0"]).await;
    assert_eq!(outcome.results["knee"]["heldPerSecond"], 40.0, "{} {}", outcome.results, outcome.stderr);
    assert!(outcome.is_success);
}

#[tokio::test]
async fn help_lists_the_flags() {
    let output = nsl_load(&["--help"]).await;
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for flag in ["--ready-file", "--ws", "--apps", "--rate", "--as-answered", "--batch", "--ramp", "--json"] {
        assert!(help.contains(flag), "{flag} is missing:\n{help}");
    }
}

#[tokio::test]
async fn missing_ready_file_is_an_error() {
    let line = only_line(&["--ready-file", "/nonexistent/ready.json"]).await;
    assert!(line.contains("/nonexistent/ready.json"), "{line}");
}

#[tokio::test]
async fn missing_service_is_reported_as_refused() {
    let folder = std::env::temp_dir().join(format!("nsl-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = folder.join("app.key");
    std::fs::write(&key, "k\n").unwrap();
    // Port 1 is privileged and unused: nothing listens there.
    let arguments = ["--ws", "ws://127.0.0.1:1", "--app", "a", "--app-key-file", key.to_str().unwrap()];
    let line = only_line(&arguments).await;
    std::fs::remove_dir_all(folder).unwrap();
    assert!(
        line.contains("1 of 1 subscribers could not connect (1 x refused: connection refused)"),
        "{line}"
    );
}
