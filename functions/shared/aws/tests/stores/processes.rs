//! The library's processes: names are given once, a newest connection is replaced once, whatever happens at once.

use futures_util::future::join_all;
use nsl_aws::legacy::Named;
use nsl_domain::legacy::process::{Process, ProcessStart};
use nsl_domain::time::{DAY_MS, MINUTE_MS};

use super::*;

const READ: &str = "Query ConnectionsTable consistent";
const WRITE: &str = "UpdateItem ConnectionsTable";

fn start(ms: i64) -> ProcessStart {
    ProcessStart { at: now().plus_ms(ms), host: "16/2".into() }
}

/// A process that starts `started_ms` after the present, under the first of its names.
fn process(sender: &str, started_ms: i64) -> Process {
    let start = start(started_ms);
    Process { source: start.name().unwrap(), start, connection: connection(sender), since: now() }
}

#[tokio::test]
async fn stored_process_is_read_by_any_start_that_it_may_show() {
    let env = TestEnvironment::start().await;
    let (shop, one) = (id("shop"), process("a=", 0));
    assert_eq!(env.processes().add(&shop, &one).await.unwrap(), Named::Done);
    assert_eq!(env.take_lines(), [WRITE]);
    for (off_ms, found) in [(0, 1), (1_400, 1), (-1_400, 1), (10_000, 0), (-10_000, 0)] {
        let near = env.processes().near(&shop, &start(off_ms), now()).await.unwrap();
        assert_eq!(near, vec![one.clone(); found], "{off_ms}");
        assert_eq!(env.take_lines(), [READ]);
    }
    assert!(env.processes().near(&id("bank"), &start(0), now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn name_is_given_once_until_it_expires() {
    let env = TestEnvironment::start().await;
    let (shop, store) = (id("shop"), env.processes());
    assert_eq!(store.add(&shop, &process("a=", 0)).await.unwrap(), Named::Done);
    assert_eq!(store.add(&shop, &process("b=", 0)).await.unwrap(), Named::Taken);
    assert_eq!(
        store.add(&shop, &process("a=", 3)).await.unwrap(),
        Named::Done,
        "the other copy of its report"
    );
    let late = now().plus_ms(8 * DAY_MS + MINUTE_MS);
    assert!(store.near(&shop, &start(0), late).await.unwrap().is_empty());
    let later = Process { since: late, ..process("b=", 0) };
    assert_eq!(store.add(&shop, &later).await.unwrap(), Named::Done);
}

#[tokio::test]
async fn one_of_many_connections_becomes_the_newest() {
    let env = TestEnvironment::start().await;
    let (shop, store, old) = (id("shop"), env.processes(), process("a=", 0));
    store.add(&shop, &old).await.unwrap();
    let newer: Vec<Process> = (0..8).map(|n| process(&format!("n{n}="), n)).collect();
    let replaced = join_all(newer.iter().map(|new| store.replace(&shop, &old, new))).await;
    assert_eq!(replaced.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    let stored = store.near(&shop, &start(0), now()).await.unwrap().remove(0);
    assert!(newer.contains(&stored), "{stored:?}");
    store.remove(&shop, &old).await.unwrap();
    assert_eq!(store.near(&shop, &start(0), now()).await.unwrap().len(), 1, "it has another connection");
    store.remove(&shop, &stored).await.unwrap();
    assert!(store.near(&shop, &start(0), now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn unreadable_process_hides_no_other() {
    let env = TestEnvironment::start().await;
    let (shop, one) = (id("shop"), process("a=", 0));
    env.processes().add(&shop, &one).await.unwrap();
    let bad = serde_json::json!({"pk": {"S": "processes#shop"}, "expiresAt": {"N": "9999999999"},
        "sk": {"S": format!("{}-2", one.source)}});
    env.put("ConnectionsTable", bad).await;
    assert_eq!(env.processes().near(&shop, &start(0), now()).await.unwrap(), [one]);
}
