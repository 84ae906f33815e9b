//! The connections API: a frame arrives, its receiver is gone, or the call fails.

use nsl_aws::boot::warm_up_with_posts;
use nsl_aws::connections_api::PostOutcome;
use nsl_aws::fault::Kind;
use nsl_aws::table_probe::TableProbe;
use nsl_test_support::Behaviour;
use serde_json::json;

use super::*;

const ID: &str = "UIcZQdQsoAMCLTw=";
/// Attempts of one call, the first included: `boot` says so.
const ATTEMPTS: usize = 3;

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
async fn a_connection_that_is_gone_is_an_answer_and_no_second_try() {
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
async fn rejected_call_is_a_fault_of_its_kind() {
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
async fn an_api_out_of_reach_is_unavailable_and_passes() {
    let env = TestEnvironment::start().await;
    let connections_api = env.clients.connections_api();
    env.connections.go_offline();
    assert_eq!(connections_api.post(&connection(ID), "{}").await.unwrap_err().kind, Kind::Unavailable);
    env.connections.go_online();
    assert_eq!(connections_api.post(&connection(ID), "{}").await.unwrap(), PostOutcome::Delivered);
}

#[tokio::test]
async fn warming_up_opens_the_way_to_tables_and_connections_whatever_they_answer() {
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
