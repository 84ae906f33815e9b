//! The connections API: a frame arrives, its receiver is gone, or the call fails.

use nsl_aws::boot::warm_up_with_posts;
use nsl_aws::connections_api::PostOutcome;
use nsl_aws::counters::Counter;
use nsl_aws::fault::Kind;
use nsl_aws::subscriptions::Subscriber;
use nsl_aws::table_probe::TableProbe;
use nsl_domain::dialect::Dialect;
use nsl_domain::ids::Scope;
use nsl_test_support::Behaviour;
use nsl_test_support::fixtures::{grant, id};
use serde_json::json;

use super::*;

const ID: &str = "UIcZQdQsoAMCLTw=";
const ATTEMPTS: usize = nsl_aws::retries::MAX_ATTEMPTS as usize;

#[tokio::test]
async fn frame_is_posted_unchanged_and_closing_is_one_call() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    let outcome = connections_api.post(&connection(ID), r#"{"type":"pong"}"#).await.unwrap();
    assert_eq!(outcome, PostOutcome::Delivered);
    let calls = env.take_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].to_string(), format!("POST {ID}"));
    assert_eq!(calls[0].body, json!({"type": "pong"}));
    connections_api.close(&connection(ID)).await.unwrap();
    assert_eq!(env.take_lines(), [format!("DELETE {ID}")]);
}

#[tokio::test]
async fn look_at_a_connection_is_one_call() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    for (behaviour, at) in [
        (Behaviour::LastActive(now().ms()), Some(now())),
        (Behaviour::Gone, None),
        (Behaviour::GoneWithoutCode, None),
    ] {
        env.connections.set_behaviour(ID, behaviour);
        assert_eq!(connections_api.last_active(&connection(ID)).await.unwrap(), at);
        assert_eq!(env.take_lines(), [format!("GET {ID}")]);
    }
    env.connections.set_behaviour(ID, Behaviour::Forbidden);
    let fault = connections_api.last_active(&connection(ID)).await.unwrap_err();
    assert_eq!((fault.kind, fault.attempt), (Kind::Misconfigured, "look at connection"));
}

#[tokio::test]
async fn gone_connection_is_not_retried() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    for behaviour in [Behaviour::Gone, Behaviour::GoneWithoutCode] {
        env.connections.set_behaviour(ID, behaviour);
        let outcome = connections_api.post(&connection(ID), "{}").await.unwrap();
        assert_eq!(outcome, PostOutcome::Gone, "{behaviour:?}");
        connections_api.close(&connection(ID)).await.unwrap();
        assert_eq!(env.take_lines(), [format!("POST {ID}"), format!("DELETE {ID}")], "{behaviour:?}");
    }
}

#[tokio::test]
async fn error_is_classified_by_status() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    for (behaviour, kind, attempts) in [
        (Behaviour::Throttled, Kind::Throttled, ATTEMPTS),
        (Behaviour::InternalError, Kind::Unavailable, ATTEMPTS),
        (Behaviour::Forbidden, Kind::Misconfigured, 1),
    ] {
        env.connections.set_behaviour(ID, behaviour);
        let post = connections_api.post(&connection(ID), "{}").await.unwrap_err();
        assert_eq!((post.kind, post.attempt), (kind, "post to connection"), "{behaviour:?}");
        assert_eq!(env.take_calls().len(), attempts, "{behaviour:?}");
        let close = connections_api.close(&connection(ID)).await.unwrap_err();
        assert_eq!((close.kind, close.attempt), (kind, "close connection"), "{behaviour:?}");
        assert_eq!(env.take_calls().len(), attempts, "{behaviour:?}");
    }
}

#[tokio::test]
async fn unreachable_api_is_unavailable_then_recovers() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    env.connections.go_offline();
    assert_eq!(connections_api.post(&connection(ID), "{}").await.unwrap_err().kind, Kind::Unavailable);
    env.connections.go_online();
    assert_eq!(connections_api.post(&connection(ID), "{}").await.unwrap(), PostOutcome::Delivered);
}

#[tokio::test]
async fn warm_up_succeeds_on_any_http_response() {
    let env = TestEnvironment::start().await;
    let apps = env.table("AppsTable");
    let tables = [(apps.as_str(), TableProbe::GetApp)];
    for behaviour in [Behaviour::GoneWithoutCode, Behaviour::Forbidden] {
        env.connections.set_behaviour("absent=", behaviour);
        warm_up_with_posts(&env.clients, &tables, &env.clients.connections_api()).await;
        let mut lines = env.take_lines();
        lines.sort();
        assert_eq!(lines, ["GetItem AppsTable eventual", "POST absent="], "{behaviour:?}");
    }
    env.connections.go_offline();
    warm_up_with_posts(&env.clients, &tables, &env.clients.connections_api()).await;
}

#[tokio::test]
async fn panic_in_a_post_costs_no_other_connection() {
    let env = TestEnvironment::start().await;
    let fan_out = env.clients.fan_out(&env.table("ConnectionsTable"));
    let subscribers = ["a=", "b=", "c="].map(|name| Subscriber {
        connection: connection(name),
        min_interval_ms: 0,
        dialect: Dialect::Modern,
        proof: grant("shop", Scope::VIEW).stored_proof(),
    });
    let frames = ["{}".to_owned()];
    let counters = env.clients.counters("test");
    let frames_of = |subscriber: &Subscriber| {
        assert_ne!(subscriber.connection.as_str(), "b=", "injected");
        &frames
    };
    fan_out.to_subscribers(&id("shop"), &subscribers, frames_of, &counters).await;
    let mut lines = env.take_lines();
    lines.sort();
    assert_eq!(lines, ["POST a=", "POST c="]);
    assert_eq!(counters.total(Counter::UndeliveredPosts), 1);
}
