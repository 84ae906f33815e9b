//! What each frame of a conversation costs: every call to AWS in order, and whether its reads are consistent.

use nsl_domain::app::MAX_CONNECTIONS;
use nsl_domain::unauthenticated::MAX_UNAUTHENTICATED_FRAMES;

use super::*;

const OPEN: &str = "PutItem ConnectionsTable";
const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const READ_APP: &str = "GetItem AppsTable consistent";
const UPDATE_SESSION: &str = "UpdateItem ConnectionsTable";
const PUT_SUBSCRIPTION: &str = "PutItem ConnectionsTable";
const PUT_PUBLISHER: &str = "PutItem ConnectionsTable";
const COUNT: &str = "Query ConnectionsTable consistent";
const DELETE_ROW: &str = "DeleteItem ConnectionsTable";
const READ_RECENT: &str = "Query ReportsTable consistent";
const ANSWER: &str = "POST UIcZQdQsoAMCLTw=";
const CLOSE: &str = "DELETE UIcZQdQsoAMCLTw=";

#[tokio::test]
async fn a_handshake_costs_one_write() {
    let world = World::start().await;
    connect(&world.instance(), &[], PROGRAM).await;
    assert_eq!(world.env.take_lines(), [OPEN]);
}

#[tokio::test]
async fn a_handshake_of_a_publisher_costs_a_write_more_and_its_end_another() {
    let world = World::start().await;
    let session = world.instance();
    let mut cold = &[READ_APP][..];
    for (scope, writes, deletes) in [(Scope::View, 1, 1), (Scope::Publish, 2, 2), (Scope::Both, 2, 2)] {
        let grant = granted("shop", scope);
        connect(&session, &[], &[("role", "program"), ("grant", &grant)]).await;
        assert_eq!(world.env.take_lines(), [cold, &[COUNT], &vec![OPEN; writes]].concat(), "{scope:?}");
        cold = &[];
        let event = events::disconnect(SPEAKER, PROGRAM, NOW_MS);
        session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
        assert_eq!(world.env.take_lines(), vec![DELETE_ROW; deletes], "{scope:?}");
    }
}

#[tokio::test]
async fn a_grant_of_several_apps_is_not_counted() {
    let world = World::start().await;
    let several =
        Grant { reach: GrantedApps::Apps(vec![id("shop"), id("bank")]), ..grant("shop", Scope::View) };
    connect(&world.instance(), &[], &[("role", "program"), ("grant", &several.to_text())]).await;
    assert_eq!(world.env.take_lines(), [OPEN]);
}

#[tokio::test]
async fn a_full_app_costs_the_count_and_nothing_more() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    world.fill("shop", MAX_CONNECTIONS).await;
    let grant = granted("shop", Scope::Both);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    assert_eq!(connect(&session, &[], attached).await, 429);
    assert_eq!(world.env.take_lines(), [READ_APP, COUNT]);
    hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, COUNT, ANSWER]);
}

#[tokio::test]
async fn a_right_credential_costs_three_reads_two_writes_and_the_answer() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    for count in [&[COUNT][..], &[]] {
        // A credential is proved against the app as it is, on a warm instance too.
        hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
        let calls = [&[READ_SESSION, READ_APP], count, &[UPDATE_SESSION, PUT_PUBLISHER, ANSWER]].concat();
        assert_eq!(world.env.take_lines(), calls, "who is in already is not counted again");
    }
}

#[tokio::test]
async fn a_wrong_credential_costs_as_much_and_is_answered_once() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    let wrong = auth_by_key("shop", "bank");
    let tried = [READ_SESSION, READ_APP, UPDATE_SESSION];
    for answers in [&[ANSWER][..], &[], &[], &[], &[CLOSE]] {
        hear(&session, "auth", &wrong, PROGRAM).await;
        assert_eq!(world.env.take_lines(), [&tried[..], answers].concat());
    }
}

#[tokio::test]
async fn a_subscription_costs_a_count_two_writes_and_a_query() {
    let world = World::start().await;
    let session = world.authorised().await;
    subscribe(&session, PROGRAM).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_SESSION, COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT],
        "the instance that proved the key knows the app"
    );
    subscribe(&world.instance(), PROGRAM).await;
    assert_eq!(
        world.env.take_lines(),
        [READ_SESSION, READ_APP, COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT]
    );
}

#[tokio::test]
async fn a_grant_of_the_handshake_saves_the_session_read() {
    let world = World::start().await;
    let grant = granted("shop", Scope::View);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    subscribe(&session, attached).await;
    assert_eq!(
        world.env.take_lines(),
        [COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT],
        "the app is known"
    );
    hear(&session, "unsubscribe", &unwatch("shop"), attached).await;
    assert_eq!(world.env.take_lines(), [DELETE_ROW, UPDATE_SESSION]);
}

