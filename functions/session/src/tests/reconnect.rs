//! All clients of an app connect again within seconds.

use futures_util::{StreamExt, stream};
use nsl_domain::app::DEFAULT_MAX_CONNECTIONS;
use nsl_domain::time::MINUTE_MS;

use super::*;

/// As many as an app may have without a limit of its own.
const CLIENTS: usize = DEFAULT_MAX_CONNECTIONS as usize;

/// Handshakes at a time, and function instances that take them.
const CONCURRENT: usize = 64;
const INSTANCES: usize = 8;

/// Read units that counting the rows of so many connections takes, with ids as short as here: what each handshake of a
/// full app cost before there was a count.
const UNITS_OF_ROWS: f64 = 47.0;

/// How many of the events that `event` makes, one for each client, are answered with 200. The first is answered before the
/// others are sent.
async fn accepted(instances: &[Session], event: impl Fn(&str) -> Value) -> usize {
    let answer = |client: usize| {
        let event = event(&format!("UIcZQdQsoAMC{client:04}="));
        handle(&instances[client % INSTANCES], event)
    };
    let first = answer(0).await;
    stream::iter(1..CLIENTS)
        .map(answer)
        .buffer_unordered(CONCURRENT)
        .chain(stream::iter([first]))
        .filter(|answer| std::future::ready(answer.status_code == 200))
        .count()
        .await
}

#[tokio::test]
async fn reconnecting_clients_read_a_unit_each() {
    let world = World::start().await;
    // All were connected, and the end of none was counted.
    let before_ms = NOW_MS - 20 * MINUTE_MS;
    let count = json!({"pk": {"S": "count#shop"}, "sk": {"S": "connections"}, "publishers": {"N": CLIENTS.to_string()},
        "countedAt": {"N": before_ms.to_string()}, "claimedAt": {"N": before_ms.to_string()}});
    world.env.put("ConnectionsTable", count).await;
    let instances: Vec<_> = (0..INSTANCES).map(|_| world.instance()).collect();
    let grant = granted("shop", Scope::PUBLISH);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let accepted = accepted(&instances, |client| events::connect(client, &[], attached, NOW_MS)).await;
    assert_eq!(accepted, CLIENTS, "none is refused");
    let units = world.env.take_read_units("ConnectionsTable");
    let recount = 2.0;
    assert!(units <= CLIENTS as f64 + recount, "{units}");
    assert_eq!(connect(&instances[0], &[], attached).await, 429, "it is full");

    let rows = json!({"KeyConditionExpression": "pk = :pk", "Select": "COUNT", "ConsistentRead": true,
        "ExpressionAttributeValues": {":pk": {"S": "app#shop"}}, "ReturnConsumedCapacity": "TOTAL"});
    let counted = world.env.dynamodb.direct("Query", "ConnectionsTable", rows).await;
    let units_of_rows = counted["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap();
    println!("{CLIENTS} handshakes: {units} read units; counting the rows: {units_of_rows} at each");
    assert_eq!(counted["Count"], CLIENTS);
    assert!(units_of_rows >= UNITS_OF_ROWS, "{units_of_rows}");
}
