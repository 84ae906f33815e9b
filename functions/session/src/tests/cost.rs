//! What each frame of a conversation costs: every call to AWS in order, and whether its reads are consistent.

use nsl_domain::app::DEFAULT_MAX_CONNECTIONS;
use nsl_domain::frame::replay::REPLAY_EVERY_MS;
use nsl_domain::unauthenticated::MAX_UNAUTHENTICATED_FRAMES;

use super::*;

const OPEN: &str = "PutItem ConnectionsTable";
const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const READ_APP: &str = "GetItem AppsTable consistent";
const UPDATE_SESSION: &str = "UpdateItem ConnectionsTable";
const PUT_SUBSCRIPTION: &str = "PutItem ConnectionsTable";
const PUT_PUBLISHER: &str = "PutItem ConnectionsTable";
const READ_COUNT: &str = "GetItem ConnectionsTable consistent";
const ADD: &str = "UpdateItem ConnectionsTable";
const DELETE_ROW: &str = "DeleteItem ConnectionsTable";
const END_SESSION: &str = "UpdateItem ConnectionsTable";
const SUBTRACT: &str = "UpdateItem ConnectionsTable";
/// The claim, the publishers, the subscriptions, the correction.
const RECOUNT: [&str; 4] = [
    "UpdateItem ConnectionsTable",
    "Query ConnectionsTable consistent",
    "Query ConnectionsTable consistent",
    "UpdateItem ConnectionsTable",
];
const READ_SUBSCRIPTION: &str = "GetItem ConnectionsTable consistent";
const READ_RECENT: &str = "Query ReportsTable consistent";
const ANSWER: &str = "POST UIcZQdQsoAMCLTw=";
const CLOSE: &str = "DELETE UIcZQdQsoAMCLTw=";

#[tokio::test]
async fn handshake_costs_one_write() {
    let world = World::start().await;
    connect(&world.instance(), &[], PROGRAM).await;
    assert_eq!(world.env.take_lines(), [OPEN]);
}

#[tokio::test]
async fn publisher_costs_two_writes_more_at_handshake_and_end() {
    let world = World::start().await;
    let session = world.instance();
    let mut cold = &[READ_APP][..];
    for scope in [Scope::VIEW, Scope::PUBLISH, Scope::BOTH] {
        let grant = granted("shop", scope);
        let [begin, end] = match scope {
            Scope::VIEW => [&[][..], &[]],
            _ => [&[PUT_PUBLISHER, ADD][..], &[DELETE_ROW, SUBTRACT]],
        };
        let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
        connect(&session, &[], attached).await;
        assert_eq!(world.env.take_lines(), [cold, &[READ_COUNT, OPEN], begin].concat(), "{scope:?}");
        cold = &[];
        handle(&session, events::disconnect(CONNECTION, attached, NOW_MS)).await;
        assert_eq!(world.env.take_lines(), [&[DELETE_ROW], end].concat(), "{scope:?}");
    }
}

#[tokio::test]
async fn grant_of_several_apps_is_not_counted() {
    let world = World::start().await;
    let several =
        Grant { reach: GrantedApps::Apps(vec![id("shop"), id("bank")]), ..grant("shop", Scope::VIEW) };
    connect(&world.instance(), &[], &[("role", "program"), ("grant", &several.to_text())]).await;
    assert_eq!(world.env.take_lines(), [OPEN]);
}

#[tokio::test]
async fn full_app_costs_a_recount_once_and_then_the_count() {
    let (world, session) = connected(PROGRAM).await;
    world.fill("shop", DEFAULT_MAX_CONNECTIONS).await;
    let grant = granted("shop", Scope::BOTH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    assert_eq!(connect(&session, &[], attached).await, 429);
    assert_eq!(world.env.take_lines(), [&[READ_APP, READ_COUNT][..], &RECOUNT].concat());
    assert_eq!(connect(&session, &[], attached).await, 429);
    assert_eq!(world.env.take_lines(), [READ_COUNT]);
    send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, READ_COUNT, ANSWER]);
    for calls in [&[READ_SESSION, READ_APP, READ_COUNT, UPDATE_SESSION, ANSWER][..], &[]] {
        send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await;
        assert_eq!(world.env.take_lines(), calls, "the library is notified, and then ignored for a while");
    }
}

