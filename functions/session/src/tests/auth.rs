//! Which credentials `auth` accepts, and when it is answered.

use nsl_auth::token::{self, Claims};
use nsl_aws::counters::Counter;
use nsl_domain::app::DEFAULT_MAX_CONNECTIONS;
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::session::ATTEMPT_EVERY_MS;

use super::*;

/// The frames that an `auth` was answered with; its route is one-way, so the result has no body.
async fn answers(
    world: &World,
    session: &Session,
    frame: &str,
    attached: events::Attached<'_>,
) -> Vec<Value> {
    assert_eq!(send(session, "auth", frame, attached).await, None);
    let frames = world.env.frames(CONNECTION);
    world.env.take_calls();
    frames
}

#[tokio::test]
async fn right_key_is_confirmed_and_stored() {
    let (world, session) = connected(PROGRAM).await;
    let frames = answers(&world, &session, &auth_by_key("shop", "shop"), PROGRAM).await;
    assert_eq!(frames, [json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}})]);
    subscribe(&world.instance(), PROGRAM).await;
    assert_eq!(world.subscriptions().await, [("app#shop".to_owned(), "modern".to_owned())]);
}

#[tokio::test]
async fn full_app_rejects_handshake_and_auth_until_one_leaves() {
    for (own, most) in [(None, DEFAULT_MAX_CONNECTIONS), (Some(2), 2)] {
        let (world, session) = connected(PROGRAM).await;
        let mut club = app("club");
        (club.legacy, club.limits.connections) = (true, own);
        world.env.register(&club).await;
        world.fill("club", most).await;
        let grant = granted("club", Scope::PUBLISH);
        let by_handshake: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
        assert_eq!(connect(&session, &[], by_handshake).await, 429, "{own:?}");
        let frames = answers(&world, &session, &auth_by_key("club", "club"), PROGRAM).await;
        let payload = &frames[0]["payload"];
        assert_eq!((&payload["code"], &payload["retryable"]), (&json!("rate_limited"), &json!(true)));
        for notices in [1, 0] {
            let frames = answers(&world, &session, &auth_by_user("club", "ann"), PROGRAM).await;
            assert_eq!(frames, vec![notice(Notice::Full); notices]);
        }
        let publishers = world.env.publishers();
        publishers.delete(&id("club"), &ConnectionId::new("b0=")).await.unwrap();
        let frames = answers(&world, &session, &auth_by_key("club", "club"), PROGRAM).await;
        assert_eq!(frames[0]["type"], "auth_success", "{own:?}");
        publishers.delete(&id("club"), &ConnectionId::new("b1=")).await.unwrap();
        assert_eq!(connect(&session, &[], by_handshake).await, 200, "{own:?}");
    }
}

#[tokio::test]
async fn wrong_key_is_answered_once_and_closed_after_five() {
    let (world, session) = connected(PROGRAM).await;
    world.env.register(&app("bank")).await;
    for (turn, (named, key)) in
        [("shop", "bank"), ("nowhere", "shop"), ("bank", "shop"), ("shop", "x"), ("shop", "y")]
            .into_iter()
            .enumerate()
    {
        assert_eq!(send(&session, "auth", &auth_by_key(named, key), PROGRAM).await, None);
        let frames = world.env.frames(CONNECTION);
        let closed = world.env.take_calls().iter().any(|call| call.operation == "DELETE");
        assert_eq!((frames.len(), closed), (usize::from(turn == 0), turn == 4), "{named} {key}");
        for frame in frames {
            assert_eq!(frame["type"], "error");
            assert_eq!(frame["payload"]["code"], "unauthorized");
            assert_eq!((&frame["payload"]["id"], &frame["payload"]["retryable"]), (&json!(7), &json!(false)));
        }
    }
}

#[tokio::test]
async fn right_key_of_an_inactive_app_gets_app_inactive() {
    let world = World::start().await;
    let mut old = app("old");
    old.status = Status::Inactive;
    world.env.register(&old).await;
    let session = world.connected(PROGRAM).await;
    let frames = answers(&world, &session, &auth_by_key("old", "old"), PROGRAM).await;
    assert_eq!(frames[0]["payload"]["code"], "app_inactive");
}

#[tokio::test]
async fn library_publishes_and_is_not_subscribed() {
    let (world, session) = connected(PROGRAM).await;
    let frames = answers(&world, &session, &auth_by_user("shop", "ann"), PROGRAM).await;
    assert_eq!(frames, [json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}})]);
    assert!(world.subscriptions().await.is_empty());
    let body = send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
    assert_eq!(body["payload"]["code"], "forbidden");
}

