//! The beginning and the end of a connection.

use super::*;

/// What the result of a handshake says of the subprotocol.
async fn echoed(world: &World, offered: &[(&str, &str)]) -> Option<String> {
    let event = events::connect(SPEAKER, offered, PROGRAM, NOW_MS);
    let response = world.instance().handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response.status_code, 200);
    let echoed = response.headers.get("sec-websocket-protocol")?;
    Some(echoed.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_one_subprotocol_is_echoed_where_it_is_offered_and_never_a_credential() {
    let world = World::start().await;
    let ours = Some("nsl.v1".to_owned());
    assert_eq!(echoed(&world, &[]).await, None);
    assert_eq!(echoed(&world, &[("Sec-WebSocket-Protocol", "nsl.v1, key.aw")]).await, ours);
    assert_eq!(echoed(&world, &[("sec-websocket-protocol", "key.aw,nsl.v1")]).await, ours);
    assert_eq!(echoed(&world, &[("Sec-WebSocket-Protocol", "graphql-ws, key.aw")]).await, None);
}

#[tokio::test]
async fn the_role_of_the_handshake_is_kept() {
    for (attached, role) in
        [(PROGRAM, "program"), (PAGE, "page"), (FOREIGN_PAGE, "foreignpage"), (&[], "foreignpage")]
    {
        let world = World::start().await;
        assert_eq!(connect(&world.instance(), &[], attached).await, 200);
        let rows = world.env.rows("ConnectionsTable").await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["role"]["S"], role);
    }
}

#[tokio::test]
async fn the_end_leaves_no_row_and_hides_no_other_connection() {
    let world = World::start().await;
    let session = world.authorised().await;
    subscribe(&session, PROGRAM).await;
    let other = events::connect("other=", &[], PROGRAM, NOW_MS);
    session.handle(serde_json::from_value(other).unwrap()).await.unwrap();
    let event = events::disconnect(SPEAKER, PROGRAM, NOW_MS);
    let response = session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response, nsl_aws::event::answer(200, None));
    let rows = world.env.rows("ConnectionsTable").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"]["S"], "conn#other=");
}

#[tokio::test]
async fn a_frame_after_the_end_brings_nothing_back() {
    let world = World::start().await;
    let session = world.authorised().await;
    let event = events::disconnect(SPEAKER, PROGRAM, NOW_MS);
    session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    world.env.take_calls();
    let grant = granted("shop", Scope::View);
    hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    assert!(world.env.frames(SPEAKER).is_empty());
    let body = hear(&session, "subscribe", &watch("shop"), &[("grant", &grant)]).await;
    assert_eq!(body.unwrap()["type"], "error");
    assert!(world.env.rows("ConnectionsTable").await.is_empty());
}
