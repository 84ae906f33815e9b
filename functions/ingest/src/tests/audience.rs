//! Who is still shown reports when the credentials of a subscription end.

use nsl_aws::cache::CACHE_TTL_MS;
use nsl_test_support::Failure;

use super::*;

const READ_APP: &str = "GetItem AppsTable consistent";
const DROP_ROW: &str = "DeleteItem ConnectionsTable";

/// More than any call is tried.
const ATTEMPTS: usize = 10;

impl World {
    /// Makes `connection` watch `shop` by a token that ends at `until_ms`.
    async fn watch_by_token(&self, connection: &str, until_ms: i64, dialect: Dialect) {
        let proof = Proof::Token { issued: now() };
        let until = Some(TimestampMs::clamped(until_ms));
        self.watch_by(connection, &Grant { proof, until, ..grant("shop", Scope::View) }, dialect).await;
    }

    async fn watch_by(&self, connection: &str, grant: &Grant, dialect: Dialect) {
        let connection = ConnectionId::new(connection);
        let proof = grant.subscription_proof();
        self.seat("shop", &Subscriber { connection, min_interval_ms: 0, dialect, proof }).await;
        self.env.take_calls();
    }

    /// Replaces the one key of `shop` by that of the text `another`.
    async fn change_key(&self) {
        let key = json!({"Key": {"appId": {"S": "shop"}}});
        self.env.dynamodb.direct("DeleteItem", "AppsTable", key).await;
        let mut shop = app("shop", Status::Active);
        shop.keys = vec![KeyRecord::of("another", Scope::Both)];
        self.env.register(&shop).await;
        self.env.take_calls();
    }

    /// What kinds of frames `connection` was sent, since calls were last taken.
    fn kinds(&self, connection: &str) -> Vec<Value> {
        self.env.frames(connection).into_iter().map(|frame| frame["type"].clone()).collect()
    }
}

/// A grant that no key of the application's gives any more, or not yet.
fn by_another_key() -> Grant {
    Grant { proof: Proof::Key(KeyRecord::of("another", Scope::View).id), ..grant("shop", Scope::View) }
}

#[tokio::test]
async fn a_viewer_whose_token_has_ended_is_told_once_and_shown_nothing_more() {
    let world = World::start().await;
    world.watch_by_token("guest=", NOW_MS + 1, Dialect::Modern).await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    for offset_ms in 0..4 {
        hear(&ingest, &metrics(&report(offset_ms)), STRANGER, NOW_MS + offset_ms).await;
    }
    let told = world.env.frames("guest=");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0]["type"], &told[1]["type"]), (&json!("metrics"), &json!("error")));
    assert_eq!(told[1]["payload"]["code"], "unauthorized");
    assert_eq!(world.kinds("viewer-0=").len(), 4, "another viewer is shown every report");
}

#[tokio::test]
async fn parting_costs_a_read_a_write_and_a_post_once() {
    let world = World::start().await;
    world.watch_by_token("guest=", NOW_MS, Dialect::Modern).await;
    let ingest = world.warm_instance().await;
    for parting in [&[READ_APP, DROP_ROW, "POST guest="][..], &[]] {
        hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
        let lines = world.env.take_lines();
        assert_eq!(lines[..2], ["PutItem ReportsTable", "Query ConnectionsTable consistent"]);
        assert_eq!(lines[2..], *parting);
    }
}

#[tokio::test]
async fn a_page_of_the_librarys_is_shown_nothing_hears_nothing_and_keeps_its_place() {
    let world = World::start().await;
    world.watch_by_token("page=", NOW_MS, Dialect::Legacy).await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.take_lines().last().unwrap(), READ_APP);
}

#[tokio::test]
async fn a_viewer_by_a_dropped_key_is_parted_from_within_a_minute() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.change_key().await;
    let publisher = by_another_key();
    let publishing = Grant { scope: Scope::Publish, ..publisher }.to_text();
    let attached: events::Attached<'_> = &[("grant", &publishing)];
    hear(&ingest, &metrics(&report(1)), attached, NOW_MS + CACHE_TTL_MS).await;
    assert_eq!(world.kinds("viewer-0="), ["error"]);
}

#[tokio::test]
async fn a_viewer_by_a_key_just_added_is_shown_reports_by_whoever_knows_the_old_one() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    world.change_key().await;
    world.watch_by("new=", &by_another_key(), Dialect::Modern).await;
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.kinds("new="), ["metrics"]);
}

#[tokio::test]
async fn while_the_app_cannot_be_read_a_doubted_viewer_is_neither_shown_reports_nor_dropped() {
    let world = World::start().await;
    world.watch_by_token("guest=", NOW_MS, Dialect::Modern).await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("GetItem", Failure::InternalError, ATTEMPTS);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!((world.kinds("guest=").len(), world.kinds("viewer-0=").len()), (0, 1));
    assert!(!world.env.take_lines().contains(&DROP_ROW.to_owned()));
}