#[tokio::test]
async fn right_credential_costs_three_reads_and_three_writes() {
    let (world, session) = connected(PROGRAM).await;
    for (count, add) in [(&[READ_COUNT][..], &[ADD][..]), (&[], &[])] {
        // A credential is checked against the stored app, on a warm instance too.
        send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
        let store = [UPDATE_SESSION, PUT_PUBLISHER];
        let calls = [&[READ_SESSION, READ_APP], count, &store, add, &[ANSWER]].concat();
        assert_eq!(world.env.take_lines(), calls, "an authenticated connection is not counted again");
    }
}

#[tokio::test]
async fn wrong_credential_costs_two_reads_and_a_write() {
    let (world, session) = connected(PROGRAM).await;
    let wrong = auth_by_key("shop", "bank");
    let tried = [READ_SESSION, READ_APP, UPDATE_SESSION];
    for answers in [&[ANSWER][..], &[], &[], &[], &[CLOSE]] {
        send(&session, "auth", &wrong, PROGRAM).await;
        assert_eq!(world.env.take_lines(), [&tried[..], answers].concat());
    }
}

#[tokio::test]
async fn subscription_costs_a_count_three_writes_and_a_query() {
    let (world, session) = authorised().await;
    subscribe(&session, PROGRAM).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_SESSION, READ_COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, ADD, READ_RECENT],
        "the instance that checked the key has cached the app"
    );
    let again = subscribe_to("shop");
    let later_ms = NOW_MS + REPLAY_EVERY_MS;
    send_at(&world.instance(), "subscribe", &again, PROGRAM, later_ms).await.unwrap();
    assert_eq!(
        world.env.take_lines(),
        [READ_SESSION, READ_APP, READ_COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT]
    );
}

#[tokio::test]
async fn repeated_subscription_costs_no_read_of_reports() {
    let (world, session) = authorised().await;
    subscribe(&session, PROGRAM).await;
    world.env.take_lines();
    // The instance that sent the replay refuses by itself; another finds it on the session row.
    for (instance, calls) in [
        (&session, &[READ_SESSION][..]),
        (&world.instance(), &[READ_SESSION, READ_APP, READ_COUNT, UPDATE_SESSION]),
    ] {
        let refused = send(instance, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
        assert_eq!(refused["payload"]["code"], "rate_limited");
        assert_eq!(world.env.take_lines(), calls);
    }
}

#[tokio::test]
async fn handshake_grant_saves_the_session_read() {
    let world = World::start().await;
    let grant = granted("shop", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    subscribe(&session, attached).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, ADD, READ_RECENT],
        "the app is cached"
    );
    send(&session, "unsubscribe", &unsubscribe_from("shop"), attached).await;
    assert_eq!(world.env.take_lines(), [DELETE_ROW, SUBTRACT, UPDATE_SESSION]);
    send(&session, "auth", &auth_by_key("shop", "shop"), attached).await;
    assert_eq!(world.env.take_lines(), [READ_APP, ANSWER], "it is confirmed and not stored");
}

#[tokio::test]
async fn reached_subscription_limit_costs_a_count_and_a_read() {
    let world = World::start().await;
    let mut club = app("club");
    club.limits.subscriptions = Some(1);
    world.env.register(&club).await;
    world.count("club").await;
    let grant = granted("club", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    send(&session, "subscribe", &subscribe_to("club"), attached).await;
    assert_eq!(world.env.take_lines(), [READ_COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, ADD, READ_RECENT]);
    let later_ms = NOW_MS + REPLAY_EVERY_MS;
    send_at(&session, "subscribe", &subscribe_to("club"), attached, later_ms).await;
    let subscribed = [READ_SUBSCRIPTION, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT];
    assert_eq!(world.env.take_lines(), [&[READ_COUNT][..], &RECOUNT, &subscribed].concat());
}

#[tokio::test]
async fn replay_costs_a_query_for_each_hour() {
    let (world, session) = authorised().await;
    let since =
        json!({"type": "subscribe", "data": {"appId": "shop", "since": NOW_MS - 120_000}}).to_string();
    send(&session, "subscribe", &since, PROGRAM).await;
    let lines = world.env.take_lines();
    assert_eq!(lines[lines.len() - 2..], [READ_RECENT; 2]);
    assert_eq!(lines.len(), 7);
}

#[tokio::test]
async fn unauthenticated_frame_costs_one_read() {
    let (world, session) = connected(PROGRAM).await;
    send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION]);
    send(&session, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION]);
}

