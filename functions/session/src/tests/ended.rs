//! Frames that are handled after the `$disconnect` of their connection.

use super::legacy::*;
use super::*;

#[tokio::test]
async fn log_entries_after_disconnect_are_stored_by_the_grant_of_the_connection() {
    for (by_auth, frame, is_stored) in [
        (true, logs(1), true),
        (false, logs(1), true),
        (false, logs(1).replace("ann", "bob"), false),
        (true, logs(1).replace("shop", "bank"), false),
    ] {
        let (world, session) = if by_auth { authenticated(PROGRAM).await } else { connected(PROGRAM).await };
        disconnect(&session).await;
        world.env.take_calls();
        for instance in [&session, &world.instance()] {
            send(instance, "$default", &frame, PROGRAM).await;
        }
        let calls = world.env.take_calls();
        let lines: Vec<String> = calls.iter().map(ToString::to_string).collect();
        assert!(
            !lines.iter().any(|line| line.starts_with("POST") || line.starts_with("UpdateItem")),
            "{lines:?}"
        );
        assert_eq!(world.env.rows("LogsTable").await.len(), usize::from(is_stored), "{frame}");
        assert!(world.open_rows().await.is_empty());
    }
}

#[tokio::test]
async fn revoked_grant_of_an_ended_connection_stays_rejected() {
    let (world, session) = authenticated(PROGRAM).await;
    disconnect(&session).await;
    world.change_shop(|shop| shop.legacy = false).await;
    send(&world.instance(), "$default", &logs(1), PROGRAM).await;
    assert!(world.env.rows("LogsTable").await.is_empty());
}

#[tokio::test]
async fn ended_connection_is_neither_answered_nor_counted() {
    let (world, session) = authenticated(PROGRAM).await;
    disconnect(&session).await;
    for frame in [auth_by_user("shop", "ann"), auth_by_user("shop", "bob"), about_shop("history")] {
        let route = if frame.contains(r#""auth""#) { "auth" } else { "$default" };
        send(&world.instance(), route, &frame, PROGRAM).await;
    }
    assert!(world.sent().is_empty());
    let shop = id("shop");
    assert!(world.env.publishers().connected(&shop, fixtures::now()).await.unwrap().is_empty());
    assert!(world.env.publishers().has_connection_room(&shop, 1, fixtures::now()).await.unwrap());
}
