//! Handshakes, events and answers of the WebSocket API.

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayWebsocketProxyRequest,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::Gateway;

/// Checks that the crate which functions use reads the event.
fn read<T: DeserializeOwned>(event: &Value) -> T {
    serde_json::from_value(event.clone()).unwrap_or_else(|fault| panic!("{fault}: {event:#}"))
}

fn kind(event: &Value) -> Option<&str> {
    event["requestContext"]["eventType"].as_str().filter(|_| event["type"] != "REQUEST")
}

#[tokio::test]
async fn events_have_the_fields_of_api_gateway() {
    let gateway = Gateway::start(&[]);
    let (mut client, _) = gateway.connect_with("/live?a=1&a=2", &[("x-api-key", "k")]).await.unwrap();
    let message = client.ask(r#"{"type":"ask","n":1}"#).await;
    client.socket.close(None).await.unwrap();

    let asked = gateway.recorded(|event| event["type"] == "REQUEST").await;
    read::<ApiGatewayCustomAuthorizerRequestTypeRequest>(&asked);
    assert_eq!(asked["methodArn"], "arn:aws:execute-api:us-east-1:000000000000:Ws/test/$connect");
    assert_eq!(asked["headers"]["x-api-key"], "k");

    let connect = gateway.recorded(|event| kind(event) == Some("CONNECT")).await;
    read::<ApiGatewayWebsocketProxyRequest>(&connect);
    assert_eq!(connect["multiValueQueryStringParameters"], json!({ "a": ["1", "2"] }));
    assert_eq!(connect["headers"]["Sec-WebSocket-Version"], "13");
    assert!(connect.get("body").is_none());

    let parsed = read::<ApiGatewayWebsocketProxyRequest>(&message);
    assert_eq!(parsed.body.as_deref(), Some(r#"{"type":"ask","n":1}"#));
    assert_eq!(message["requestContext"]["routeKey"], "ask");
    assert!(message.get("headers").is_none());
    let mut fields: Vec<&String> = message["requestContext"].as_object().unwrap().keys().collect();
    fields.sort();
    let expected = [
        "apiId",
        "authorizer",
        "connectedAt",
        "connectionId",
        "domainName",
        "eventType",
        "extendedRequestId",
        "identity",
        "messageDirection",
        "messageId",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
        "routeKey",
        "stage",
    ];
    assert_eq!(fields, expected);

    let end = gateway.recorded(|event| kind(event) == Some("DISCONNECT")).await;
    read::<ApiGatewayWebsocketProxyRequest>(&end);
    assert_eq!(end["requestContext"]["disconnectStatusCode"], 1005);
    assert_eq!(end["requestContext"]["disconnectReason"], "Client-side close frame status not set");
    for event in [&connect, &message, &end] {
        let context = &event["requestContext"];
        assert_eq!(
            context["authorizer"],
            json!({ "principalId": "tester", "role": "view", "level": "5" }),
            "the authorizer's context is carried to every event"
        );
        assert_eq!(context["connectionId"], message["requestContext"]["connectionId"]);
    }
}