#[tokio::test]
async fn tenth_unauthenticated_frame_costs_a_read_and_the_close() {
    let (world, session) = connected(PROGRAM).await;
    for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
        send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await;
        assert_eq!(world.env.take_lines(), [READ_SESSION]);
        send(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await;
        send(&session, "$default", r#"{"type":"logs"}"#, PROGRAM).await;
        assert_eq!(
            world.env.take_lines(),
            [""; 0],
            "what the library sends does not count, and an empty frame costs nothing"
        );
    }
    send(&session, "$default", "no json", PROGRAM).await;
    assert_eq!(world.env.take_lines(), [ANSWER, READ_SESSION, CLOSE]);
}

#[tokio::test]
async fn garbage_never_closes_an_authenticated_connection() {
    let (world, session) = authorised().await;
    for _ in 0..3 {
        for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
            send(&session, "$default", "no json", PROGRAM).await;
            assert_eq!(world.env.take_lines(), [ANSWER]);
        }
        send(&session, "$default", "no json", PROGRAM).await;
        assert_eq!(world.env.take_lines(), [ANSWER, READ_SESSION]);
    }
    let grant = granted("shop", Scope::VIEW);
    for _ in 0..3 * MAX_UNAUTHENTICATED_FRAMES {
        send(&session, "$default", "no json", &[("grant", &grant)]).await;
        assert_eq!(world.env.take_lines(), [ANSWER]);
    }
}

#[tokio::test]
async fn unsubscribe_costs_a_read_and_two_writes() {
    let (world, session) = authorised().await;
    send(&session, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, DELETE_ROW, UPDATE_SESSION]);
}

#[tokio::test]
async fn ping_costs_nothing() {
    let world = World::start().await;
    let body = send(&world.instance(), "ping", r#"{"type":"ping"}"#, PROGRAM).await;
    assert_eq!((body, world.env.take_lines()), (Some(json!({"type": "pong"})), vec![]));
}

#[tokio::test]
async fn garbage_costs_its_error() {
    let world = World::start().await;
    for frame in ["", "no json", "[1]", "{}", r#"{"type":7}"#, r#"{"type":"constructor"}"#] {
        send(&world.instance(), "$default", frame, PROGRAM).await;
        assert_eq!(world.env.take_lines(), [ANSWER], "{frame}");
    }
}

#[tokio::test]
async fn disconnect_costs_an_update_and_a_delete_for_each_row() {
    let (world, session) = authorised().await;
    world.env.register(&app("bank")).await;
    subscribe(&session, PROGRAM).await;
    let bank = granted("bank", Scope::VIEW);
    send(&session, "subscribe", &subscribe_to("bank"), &[("grant", &bank)]).await.unwrap();
    world.env.take_calls();
    let counted = [DELETE_ROW, SUBTRACT];
    for rows in [3, 0] {
        disconnect(&session).await;
        assert_eq!(world.env.take_lines(), [&[END_SESSION][..], &vec![counted; rows].concat()].concat());
    }
    assert!(world.open_rows().await.is_empty());
}

#[tokio::test]
async fn session_is_deleted_where_every_frame_carries_its_grant() {
    let world = World::start().await;
    let grant = granted("shop", Scope::PUBLISH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    handle(&session, events::disconnect(CONNECTION, attached, NOW_MS)).await;
    assert_eq!(world.env.take_lines(), [DELETE_ROW, DELETE_ROW, SUBTRACT]);
    assert!(world.env.connection_rows().await.is_empty());
}

/// A library that was accepted once keeps sending reports on its next connection, before its `auth`.
#[tokio::test]
async fn wrong_program_is_not_closed_for_its_frames() {
    let (world, session) = connected(PROGRAM).await;
    let wrong = r#"{"type":"auth","data":{"userId":"nehonix_unknown","appId":"shop"}}"#;
    send(&session, "auth", wrong, PROGRAM).await;
    world.env.take_lines();
    for _ in 0..2 * MAX_UNAUTHENTICATED_FRAMES {
        send(&session, "$default", "no json", PROGRAM).await;
    }
    assert!(!world.env.take_lines().iter().any(|line| line == CLOSE));
}
