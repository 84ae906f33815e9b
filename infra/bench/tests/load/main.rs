//! The load generator against a service that breaks its promises on purpose: it must notice each kind.
//!
//! Every test plays a service in this process, runs the binary against it and reads the JSON that it prints.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod service;

use serde_json::Value;
use service::{Manners, Service};
use std::time::Duration;
use tokio::process::Command;

/// Longest that a run may take. Only a failure takes that long.
const LIMIT: Duration = Duration::from_secs(60);

struct Outcome {
    is_success: bool,
    figures: Value,
    stderr: String,
}

impl Outcome {
    fn checked(&self, name: &str) -> u64 {
        self.figures["checked"][name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.stderr))
    }

    fn troubles(&self) -> String {
        self.figures["troubles"].to_string()
    }
}

/// Runs the load generator: two publishers, two subscribers, one application.
async fn load(manners: Manners, more: &[&str]) -> Outcome {
    let service = Service::start(manners).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsl-load"));
    command.args(["--ws", &service.url(), "--app", "shop", "--publishers", "2", "--subscribers", "2"]);
    command.args(["--patience", "1", "--json"]).args(more);
    command.env_clear().env("NSL_API_KEY", service::KEY).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it did not end").unwrap();
    Outcome {
        is_success: output.status.success(),
        figures: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Forty reports and none before them.
const FORTY: [&str; 5] = ["--as-answered", "--reports", "40", "--warm-up", "0"];

#[tokio::test]
async fn a_service_that_keeps_its_promise_is_told_so() {
    let outcome = load(Manners::default(), &FORTY).await;
    assert!(outcome.is_success, "{} {}", outcome.figures, outcome.stderr);
    let stage = &outcome.figures["stages"][0];
    assert_eq!((stage["sent"].as_u64(), stage["carried"].as_u64()), (Some(40), Some(40)));
    assert_eq!(stage["toAck"]["count"], 40);
    assert_eq!(stage["toLastSubscriber"]["count"], 40);
    assert_eq!((outcome.checked("lost"), outcome.checked("doubled")), (0, 0));
}

#[tokio::test]
async fn batches_and_rates_are_checked_alike() {
    let arguments = ["--rate", "100", "--batch", "5", "--seconds", "1", "--warm-up", "1"];
    let outcome = load(Manners::default(), &arguments).await;
    assert!(outcome.is_success, "{} {}", outcome.figures, outcome.stderr);
    assert_eq!(outcome.figures["stages"][0]["sent"], 100);
    assert_eq!(outcome.checked("sent"), 200, "the warm-up is checked too");
}

#[tokio::test]
async fn a_lost_delivery_is_noticed() {
    let outcome = load(Manners { lose_every: 10, ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    // 80 deliveries, of which every tenth never happens.
    assert_eq!((outcome.checked("lost"), outcome.checked("doubled")), (8, 0), "{}", outcome.figures);
    assert_eq!(outcome.checked("acknowledged"), 40);
}

#[tokio::test]
async fn a_doubled_delivery_is_noticed() {
    let outcome = load(Manners { double_every: 8, ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert_eq!((outcome.checked("lost"), outcome.checked("doubled")), (0, 10), "{}", outcome.figures);
}

#[tokio::test]
async fn a_late_delivery_is_no_loss_but_shows_in_the_times() {
    let delay = Duration::from_millis(300);
    let outcome = load(Manners { delay_every: 10, delay, ..Manners::default() }, &FORTY).await;
    assert!(outcome.is_success, "{} {}", outcome.figures, outcome.stderr);
    let longest = outcome.figures["stages"][0]["toLastSubscriber"]["maxMs"].as_f64().unwrap();
    assert!(longest >= 299.0, "{longest}");
}

#[tokio::test]
async fn a_delivery_to_somebody_else_is_wrong() {
    let outcome = load(Manners { misdeliver_every: 10, ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert!(outcome.troubles().contains("not subscribed to"), "{}", outcome.figures);
}

#[tokio::test]
async fn a_service_that_stops_answering_ends_the_run_as_timed_out() {
    let outcome = load(Manners { silent_after: Some(6), ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert_eq!(outcome.checked("unanswered"), 2, "{}", outcome.figures);
    assert!(outcome.troubles().contains("timed out"), "{}", outcome.figures);
}

#[tokio::test]
async fn a_service_that_hangs_up_ends_the_run_as_closed() {
    let outcome = load(Manners { hang_up_after: Some(6), ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert!(outcome.troubles().contains("1001 Going away"), "{}", outcome.figures);
}

#[tokio::test]
async fn a_refused_report_is_told_with_its_code() {
    let outcome = load(Manners { refuse_every: 4, ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert_eq!((outcome.checked("rejected"), outcome.checked("lost")), (10, 0), "{}", outcome.figures);
    assert!(outcome.troubles().contains("unavailable"), "{}", outcome.figures);
}

#[tokio::test]
async fn a_wrong_key_is_told_in_one_line_as_refused() {
    let outcome = load(Manners { admits: false, ..Manners::default() }, &FORTY).await;
    assert!(!outcome.is_success);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("2 refused: the handshake was answered with 401"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_ramp_ends_at_the_rate_that_the_service_holds() {
    // From its 61st report on, the service loses: the steps of 20 and 40 hold, that of 80 does not.
    let manners = Manners { lose_after: Some(61), ..Manners::default() };
    let outcome = load(manners, &["--ramp", "--rate", "20", "--seconds", "1", "--warm-up", "0"]).await;
    assert_eq!(outcome.figures["knee"]["heldPerSecond"], 40.0, "{} {}", outcome.figures, outcome.stderr);
    assert!(outcome.is_success);
}
