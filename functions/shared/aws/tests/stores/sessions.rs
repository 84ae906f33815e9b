//! Session rows: opened once, updated while they are there, and gone for good when closed.

use nsl_aws::sessions::{Closed, Session, Updated};
use nsl_aws::subscriptions::Added;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::{Claim, ReplyKind};
use serde_json::json;

use super::*;

const ID: &str = "UIcZQdQsoAMCLTw=";

#[tokio::test]
async fn open_session_has_its_role_and_expiry() {
    let env = TestEnvironment::start().await;
    for (name, role) in [("a=", Role::Program), ("b=", Role::Page), ("c=", Role::ForeignPage)] {
        env.sessions().open(&connection(name), role, &[], now()).await.unwrap();
        assert_eq!(env.take_lines(), ["PutItem ConnectionsTable"]);
        let found = env.sessions().find(&connection(name)).await.unwrap();
        assert_eq!(found, Some(Session { role, grant: None, wrong_since: None, is_ended: false }));
        assert_eq!(env.take_lines(), ["GetItem ConnectionsTable consistent"]);
    }
    let end = (NOW_MS / 1000 + 130 * 60).to_string();
    let rows = env.connection_rows().await;
    assert!(rows.iter().all(|row| row["expiresAt"]["N"] == end), "{rows:?}");
}

#[tokio::test]
async fn grant_is_stored_while_the_session_is_open() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert_eq!(env.sessions().store_grant(&id, &grant("shop"), now()).await.unwrap(), Updated::Gone);
    assert_eq!(env.sessions().find(&id).await.unwrap(), None);
    open(&env, &id).await;
    env.take_calls();
    assert_eq!(env.sessions().store_grant(&id, &grant("shop"), now()).await.unwrap(), Updated::Done);
    let calls = env.take_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].to_string(), "UpdateItem ConnectionsTable");
    assert!(calls[0].text("/ConditionExpression").starts_with("attribute_exists(pk) AND "));
    let found = env.sessions().find(&id).await.unwrap().unwrap();
    assert_eq!(found.grant, Some(grant("shop")));
}

#[tokio::test]
async fn auth_that_is_overtaken_changes_nothing() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    open(&env, &id).await;
    let store = async |app: &str, ms| {
        let arrival = now().plus_ms(ms);
        env.publishers().add(&[super::id("shop")], &id, &grant(app).stored_proof(), arrival).await.unwrap();
        env.sessions().store_grant(&id, &fixtures::grant(app, Scope::BOTH), arrival).await.unwrap()
    };
    assert_eq!(store("bank", 1).await, Updated::Done);
    assert_eq!(store("shop", 0).await, Updated::Overtaken);
    let stored = env.sessions().find(&id).await.unwrap().unwrap().grant;
    assert_eq!(stored, Some(fixtures::grant("bank", Scope::BOTH)));
    assert_eq!(
        store("shop", 1).await,
        Updated::Done,
        "in the same millisecond the last one processed counts"
    );
    assert_eq!(store("cafe", 2).await, Updated::Done);
}

#[tokio::test]
async fn rejections_are_counted_while_the_session_is_open() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert_eq!(env.sessions().count_rejection(&id, now()).await.unwrap(), None);
    open(&env, &id).await;
    env.take_calls();
    for count in 1..=3 {
        assert_eq!(env.sessions().count_rejection(&id, now()).await.unwrap(), Some(count));
        assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"]);
    }
    assert_eq!(env.sessions().find(&id).await.unwrap().unwrap().grant, None);
}

