//! The library with a key or token in its `auth`: accepted without the flag, and sent only what every version survives.

use nsl_aws::counters::Counter;
use nsl_domain::dialect::Dialect;
use nsl_domain::time::MINUTE_MS;

use super::auth::token;
use super::legacy::about_shop;
use super::*;

/// The library's `auth` with `key` beside its ids.
fn library_auth(app: &str, user: &str, key: &str) -> String {
    json!({"type": "auth", "data": {"appId": app, "userId": user, "apiKey": key}}).to_string()
}

fn success(app: &str, user: &str) -> Value {
    json!({"type": "auth_success", "payload": {"appId": app, "userId": user}})
}

impl World {
    /// A service with the app `bank`, which has no flag.
    async fn with_bank() -> Self {
        let world = Self::start().await;
        world.env.register(&app("bank")).await;
        world.count("bank").await;
        world
    }

    /// The stored grant of [`CONNECTION`].
    async fn stored_grant(&self) -> Option<Grant> {
        let connection = nsl_domain::ids::ConnectionId::new(CONNECTION);
        self.env.sessions().find(&connection).await.unwrap()?.grant
    }
}

#[tokio::test]
async fn library_with_a_key_needs_neither_flag_nor_owner() {
    for user in ["ann", "bob", "", "a user"] {
        let world = World::with_bank().await;
        let session = world.connected(PROGRAM).await;
        let frame = library_auth("bank", user, &format!(" {}\n", secret("bank")));
        for _ in 0..3 {
            send(&session, "auth", &frame, PROGRAM).await;
        }
        assert_eq!(world.env.frames(CONNECTION), [success("bank", "ann")], "{user:?}");
        let stored = world.stored_grant().await.unwrap();
        assert_eq!((stored.dialect(), stored.is_by_ids()), (Dialect::Legacy, false));
        let publishers = world.env.publishers().of_app(&id("bank"), fixtures::now()).await.unwrap();
        assert_eq!(publishers[0].proof, grant("bank", Scope::BOTH).stored_proof());
        assert!(world.subscriptions().await.is_empty());
    }
}

#[tokio::test]
async fn library_with_a_token_is_accepted_as_its_subject() {
    let world = World::with_bank().await;
    let session = world.connected(PROGRAM).await;
    let token = token(&["bank"], Scope::PUBLISH, 3_600_000);
    let frame = json!({"type": "auth", "data": {"appId": "bank", "userId": "ann", "token": token}});
    for _ in 0..3 {
        send(&session, "auth", &frame.to_string(), PROGRAM).await;
    }
    assert_eq!(world.env.frames(CONNECTION), [success("bank", "eve")]);
    assert_eq!(world.stored_grant().await.unwrap().dialect(), Dialect::Legacy);
}

#[tokio::test]
async fn library_with_a_wrong_key_gets_one_notice_and_is_closed_after_ten_minutes() {
    let viewing = KeyRecord::of("viewing", Scope::VIEW);
    for (app_name, key) in [
        ("bank", "no key".to_owned()),
        ("bank", "viewing".to_owned()),
        ("bank", secret("shop")),
        ("bank", token(&["bank"], Scope::PUBLISH, 3_600_000)),
        ("none", secret("bank")),
    ] {
        let world = World::with_bank().await;
        let keys = vec![KeyRecord::of(&secret("bank"), Scope::BOTH), viewing.clone()];
        world.replace(&App { keys, ..app("bank") }).await;
        let session = world.connected(PROGRAM).await;
        let frame = library_auth(app_name, "ann", &key);
        for minute in 0..10 {
            send_at(&session, "auth", &frame, PROGRAM, NOW_MS + minute * MINUTE_MS).await;
        }
        assert_eq!(world.env.frames(CONNECTION), [notice(Notice::Unproved)]);
        assert!(world.env.take_calls().iter().all(|call| call.operation != "DELETE"));
        assert_eq!(session.counters.total(Counter::SilencedPublishers), 10, "{app_name} {key}");
        send_at(&session, "auth", &frame, PROGRAM, NOW_MS + 10 * MINUTE_MS).await;
        assert_eq!(session.counters.total(Counter::ClosedConnections), 1);
    }
}

#[tokio::test]
async fn library_with_the_key_of_an_inactive_app_is_welcomed_and_notified() {
    let world = World::start().await;
    world.env.register(&App { status: Status::Inactive, ..app("off") }).await;
    let session = world.connected(PROGRAM).await;
    for _ in 0..3 {
        send(&session, "auth", &library_auth("off", "ann", &secret("off")), PROGRAM).await;
    }
    assert_eq!(world.env.frames(CONNECTION), [success("off", "ann"), notice(Notice::SwitchedOff)]);
}

#[tokio::test]
async fn blank_key_of_a_library_is_as_none() {
    for blank in [json!(""), json!(" "), json!(null)] {
        let (world, session) = connected(PROGRAM).await;
        let frame = json!({"type": "auth", "data": {"appId": "shop", "userId": "ann", "apiKey": blank}});
        send(&session, "auth", &frame.to_string(), PROGRAM).await;
        assert_eq!(world.env.frames(CONNECTION), [success("shop", "ann")]);
        assert!(world.stored_grant().await.unwrap().is_by_ids());
    }
}

#[tokio::test]
async fn page_with_a_key_beside_its_ids_is_a_modern_viewer() {
    for page in [PAGE, FOREIGN_PAGE] {
        let world = World::with_bank().await;
        let session = world.connected(page).await;
        for _ in 0..3 {
            send(&session, "auth", &library_auth("bank", "ann", &secret("bank")), page).await;
        }
        let sent = world.env.frames(CONNECTION);
        assert_eq!(sent, vec![success("bank", "ann"); 3]);
        assert_eq!(world.stored_grant().await.unwrap().dialect(), Dialect::Modern);
        assert!(world.subscriptions().await.is_empty());
        send(&session, "auth", &library_auth("bank", "ann", "wrong"), page).await;
        assert_eq!(world.env.frames(CONNECTION)[3]["payload"]["code"], "unauthorized");
    }
}

#[tokio::test]
async fn key_of_the_handshake_keeps_the_dialect_modern() {
    let world = World::with_bank().await;
    let text = granted("bank", Scope::BOTH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &text)];
    let session = world.connected(attached).await;
    send(&session, "auth", &library_auth("bank", "ann", &secret("bank")), attached).await;
    assert_eq!(world.env.frames(CONNECTION), [success("bank", "ann")], "the same key is confirmed");
    assert!(world.stored_grant().await.is_none(), "the grant is that of the handshake");
    send(&session, "auth", &library_auth("shop", "ann", &secret("shop")), attached).await;
    assert_eq!(world.env.frames(CONNECTION)[1]["payload"]["code"], "forbidden");
}

#[tokio::test]
async fn library_with_a_publish_key_reads_no_history() {
    let world = World::start().await;
    world.replace(&App { keys: vec![KeyRecord::of("p", Scope::PUBLISH)], ..app("shop") }).await;
    let session = world.connected(PROGRAM).await;
    send(&session, "auth", &library_auth("shop", "ann", "p"), PROGRAM).await;
    for kind in ["history", "get_last_actions", "request_metrics", "no_type"] {
        send(&session, "$default", &about_shop(kind), PROGRAM).await;
    }
    let types: Vec<Value> = world.env.frames(CONNECTION).iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(types, ["auth_success", "error"], "an error only for a type of no protocol");
}
