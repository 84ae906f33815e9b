//! Subscriptions: one row each, listed in the session row too, and read by app without a scan.

use nsl_aws::subscriptions::{Added, Subscriber};
use nsl_domain::conversation::MAX_SUBSCRIPTIONS;
use nsl_domain::dialect::Dialect;
use serde_json::{Value, json};

use super::*;

/// Subscribers of the crowded app.
const CROWD: usize = 1_000;

fn subscriber(name: &str) -> Subscriber {
    Subscriber {
        connection: connection(name),
        min_interval_ms: 250,
        dialect: Dialect::Legacy,
        proof: grant("shop").stored_proof(),
    }
}

fn row(app: &str, name: &str) -> Value {
    json!({"pk": {"S": format!("app#{app}")}, "sk": {"S": format!("s#{name}")}, "minInterval": {"N": "0"},
        "dialect": {"S": "modern"}, "hold": {"S": "legacy"}, "expiresAt": {"N": (NOW_MS / 1000 + 1).to_string()}})
}

async fn watching(env: &TestEnvironment, app: &str) -> Vec<String> {
    let found = env.subscriptions().of_app(&id(app), now()).await.unwrap();
    found.iter().map(|subscriber| subscriber.connection.to_string()).collect()
}

#[tokio::test]
async fn subscription_is_read_back() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    env.take_calls();
    let added = env.subscriptions().add(&id("shop"), &subscriber("a="), now()).await.unwrap();
    assert_eq!(added, Added::Done);
    // The session row first, so that `$disconnect` knows of every row that there is.
    let (update, put) = ("UpdateItem ConnectionsTable", "PutItem ConnectionsTable");
    assert_eq!(env.take_lines(), [update, put, update]);
    let found = env.subscriptions().of_app(&id("shop"), now()).await.unwrap();
    assert_eq!(found, [subscriber("a=")]);
    assert_eq!(env.take_lines(), ["Query ConnectionsTable consistent"]);
    assert!(watching(&env, "bank").await.is_empty());
}

#[tokio::test]
async fn subscribing_again_changes_only_the_interval() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    for min_interval_ms in [0, 250] {
        let again = Subscriber { min_interval_ms, ..subscriber("a=") };
        assert_eq!(env.subscriptions().add(&id("shop"), &again, now()).await.unwrap(), Added::Done);
    }
    assert_eq!(env.subscriptions().of_app(&id("shop"), now()).await.unwrap(), [subscriber("a=")]);
    assert_eq!(env.sessions().close(&connection("a=")).await.unwrap().watched, [id("shop")]);
}

#[tokio::test]
async fn gone_connection_cannot_subscribe() {
    let env = TestEnvironment::start().await;
    let added = env.subscriptions().add(&id("shop"), &subscriber("a="), now()).await.unwrap();
    assert_eq!(added, Added::Rejected);
    assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"]);
    assert!(env.connection_rows().await.is_empty());
}

#[tokio::test]
async fn connection_can_subscribe_to_fifty_apps() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    let add = async |app: &str| env.subscriptions().add(&id(app), &subscriber("a="), now()).await.unwrap();
    for index in 0..MAX_SUBSCRIPTIONS {
        assert_eq!(add(&format!("app-{index}")).await, Added::Done, "{index}");
    }
    assert_eq!(add("one-more").await, Added::Rejected);
    assert!(watching(&env, "one-more").await.is_empty());
    assert_eq!(add("app-0").await, Added::Done, "one that it has needs no room");
    env.subscriptions().remove(&id("app-0"), &connection("a="), now()).await.unwrap();
    assert_eq!(add("one-more").await, Added::Done);
    assert_eq!(env.sessions().close(&connection("a=")).await.unwrap().watched.len(), MAX_SUBSCRIPTIONS);
}

#[tokio::test]
async fn unsubscribing_is_idempotent() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    env.subscriptions().add(&id("shop"), &subscriber("a="), now()).await.unwrap();
    env.take_calls();
    let (delete, update) = ("DeleteItem ConnectionsTable", "UpdateItem ConnectionsTable");
    for calls in [&[delete, update, update][..], &[delete, update]] {
        env.subscriptions().remove(&id("shop"), &connection("a="), now()).await.unwrap();
        assert_eq!(env.take_lines(), calls);
    }
    assert!(watching(&env, "shop").await.is_empty());
    assert_eq!(env.sessions().close(&connection("a=")).await.unwrap().watched, []);
    env.subscriptions().remove(&id("shop"), &connection("never="), now()).await.unwrap();
    assert!(env.connection_rows().await.is_empty());
}