#[tokio::test]
async fn closing_returns_and_deletes_subscriptions() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    open(&env, &id).await;
    for app in ["shop", "bank"] {
        env.subscriptions().add(&super::id(app), &viewer(&id), now()).await.unwrap();
    }
    env.take_calls();
    let mut watched = env.sessions().close(&id).await.unwrap().watched;
    assert_eq!(env.take_lines(), ["DeleteItem ConnectionsTable"]);
    watched.sort();
    assert_eq!(watched, [super::id("bank"), super::id("shop")]);
    assert_eq!(env.sessions().find(&id).await.unwrap(), None);
    assert_eq!(env.sessions().close(&id).await.unwrap(), Closed::default());
    assert_eq!(env.sessions().store_grant(&id, &grant("shop"), now()).await.unwrap(), Updated::Gone);
    assert_eq!(env.sessions().count_rejection(&id, now()).await.unwrap(), None);
    assert_eq!(env.sessions().find(&id).await.unwrap(), None, "a late frame brings nothing back");
}

#[tokio::test]
async fn ended_session_keeps_its_grant_and_nothing_else() {
    let env = TestEnvironment::start().await;
    let id = connection(ID);
    assert_eq!(env.sessions().end(&id, now()).await.unwrap(), Closed::default(), "without a row");
    assert!(env.connection_rows().await.is_empty());
    open(&env, &id).await;
    env.sessions().store_grant(&id, &grant("shop"), now()).await.unwrap();
    env.subscriptions().add(&super::id("bank"), &viewer(&id), now()).await.unwrap();
    env.take_calls();
    let expected = Closed { watched: vec![super::id("bank")], published: vec![super::id("shop")] };
    assert_eq!(env.sessions().end(&id, now()).await.unwrap(), expected);
    assert_eq!(env.take_lines(), ["UpdateItem ConnectionsTable"]);
    let found = env.sessions().find(&id).await.unwrap().unwrap();
    assert_eq!((found.is_ended, found.grant), (true, Some(grant("shop"))));
    let rows = env.connection_rows().await;
    let row = rows.iter().find(|row| row["sk"]["S"] == "session").unwrap();
    assert_eq!(row["expiresAt"]["N"], (NOW_MS / 1000 + 60).to_string(), "a minute");
    assert!(row["watches"].is_null() && row["publishes"].is_null());
}

#[tokio::test]
async fn ended_session_refuses_every_change() {
    let env = TestEnvironment::start().await;
    let (id, sessions) = (connection(ID), env.sessions());
    open(&env, &id).await;
    sessions.store_grant(&id, &grant("shop"), now()).await.unwrap();
    sessions.end(&id, now()).await.unwrap();
    let before = env.connection_rows().await;
    assert_eq!(sessions.end(&id, now().plus_ms(1)).await.unwrap(), Closed::default());
    assert_eq!(sessions.store_grant(&id, &grant("bank"), now()).await.unwrap(), Updated::Gone);
    assert_eq!(sessions.store_legacy_grant(&id, &grant("bank"), now()).await.unwrap(), Updated::Gone);
    let (bank, shop) = (grant("bank"), grant("shop"));
    let stored = sessions.store_frame_grant(&id, &bank, Some(&shop), now()).await.unwrap();
    assert_eq!(stored, Updated::Gone);
    assert_eq!(sessions.count_rejection(&id, now()).await.unwrap(), None);
    assert_eq!(sessions.claim(&id, ReplyKind::Status, now()).await.unwrap(), Claim::Gone);
    assert!(!sessions.claim_notice(&id, Notice::Unproved, now()).await.unwrap());
    sessions.note_check(&id, true, now()).await.unwrap();
    let added = [
        env.subscriptions().add(&super::id("shop"), &viewer(&id), now()).await.unwrap(),
        env.subscriptions().add_with_replay(&super::id("shop"), &viewer(&id), now()).await.unwrap(),
    ];
    assert_eq!(added, [Added::Rejected; 2]);
    assert_eq!(env.connection_rows().await, before);
}

#[tokio::test]
async fn unreadable_session_is_corrupt() {
    let env = TestEnvironment::start().await;
    let row = json!({"pk": {"S": format!("conn#{ID}")}, "sk": {"S": "session"}, "role": {"S": "program"},
        "grant": {"S": "no grant"}});
    env.put("ConnectionsTable", row).await;
    let fault = env.sessions().find(&connection(ID)).await.unwrap_err();
    assert_eq!(fault.kind, nsl_aws::fault::Kind::Corrupt);
}
