//! Which subscribers get reports when their credentials end.

use nsl_aws::cache::CACHE_TTL_MS;
use nsl_domain::grant::GrantedApps;
use nsl_domain::ids::UserId;
use nsl_test_support::Failure;

use super::*;

const READ_APP: &str = "GetItem AppsTable consistent";
const DELETE_ROW: &str = "DeleteItem ConnectionsTable";
const COUNT_OFF: &str = "UpdateItem ConnectionsTable";

/// More than any call is tried.
const ATTEMPTS: usize = 10;

impl World {
    async fn subscribe_by(&self, connection: &str, grant: &Grant, dialect: Dialect) {
        let connection = ConnectionId::new(connection);
        let proof = grant.stored_proof();
        self.add("shop", &Subscriber { connection, min_interval_ms: 0, dialect, proof }).await;
    }

    /// Subscribes `guest=` by a token that ends at `until_ms`.
    async fn subscribe_guest(&self, until_ms: i64, dialect: Dialect) {
        let proof = Proof::Token { issued: now() };
        let until = Some(TimestampMs::clamped(until_ms));
        self.subscribe_by("guest=", &Grant { proof, until, ..grant("shop", Scope::VIEW) }, dialect).await;
    }
}

#[tokio::test]
async fn viewer_of_an_expired_token_gets_one_error() {
    let world = World::start().await;
    world.subscribe_guest(NOW_MS + 1, Dialect::Modern).await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    for offset_ms in 0..4 {
        ingest.receive_at(&metrics(&report(offset_ms)), NOW_MS + offset_ms).await;
    }
    assert_eq!(world.types("guest="), ["metrics", "error"]);
    assert_eq!(world.env.frames("guest=")[1]["payload"]["code"], "unauthorized");
    assert_eq!(world.types(VIEWER).len(), 4, "another viewer gets every report");
}

#[tokio::test]
async fn expiry_costs_a_read_two_writes_and_a_post_once() {
    let world = World::start().await;
    world.subscribe_guest(NOW_MS, Dialect::Modern).await;
    let ingest = world.warm_instance().await;
    for expiry in [&[READ_APP, DELETE_ROW, COUNT_OFF, "POST guest="][..], &[]] {
        ingest.receive(&metrics(&report(1))).await;
        let lines = world.env.take_lines();
        assert_eq!(lines[..2], ["PutItem ReportsTable", "Query ConnectionsTable consistent"]);
        assert_eq!(lines[2..], *expiry);
    }
}

#[tokio::test]
async fn expired_legacy_page_gets_nothing_and_stays_subscribed() {
    let world = World::start().await;
    world.subscribe_guest(NOW_MS, Dialect::Legacy).await;
    let ingest = world.warm_instance().await;
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!(world.env.take_lines().last().unwrap(), READ_APP);
}

#[tokio::test]
async fn viewer_by_a_revoked_key_expires_within_a_minute() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.replace_shop(&shop_with_key("another")).await;
    let publisher = grant_by_key("another", Scope::PUBLISH);
    ingest.receive_by(&publisher, &metrics(&report(1)), NOW_MS + CACHE_TTL_MS).await;
    assert_eq!(world.types(VIEWER), ["error"]);
}

#[tokio::test]
async fn viewer_of_an_earlier_app_gets_no_report() {
    let world = World::start().await;
    let legacy = Grant { proof: Proof::Legacy, ..grant("shop", Scope::VIEW) };
    let token = Grant { proof: Proof::Token { issued: now() }, ..legacy.clone() };
    let reach = GrantedApps::Owner(UserId::new(legacy.user.as_str()).unwrap());
    world.subscribe_by("legacy=", &legacy, Dialect::Legacy).await;
    world.subscribe_by("token=", &token, Dialect::Modern).await;
    world.subscribe_by("owner=", &Grant { reach, ..token }, Dialect::Modern).await;
    world.subscribers(1).await;
    let stored = world.env.apps().find(&id("shop")).await.unwrap().unwrap();
    let id_free_since = now().plus_ms(1);
    assert_eq!(world.env.apps().delete(&stored, id_free_since).await.unwrap(), Saved::Done);
    let (owner, created_at) = (UserId::new("bob").unwrap(), Some(id_free_since));
    let keys = vec![KeyRecord::of("new", Scope::BOTH)];
    let reborn = App { owner, keys, legacy: true, created_at, id_free_since: created_at, ..stored };
    world.env.register(&reborn).await;
    world.env.take_calls();
    world.instance().receive_by(&grant_by_key("new", Scope::PUBLISH), &metrics(&report(1)), NOW_MS).await;
    assert_eq!(world.stored().await, 1);
    for (viewer, types) in
        [("legacy=", vec![]), ("token=", vec!["error"]), ("owner=", vec!["error"]), (VIEWER, vec!["error"])]
    {
        assert_eq!(world.types(viewer), types, "{viewer}");
    }
}

#[tokio::test]
async fn new_key_is_accepted_despite_a_stale_cached_app() {
    let (world, ingest) = warm().await;
    world.replace_shop(&shop_with_key("another")).await;
    world.subscribe_by("new=", &grant_by_key("another", Scope::VIEW), Dialect::Modern).await;
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!(world.types("new="), ["metrics"]);
}

#[tokio::test]
async fn unverified_viewer_is_neither_sent_reports_nor_expired() {
    let world = World::start().await;
    world.subscribe_guest(NOW_MS, Dialect::Modern).await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("GetItem", Failure::InternalError, ATTEMPTS);
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!((world.types("guest=").len(), world.types(VIEWER).len()), (0, 1));
    assert!(!world.env.take_lines().contains(&DELETE_ROW.to_owned()));
}