#[tokio::test]
async fn a_limit_of_subscriptions_costs_a_count_and_a_read_where_it_is_reached() {
    let world = World::start().await;
    let mut club = app("club");
    club.limits.subscriptions = Some(1);
    world.env.register(&club).await;
    let grant = granted("club", Scope::View);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    hear(&session, "subscribe", &watch("club"), attached).await;
    assert_eq!(world.env.take_lines(), [COUNT, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT]);
    hear(&session, "subscribe", &watch("club"), attached).await;
    assert_eq!(world.env.take_lines(), [COUNT, READ_SESSION, UPDATE_SESSION, PUT_SUBSCRIPTION, READ_RECENT]);
}

#[tokio::test]
async fn a_replay_over_the_hour_costs_a_query_for_each_hour() {
    let world = World::start().await;
    let session = world.authorised().await;
    let since =
        json!({"type": "subscribe", "data": {"appId": "shop", "since": NOW_MS - 120_000}}).to_string();
    hear(&session, "subscribe", &since, PROGRAM).await;
    let lines = world.env.take_lines();
    assert_eq!(lines[lines.len() - 2..], [READ_RECENT; 2]);
    assert_eq!(lines.len(), 6);
}

#[tokio::test]
async fn a_stranger_costs_one_read() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    hear(&session, "subscribe", &watch("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION]);
    hear(&session, "unsubscribe", &unwatch("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION]);
}

#[tokio::test]
async fn the_tenth_refused_frame_of_a_stranger_costs_another_read_and_the_close() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
        hear(&session, "subscribe", &watch("shop"), PROGRAM).await;
        assert_eq!(world.env.take_lines(), [READ_SESSION]);
        hear(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await;
        hear(&session, "$default", r#"{"type":"logs"}"#, PROGRAM).await;
        assert_eq!(
            world.env.take_lines(),
            [""; 0],
            "what the library sends does not count, and an empty frame costs nothing"
        );
    }
    hear(&session, "$default", "no json", PROGRAM).await;
    assert_eq!(world.env.take_lines(), [ANSWER, READ_SESSION, CLOSE]);
}

#[tokio::test]
async fn garbage_of_one_who_has_proved_something_costs_a_read_now_and_then_and_never_the_end() {
    let world = World::start().await;
    let session = world.authorised().await;
    for _ in 0..3 {
        for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
            hear(&session, "$default", "no json", PROGRAM).await;
            assert_eq!(world.env.take_lines(), [ANSWER]);
        }
        hear(&session, "$default", "no json", PROGRAM).await;
        assert_eq!(world.env.take_lines(), [ANSWER, READ_SESSION]);
    }
    let grant = granted("shop", Scope::View);
    for _ in 0..3 * MAX_UNAUTHENTICATED_FRAMES {
        hear(&session, "$default", "no json", &[("grant", &grant)]).await;
        assert_eq!(world.env.take_lines(), [ANSWER]);
    }
}

#[tokio::test]
async fn unsubscribing_costs_a_read_and_two_writes() {
    let world = World::start().await;
    let session = world.authorised().await;
    hear(&session, "unsubscribe", &unwatch("shop"), PROGRAM).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, DELETE_ROW, UPDATE_SESSION]);
}

#[tokio::test]
async fn a_ping_costs_nothing() {
    let world = World::start().await;
    hear(&world.instance(), "ping", r#"{"type":"ping"}"#, PROGRAM).await;
    assert_eq!(world.env.take_lines(), [""; 0]);
}

#[tokio::test]
async fn garbage_costs_its_answer() {
    let world = World::start().await;
    for frame in ["", "no json", "[1]", "{}", r#"{"type":7}"#, r#"{"type":"constructor"}"#] {
        hear(&world.instance(), "$default", frame, PROGRAM).await;
        assert_eq!(world.env.take_lines(), [ANSWER], "{frame}");
    }
}

#[tokio::test]
async fn the_end_costs_a_delete_and_one_for_each_app_watched_or_published_for() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    let session = world.authorised().await;
    subscribe(&session, PROGRAM).await;
    let bank = granted("bank", Scope::View);
    hear(&session, "subscribe", &watch("bank"), &[("grant", &bank)]).await.unwrap();
    world.env.take_calls();
    for deletes in [4, 1] {
        let event = events::disconnect(SPEAKER, PROGRAM, NOW_MS);
        session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
        assert_eq!(world.env.take_lines(), vec![DELETE_ROW; deletes]);
    }
    assert!(world.env.rows("ConnectionsTable").await.is_empty());
}

/// A library that was welcome once reports on, as nobody, on its next connection.
#[tokio::test]
async fn a_program_whose_credentials_are_wrong_is_not_closed_for_its_frames() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    let wrong = r#"{"type":"auth","data":{"userId":"nehonix_nobody","appId":"shop"}}"#;
    hear(&session, "auth", wrong, PROGRAM).await;
    world.env.take_lines();
    for _ in 0..2 * MAX_UNAUTHENTICATED_FRAMES {
        hear(&session, "$default", "no json", PROGRAM).await;
    }
    assert!(!world.env.take_lines().iter().any(|line| line == CLOSE));
}