#[tokio::test]
async fn subscription_renewed_by_another_credential_does_not_expire() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    let by = |grant: Grant| Subscriber { proof: grant.stored_proof(), ..subscriber("a=") };
    let of_bob = Grant { user: Subject::new("bob").unwrap(), ..grant("shop") };
    let credentials = [by(grant("shop")), by(of_bob), by(fixtures::grant("shop", Scope::VIEW))];
    for (index, stored) in credentials.iter().enumerate() {
        for (other, checked) in credentials.iter().enumerate() {
            env.subscriptions().add(&id("shop"), stored, now()).await.unwrap();
            env.take_calls();
            let is_expired = env.subscriptions().expire(&id("shop"), checked).await.unwrap();
            assert_eq!(
                env.take_lines().len(),
                1 + usize::from(is_expired),
                "counted off where it is deleted"
            );
            assert_eq!(
                (is_expired, watching(&env, "shop").await.len()),
                (index == other, usize::from(index != other))
            );
        }
    }
}

#[tokio::test]
async fn frames_that_overtake_each_other_leave_the_later_subscription() {
    let env = TestEnvironment::start().await;
    open(&env, &connection("a=")).await;
    let (earlier, later) = (subscriber("a="), Subscriber { min_interval_ms: 9, ..subscriber("a=") });
    env.subscriptions().add(&id("shop"), &later, now().plus_ms(2)).await.unwrap();
    assert_eq!(env.subscriptions().add(&id("shop"), &earlier, now()).await.unwrap(), Added::Done);
    env.subscriptions().remove(&id("shop"), &connection("a="), now().plus_ms(1)).await.unwrap();
    assert_eq!(env.subscriptions().of_app(&id("shop"), now()).await.unwrap(), [later]);
    assert_eq!(env.sessions().close(&connection("a=")).await.unwrap().watched, [id("shop")]);
}

#[tokio::test]
async fn deleting_one_row_leaves_the_others() {
    let env = TestEnvironment::start().await;
    env.put("ConnectionsTable", row("shop", "a=")).await;
    env.put("ConnectionsTable", row("shop", "b=")).await;
    for calls in [2, 1] {
        env.subscriptions().delete(&id("shop"), &connection("a=")).await.unwrap();
        assert_eq!(env.take_lines().len(), calls, "counted off where it is deleted");
    }
    assert_eq!(watching(&env, "shop").await, ["b="]);
}

#[tokio::test]
async fn expired_and_unreadable_rows_are_skipped() {
    let env = TestEnvironment::start().await;
    let with = |name: &str, attribute: &str, value: Value| {
        let mut row = row("shop", name);
        row[attribute] = value;
        row
    };
    let mut nameless = row("shop", "d=");
    nameless.as_object_mut().unwrap().remove("dialect");
    for row in [
        row("shop", "a="),
        with("b=", "expiresAt", json!({"N": (NOW_MS / 1000).to_string()})),
        with("c=", "minInterval", json!({"S": "soon"})),
        nameless,
        with("e=", "dialect", json!({"S": "martian"})),
        with("f=", "minInterval", json!({"N": "1.5"})),
        with("i=", "hold", json!({"S": "a promise"})),
        row("shop", "g="),
        row("shopper", "h="),
    ] {
        env.put("ConnectionsTable", row).await;
    }
    let publisher = json!({"pk": {"S": "app#shop"}, "sk": {"S": "p#i="}});
    env.put("ConnectionsTable", publisher).await;
    assert_eq!(watching(&env, "shop").await, ["a=", "g="]);
}

#[tokio::test]
async fn many_subscribers_are_read_page_by_page() {
    let env = TestEnvironment::start().await;
    // Wide rows, so that the crowd does not fit one page of a megabyte.
    let ballast = "x".repeat(1_500);
    for index in 0..CROWD {
        let mut row = row("shop", &format!("{index:04}="));
        row["ballast"] = json!({"S": ballast});
        env.put("ConnectionsTable", row).await;
    }
    let found = watching(&env, "shop").await;
    assert_eq!(found, (0..CROWD).map(|index| format!("{index:04}=")).collect::<Vec<_>>());
    assert_eq!(env.take_lines(), ["Query ConnectionsTable consistent"; 2]);
}
