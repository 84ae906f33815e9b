//! The beginning and the end of a connection.

use super::*;

/// The subprotocol in the response to a handshake.
async fn echoed(world: &World, offered: &[(&str, &str)]) -> Option<String> {
    let event = events::connect(CONNECTION, offered, PROGRAM, NOW_MS);
    let response = handle(&world.instance(), event).await;
    assert_eq!(response.status_code, 200);
    let echoed = response.headers.get("sec-websocket-protocol")?;
    Some(echoed.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn only_the_subprotocol_is_echoed() {
    let world = World::start().await;
    let ours = Some("nsl.v1".to_owned());
    assert_eq!(echoed(&world, &[]).await, None);
    assert_eq!(echoed(&world, &[("Sec-WebSocket-Protocol", "nsl.v1, key.aw")]).await, ours);
    assert_eq!(echoed(&world, &[("sec-websocket-protocol", "key.aw,nsl.v1")]).await, ours);
    assert_eq!(echoed(&world, &[("Sec-WebSocket-Protocol", "graphql-ws, key.aw")]).await, None);
}

#[tokio::test]
async fn handshake_role_is_stored() {
    for (attached, role) in
        [(PROGRAM, "program"), (PAGE, "page"), (FOREIGN_PAGE, "foreignpage"), (&[], "foreignpage")]
    {
        let world = World::start().await;
        assert_eq!(connect(&world.instance(), &[], attached).await, 200);
        let rows = world.env.connection_rows().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["role"]["S"], role);
    }
}

#[tokio::test]
async fn disconnect_deletes_the_rows_of_its_connection_alone() {
    let (world, session) = authorised().await;
    subscribe(&session, PROGRAM).await;
    let other = events::connect("other=", &[], PROGRAM, NOW_MS);
    handle(&session, other).await;
    let response = disconnect(&session).await;
    assert_eq!(response, nsl_aws::event::answer(200, None));
    let rows = world.open_rows().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"]["S"], "conn#other=");
}

#[tokio::test]
async fn frame_after_disconnect_creates_no_row() {
    let (world, session) = authorised().await;
    disconnect(&session).await;
    world.env.take_calls();
    let grant = granted("shop", Scope::VIEW);
    send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    assert!(world.env.frames(CONNECTION).is_empty());
    let body = send(&session, "subscribe", &subscribe_to("shop"), &[("grant", &grant)]).await;
    assert_eq!(body.unwrap()["type"], "error");
    assert!(world.open_rows().await.is_empty());
}
