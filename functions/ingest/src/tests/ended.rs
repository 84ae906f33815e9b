//! Reports that arrive before the end of their connection and are handled after its `$disconnect`.

use super::admission::library_report;
use super::*;

impl World {
    /// Ends [`PUBLISHER`], as `$disconnect` does.
    async fn end(&self) {
        self.env.sessions().end(&ConnectionId::new(PUBLISHER), now()).await.unwrap();
        self.env.take_calls();
    }
}

fn by_ids() -> Grant {
    Grant { proof: Proof::Legacy, ..publishing("shop") }
}

#[tokio::test]
async fn report_after_disconnect_is_stored_by_the_grant_of_its_connection() {
    let with_key = Grant { library: true, ..publishing("shop") };
    for (grant, frame) in [
        (publishing("shop"), metrics(&report(0))),
        (with_key, library_report("ann", "shop", 0)),
        (by_ids(), library_report("ann", "shop", 0)),
    ] {
        let world = World::start().await;
        world.open(PUBLISHER, Some(&grant)).await;
        world.end().await;
        let rows = world.env.connection_rows().await;
        for ingest in [world.instance(), world.instance()] {
            ingest.receive_at(&frame, NOW_MS - 1).await;
        }
        assert_eq!(world.stored().await, 1, "{grant:?}");
        assert_eq!(world.env.connection_rows().await, rows, "nothing is brought back");
        assert!(world.types(PUBLISHER).is_empty());
    }
}

#[tokio::test]
async fn ended_library_needs_neither_its_auth_nor_its_row() {
    for has_row in [true, false] {
        let world = World::start().await;
        if has_row {
            world.open(PUBLISHER, None).await;
            world.end().await;
        }
        world.instance().receive(&library_report("ann", "shop", 0)).await;
        world.instance().receive(&library_report("bob", "shop", 1)).await;
        assert_eq!(world.stored().await, 1);
        assert!(world.types(PUBLISHER).is_empty());
        assert_eq!(world.env.connection_rows().await.len(), usize::from(has_row));
        assert!(world.env.publishers().connected(&id("shop"), now()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_was_revoked_before_the_end_stays_rejected() {
    let revoked = App { legacy: false, ..shop_with_key("new") };
    for (grant, frame) in [
        (publishing("shop"), metrics(&report(0))),
        (Grant { library: true, ..publishing("shop") }, library_report("ann", "shop", 0)),
        (by_ids(), library_report("ann", "shop", 0)),
    ] {
        let world = World::start().await;
        world.open(PUBLISHER, Some(&grant)).await;
        world.replace_shop(&revoked).await;
        world.end().await;
        world.instance().receive(&frame).await;
        assert_eq!(world.stored().await, 0, "{grant:?}");
    }
}

#[tokio::test]
async fn ended_connection_without_a_grant_is_not_closed_again() {
    let world = World::start().await;
    world.open(PUBLISHER, None).await;
    world.end().await;
    let ingest = world.instance();
    for _ in 0..20 {
        ingest.receive(&metrics(&report(0))).await;
    }
    assert!(!world.env.take_lines().iter().any(|line| line.starts_with("DELETE")));
}
