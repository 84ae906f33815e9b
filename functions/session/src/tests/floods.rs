//! Floods: what many frames of one connection cost, whatever they are, and which connections are closed for them.

use nsl_domain::conversation::connection_cache::{MAX_AUTH_FRAMES, MAX_FRAMES, MAX_MODERN_FRAMES};
use nsl_test_support::Call;

use super::legacy::{about_shop, authenticated, logs};
use super::*;

/// As many as in the attack.
const FLOOD: i64 = 150;

/// Sends `frame` so many times, ten milliseconds apart, and returns the calls.
async fn flood(world: &World, session: &Session, frame: &str, attached: events::Attached<'_>) -> Vec<Call> {
    let parsed: Value = serde_json::from_str(frame).unwrap_or_default();
    let route = if parsed["type"] == "auth" { "auth" } else { "$default" };
    for n in 0..FLOOD {
        send_at(session, route, frame, attached, NOW_MS + n * 10).await;
    }
    world.env.take_calls()
}

fn count(calls: &[Call], operation: &str) -> usize {
    calls.iter().filter(|call| call.operation == operation).count()
}

/// Frames of the library and its dashboard.
fn library_frames() -> Vec<String> {
    let kinds =
        ["clear", "filter", "check_status", "history", "get_last_actions", "command", "request_metrics"];
    let wrong = auth_by_user("shop", "bob");
    kinds.map(about_shop).into_iter().chain([logs(1).replace("ann", "bob"), wrong]).collect()
}

#[tokio::test]
async fn unauthenticated_page_is_closed_for_any_flood() {
    for frame in library_frames() {
        for attached in [PAGE, FOREIGN_PAGE] {
            let (world, session) = connected(attached).await;
            let calls = flood(&world, &session, &frame, attached).await;
            assert!(count(&calls, "DELETE") > 0, "{frame}");
            let (reads, writes) = (count(&calls, "GetItem"), count(&calls, "UpdateItem"));
            assert!(reads <= 3 && writes <= 1, "{frame}: {reads} reads, {writes} writes");
        }
    }
}

#[tokio::test]
async fn unauthenticated_program_stays_and_costs_little() {
    for frame in library_frames() {
        let (world, session) = connected(PROGRAM).await;
        let calls = flood(&world, &session, &frame, PROGRAM).await;
        let is_answered = frame.contains("check_status") || frame.contains(r#""auth""#);
        assert_eq!(count(&calls, "DELETE") + count(&calls, "POST"), usize::from(is_answered), "{frame}");
        let (reads, writes) = (count(&calls, "GetItem"), count(&calls, "UpdateItem"));
        assert!(reads <= 3 && writes <= 2, "{frame}: {reads} reads, {writes} writes");
    }
}

#[tokio::test]
async fn library_authenticates_after_a_flood_of_its_own() {
    for frame in library_frames().into_iter().filter(|frame| !frame.contains("auth")) {
        let (world, session) = connected(PROGRAM).await;
        flood(&world, &session, &frame, PROGRAM).await;
        send_at(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM, NOW_MS + FLOOD * 10).await;
        assert_eq!(world.env.frames(CONNECTION)[0]["type"], "auth_success", "{frame}");
        send_at(&session, "$default", &logs(1), PROGRAM, NOW_MS + FLOOD * 10).await;
        assert_eq!(world.env.rows("LogsTable").await.len(), 1, "{frame}");
    }
}

#[tokio::test]
async fn entries_are_stored_within_a_second_after_auth_elsewhere() {
    let (world, session) = connected(PROGRAM).await;
    world.env.register(&app("bank")).await;
    let logs = logs(1).replace("shop", "bank");
    send(&session, "$default", &logs, PROGRAM).await;
    send(&world.instance(), "auth", &auth_by_key("bank", "bank"), PROGRAM).await;
    for (after_ms, stored) in [(999, 0), (1_000, 1)] {
        send_at(&session, "$default", &logs, PROGRAM, NOW_MS + after_ms).await;
        assert_eq!(world.env.rows("LogsTable").await.len(), stored, "{after_ms}");
    }
}

#[tokio::test]
async fn logs_of_a_publisher_never_close_it() {
    let grant = granted("shop", Scope::BOTH);
    let page: events::Attached<'_> = &[("role", "page"), ("grant", &grant)];
    let (world, session) = connected(page).await;
    let calls = flood(&world, &session, &logs(1), page).await;
    assert_eq!((count(&calls, "DELETE"), count(&calls, "GetItem")), (0, 0), "the app is cached");
    assert!(world.env.rows("LogsTable").await.len() > 50);
}

#[tokio::test]
async fn logs_of_a_viewer_close_it() {
    let (world, session) = authenticated(PAGE).await;
    let calls = flood(&world, &session, &logs(1), PAGE).await;
    assert!(count(&calls, "DELETE") > 0);
    assert!(count(&calls, "GetItem") <= MAX_FRAMES);
}

#[tokio::test]
async fn flood_of_garbage_closes_an_authenticated_connection() {
    let grant = granted("shop", Scope::VIEW);
    let large = format!("{{\"type\":\"{}\"", "x".repeat(120 * 1_024));
    for frame in ["no json", r#"{"type":"constructor"}"#, &large] {
        let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
        let (world, session) = connected(attached).await;
        let calls = flood(&world, &session, frame, attached).await;
        let first_close = calls.iter().position(|call| call.operation == "DELETE").unwrap();
        assert_eq!(count(&calls[..first_close], "POST"), MAX_MODERN_FRAMES + 1);
    }
}

#[tokio::test]
async fn repeated_credentials_are_limited() {
    let (world, session) = connected(PROGRAM).await;
    let calls = flood(&world, &session, &auth_by_key("shop", "shop"), PROGRAM).await;
    assert!(count(&calls, "DELETE") > 0);
    let counted = 1;
    assert_eq!(count(&calls, "UpdateItem"), MAX_AUTH_FRAMES + counted);
    // A relay that adds its key authenticates at the handshake: what it repeats is confirmed, then ignored.
    let grant = granted("shop", Scope::BOTH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let (world, session) = connected(attached).await;
    let calls = flood(&world, &session, &auth_by_key("shop", "shop"), attached).await;
    assert_eq!((count(&calls, "DELETE"), count(&calls, "POST")), (0, MAX_MODERN_FRAMES));
}
