//! What each call is charged, in read and write units, with items as large as they usually are: the table of
//! docs/DATA_MODEL.md.

use nsl_domain::ids::KeyHash;
use nsl_domain::legacy::process::{Process, ProcessStart};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, RollupSpan};
use nsl_domain::time::HOUR_MS;
use serde_json::{Value, json};

use super::*;

/// A document of the library's, from a Windows host: 1,064 bytes with its line end, less when minified.
const DOCUMENT: &str = include_str!("../../../../../tests/fixtures/metrics-windows-host.json");

/// The units of the calls since the last look, one each.
fn units(env: &TestEnvironment) -> Vec<f64> {
    env.take_consumed().iter().map(|one| one.units).collect()
}

/// Asserts that the calls so far were charged as one of the two engines does: docs/DATA_MODEL.md, "Engines".
#[track_caller]
fn charged_either(env: &TestEnvironment, figures: [&[f64]; 2], what: &str) {
    let units = units(env);
    assert!(figures.contains(&units.as_slice()), "{what}: {units:?}, not one of {figures:?}");
}

#[tokio::test]
async fn each_call_about_reports_and_rollups_is_charged_as_documented() {
    let env = TestEnvironment::start().await;
    let (shop, shard) = (app("shop"), shard(0));
    let span = RollupSpan::containing(Resolution::Minute, now());
    let mut fold = MinuteBuilder::new(span);
    for place in 0..10 {
        let report = report_of("web-1", -place, DOCUMENT);
        env.reports().store(&report, &shop, 48 * HOUR_MS).await.unwrap();
        assert_eq!(units(&env), [1.0], "a report");
        fold.add(report.timestamp, &report.source, report.document.hash(), report.document.as_str()).unwrap();
    }
    for what in ["a last report", "one that changes nothing"] {
        env.rollups().put_last_report(&report_of("web-1", 0, DOCUMENT)).await.unwrap();
        assert_eq!(units(&env), [1.0], "{what}");
    }
    let rollup = fold.finish();
    let bytes = rollup.clone().to_bytes().unwrap();
    env.rollups().put(&shard, &rollup, bytes, None).await.unwrap();
    assert_eq!(units(&env), [1.0], "a rollup of a minute");
    env.rollups().find(&shard, span).await.unwrap();
    assert_eq!(units(&env), [1.0], "a rollup read");
    env.rollups().newest_before(&shard, span).await.unwrap();
    env.rollups().last_reports(&id("shop"), now()).await.unwrap();
    let window = span.time_span();
    env.rollups().between(&shard, Resolution::Minute, window, now()).await.unwrap();
    env.rollups().between_eventual(&shard, Resolution::Minute, window, now(), |_| true).await.unwrap();
    // The first finds nothing, which costs a unit in one engine and none in the other.
    charged_either(
        &env,
        [&[1.0, 1.0, 1.0, 0.5], &[0.0, 1.0, 1.0, 0.5]],
        "queries, the last at half the price",
    );
    env.reports().tail(&shard, window, now()).await.unwrap();
    // Ten reports of about 0.8 KB with their names.
    assert_eq!(units(&env), [2.0], "a raw tail of ten reports");
    env.reports().minutes(&shard, window).await.unwrap();
    assert_eq!(units(&env), [2.0], "what is left out of an answer is charged all the same");
}

#[tokio::test]
async fn each_call_about_connections_is_charged_as_documented() {
    let env = TestEnvironment::start().await;
    let (connection, apps) = (connection("a="), [id("shop")]);
    env.sessions().open(&connection, Role::Program, &apps, now()).await.unwrap();
    env.publishers().add(&apps, &connection, &proof(), now()).await.unwrap();
    assert_eq!(units(&env), [1.0, 1.0, 1.0], "a session, a publisher, and its count");
    env.publishers().has_connection_room(&id("shop"), 9, now()).await.unwrap();
    let recount = [1.0, 1.0, 1.0, 1.0, 1.0];
    // A query that finds nothing, here of subscriptions, costs a unit in one engine and none in the other.
    charged_either(&env, [&recount, &[1.0, 1.0, 1.0, 0.0, 1.0]], "a recount");
    env.publishers().has_connection_room(&id("shop"), 9, now()).await.unwrap();
    assert_eq!(units(&env), [1.0], "a count");
    let start = ProcessStart { at: now(), host: "25274793984/2".into() };
    let source = start.name().unwrap();
    let process = Process { source, start, connection: connection.clone(), since: now() };
    env.processes().add(&apps[0], &process).await.unwrap();
    env.processes().near(&apps[0], &process.start, now()).await.unwrap();
    env.processes().replace(&apps[0], &process, &process).await.unwrap();
    env.publishers().source_of(&apps[0], &connection).await.unwrap();
    assert_eq!(units(&env), [1.0; 4], "a process that is added, read and replaced, and a source read");
    env.sessions().find(&connection).await.unwrap();
    env.sessions().store_grant(&connection, &grant("shop"), now()).await.unwrap();
    assert_eq!(units(&env), [1.0, 1.0], "a session read, and its grant");
    env.subscriptions().add(&id("shop"), &viewer(&connection), now()).await.unwrap();
    assert_eq!(units(&env), [1.0, 1.0, 1.0], "a subscription, and its count");
    env.subscriptions().of_app(&id("shop"), now()).await.unwrap();
    env.subscriptions().of_app(&id("bank"), now()).await.unwrap();
    charged_either(&env, [&[1.0, 1.0], &[1.0, 0.0]], "the subscribers of an app with one and with none");
    for place in 0..40 {
        let row: Value = json!({"pk": {"S": "app#crowd"}, "sk": {"S": format!("s#UIcZQdQsoAMC{place:03}=")},
            "minInterval": {"N": "0"}, "dialect": {"S": "modern"}, "hold": {"S": "key 0123456789ab"},
            "at": {"N": NOW_MS.to_string()}, "expiresAt": {"N": "9999999999"}});
        env.put("ConnectionsTable", row).await;
    }
    env.subscriptions().of_app(&id("crowd"), now()).await.unwrap();
    assert_eq!(units(&env), [1.0], "forty viewers");
    env.sessions().end(&connection, now()).await.unwrap();
    env.sessions().close(&connection).await.unwrap();
    assert_eq!(units(&env), [1.0, 1.0], "the end of a session, and its deletion");
}

#[tokio::test]
async fn each_call_about_apps_is_charged_as_documented() {
    let env = TestEnvironment::start().await;
    env.apps().create(&app("shop")).await.unwrap();
    // Twice each because of the transaction, and once for the index, or twice.
    charged_either(&env, [&[5.0], &[6.0]], "an application and its key's pointer");
    env.apps().find(&id("shop")).await.unwrap();
    env.apps().find_by_key(KeyHash::of("shop")).await.unwrap();
    assert_eq!(units(&env), [1.0, 1.0, 1.0], "an application, and by its key");
    env.apps().of_owner(&UserId::new("ann").unwrap()).await.unwrap();
    assert_eq!(units(&env), [0.5], "the applications of an owner");
}