#[tokio::test]
async fn dashboard_auth_subscribes_and_repeats_are_not_answered() {
    let (world, session) = connected(PAGE).await;
    let frames = answers(&world, &session, &auth_by_user("shop", "ann"), PAGE).await;
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["type"], "auth_success");
    assert_eq!(world.subscriptions().await, [("app#shop".to_owned(), "legacy".to_owned())]);
    for repeat in 1..=3 {
        assert!(answers(&world, &session, &auth_by_user("shop", "ann"), PAGE).await.is_empty());
        assert_eq!(session.counters.total(Counter::AbsorbedFrames), repeat);
    }
}

#[tokio::test]
async fn wrong_library_is_sent_one_notice_over_all_its_ids() {
    let (world, session) = connected(PROGRAM).await;
    world.env.register(&app("bank")).await;
    for (named, user) in [("shop", "bob"), ("bank", "ann"), ("nowhere", "ann")] {
        for _ in 0..6 {
            send(&session, "auth", &auth_by_user(named, user), PROGRAM).await;
        }
    }
    assert_eq!(world.env.frames(CONNECTION), [notice(Notice::Unproved)]);
}

#[tokio::test]
async fn wrong_page_gets_one_error_and_is_closed_at_the_fifth() {
    for (attached, user) in [(PAGE, "bob"), (FOREIGN_PAGE, "ann")] {
        let (world, session) = connected(attached).await;
        let frames = answers(&world, &session, &auth_by_user("shop", user), attached).await;
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0]["type"], "auth_error");
        for attempt in 2..=5 {
            let at_ms = NOW_MS + attempt * ATTEMPT_EVERY_MS;
            send_at(&session, "auth", &auth_by_user("shop", user), attached, at_ms).await;
            assert!(world.env.frames(CONNECTION).is_empty(), "{attempt}");
            let is_closed = world.env.take_calls().iter().any(|call| call.operation == "DELETE");
            assert_eq!(is_closed, attempt == 5, "{attempt}");
        }
        assert!(world.subscriptions().await.is_empty());
    }
}

#[tokio::test]
async fn handshake_grant_cannot_be_changed_by_auth() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    let grant = granted("shop", Scope::BOTH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    let frames = answers(&world, &session, &auth_by_key("shop", "shop"), attached).await;
    assert_eq!(frames[0]["type"], "auth_success");
    let frames = answers(&world, &session, &auth_by_key("bank", "bank"), attached).await;
    assert_eq!(frames[0]["payload"]["code"], "forbidden");
}

/// A token that names `apps` and ends `life_ms` after the present.
pub(super) fn token(apps: &[&str], scope: Scope, life_ms: i64) -> String {
    let claims = Claims {
        sub: Subject::new("eve").unwrap(),
        aud: AUDIENCE.into(),
        iat: NOW_MS / 1_000 - 60,
        exp: (NOW_MS + life_ms) / 1_000,
        nbf: None,
        scope,
        apps: apps.iter().copied().map(id).collect(),
        owner: None,
    };
    token::issue(&claims, TOKEN_SECRET).unwrap()
}

/// An `auth` for `shop` by such a token.
fn auth_by_token(apps: &[&str], scope: Scope, life_ms: i64) -> String {
    let token = token(apps, scope, life_ms);
    json!({"type": "auth", "data": {"appId": "shop", "token": token}}).to_string()
}

#[tokio::test]
async fn token_is_valid_for_its_apps_until_it_expires() {
    let (world, session) = connected(PAGE).await;
    let frames = answers(&world, &session, &auth_by_token(&["shop"], Scope::VIEW, 3_600_000), PAGE).await;
    assert_eq!(frames, [json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "eve"}})]);
    subscribe(&session, PAGE).await;
    assert_eq!(world.subscriptions().await, [("app#shop".to_owned(), "modern".to_owned())]);
    let body = send_at(&session, "subscribe", &subscribe_to("shop"), PAGE, NOW_MS + 3_600_000).await.unwrap();
    assert_eq!(body["payload"]["code"], "unauthorized");
}

#[tokio::test]
async fn foreign_or_expired_token_grants_nothing() {
    for frame in [
        auth_by_token(&["bank"], Scope::BOTH, 3_600_000),
        auth_by_token(&["shop"], Scope::BOTH, -1_000),
        auth_by_token(&[], Scope::BOTH, 3_600_000),
    ] {
        let (world, session) = connected(PAGE).await;
        let frames = answers(&world, &session, &frame, PAGE).await;
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0]["type"], "error");
        let body = send(&session, "subscribe", &subscribe_to("shop"), PAGE).await.unwrap();
        assert_eq!(body["payload"]["code"], "unauthorized");
    }
}
