//! Changes of an application: written onto what was read or not at all, each key together with its pointer.

use nsl_aws::apps::{Created, Limited, Saved};
use nsl_domain::app::{MAX_KEYS_OF_SCOPE, OwnLimits};
use nsl_domain::ids::KeyHash;
use nsl_domain::rollup::AppRetention;

use super::*;

fn key(text: &str) -> KeyRecord {
    KeyRecord::of(text, Scope::BOTH)
}

async fn opens(env: &TestEnvironment, text: &str) -> Option<AppId> {
    env.apps().find_by_key(KeyHash::of(text)).await.unwrap().map(|app| app.id)
}

#[tokio::test]
async fn saved_changes_are_read_back() {
    let (env, shop) = with_shop().await;
    let changed = App {
        name: "Renamed".into(),
        status: Status::Inactive,
        legacy: true,
        shards: 4,
        tokens_not_before: Some(now()),
        limits: OwnLimits { reports: Some(5), ..OwnLimits::default() },
        retention: AppRetention { day: Some(10_000), ..AppRetention::default() },
        ..shop.clone()
    };
    assert_eq!(env.apps().save(&shop, &changed).await.unwrap(), Saved::Done);
    assert_eq!(env.take_lines(), ["TransactWriteItems AppsTable"]);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(changed.clone()));
    // Again, onto tokens that have an age.
    let later = App { tokens_not_before: Some(now().plus_ms(1)), ..changed.clone() };
    assert_eq!(env.apps().save(&changed, &later).await.unwrap(), Saved::Done);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(later));
}

#[tokio::test]
async fn concurrent_change_is_a_conflict() {
    let (env, shop) = with_shop().await;
    let renamed = App { name: "Renamed".into(), ..shop.clone() };
    let stopped = App { status: Status::Inactive, ..shop.clone() };
    assert_eq!(env.apps().save(&shop, &renamed).await.unwrap(), Saved::Done);
    assert_eq!(env.apps().save(&shop, &stopped).await.unwrap(), Saved::Conflict);
    assert_eq!(env.apps().delete(&shop, now()).await.unwrap(), Saved::Conflict);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(renamed));
    for overtaken in [App { keys: vec![key("x")], ..shop.clone() }, App { keys: vec![], ..shop.clone() }] {
        assert_eq!(env.apps().save(&shop, &overtaken).await.unwrap(), Saved::Conflict);
    }
    assert_eq!(opens(&env, "x").await, None, "the pointer of a key that was not added");
    assert_eq!(opens(&env, "shop").await, Some(shop.id), "the pointer of a key that was not dropped");
}

#[tokio::test]
async fn each_attribute_is_part_of_the_condition() {
    let (env, shop) = with_shop().await;
    for outdated in [
        App { name: "Other".into(), ..shop.clone() },
        App { status: Status::Inactive, ..shop.clone() },
        App { legacy: true, ..shop.clone() },
        App { shards: 9, ..shop.clone() },
        App { keys: vec![key("other")], ..shop.clone() },
        App { tokens_not_before: Some(now()), ..shop.clone() },
        App { limits: OwnLimits { bytes: Some(5_000), ..OwnLimits::default() }, ..shop.clone() },
        App { retention: AppRetention { raw: Some(50), ..AppRetention::default() }, ..shop.clone() },
    ] {
        let saved = env.apps().save(&outdated, &App { shards: 2, ..outdated.clone() }).await.unwrap();
        assert_eq!(saved, Saved::Conflict, "{outdated:?}");
    }
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(shop));
}

#[tokio::test]
async fn key_is_saved_and_deleted_with_its_pointer() {
    let (env, shop) = with_shop().await;
    let mut rotated = shop.clone();
    rotated.add_key(key("new")).unwrap();
    assert_eq!(env.apps().save(&shop, &rotated).await.unwrap(), Saved::Done);
    assert_eq!([opens(&env, "shop").await, opens(&env, "new").await], [Some(id("shop")), Some(id("shop"))]);
    let mut dropped = rotated.clone();
    dropped.drop_key(&shop.keys[0].id).unwrap();
    assert_eq!(env.apps().save(&rotated, &dropped).await.unwrap(), Saved::Done);
    assert_eq!([opens(&env, "shop").await, opens(&env, "new").await], [None, Some(id("shop"))]);
}

/// Every set of the three words.
fn all_scopes() -> [Scope; 7] {
    let managing = |scope: Scope| scope.with(Scope::MANAGE);
    let old = [Scope::PUBLISH, Scope::VIEW, Scope::BOTH];
    let [a, b, c] = old.map(managing);
    [Scope::PUBLISH, Scope::VIEW, Scope::BOTH, Scope::MANAGE, a, b, c]
}

#[tokio::test]
async fn all_keys_can_be_replaced_in_one_transaction() {
    let env = TestEnvironment::start().await;
    let mut shop = App { keys: Vec::new(), ..app("shop") };
    let fill = |app: &mut App, generation: &str| {
        for scope in all_scopes() {
            let scope_text = scope.as_str();
            for turn in 0..MAX_KEYS_OF_SCOPE {
                app.add_key(KeyRecord::of(&format!("{generation} {scope_text} {turn}"), scope)).unwrap();
            }
        }
    };
    fill(&mut shop, "old");
    assert_eq!(env.apps().create(&shop).await.unwrap(), Created::Done);
    let mut changed = App { keys: Vec::new(), ..shop.clone() };
    fill(&mut changed, "new");
    assert_eq!(env.apps().save(&shop, &changed).await.unwrap(), Saved::Done);
    assert_eq!([opens(&env, "old view 1").await, opens(&env, "new view 1").await], [None, Some(id("shop"))]);
    assert_eq!(env.rows("AppsTable").await.len(), 15);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(changed.clone()));
    assert_eq!(env.apps().delete(&changed, now()).await.unwrap(), Saved::Done);
    assert_eq!(env.rows("AppsTable").await.len(), 1, "since when the id is free");
}

#[tokio::test]
async fn key_of_another_app_is_a_conflict() {
    let ((env, shop), bank) = (with_shop().await, app("bank"));
    env.register(&bank).await;
    let mut thief = bank.clone();
    thief.add_key(key("shop")).unwrap();
    assert_eq!(env.apps().save(&bank, &thief).await.unwrap(), Saved::Conflict);
    assert_eq!(opens(&env, "shop").await, Some(shop.id));
    assert_eq!(env.apps().find(&bank.id).await.unwrap(), Some(bank));
}

#[tokio::test]
async fn change_does_not_create_a_missing_app() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    assert_eq!(env.apps().save(&shop, &App { legacy: true, ..shop.clone() }).await.unwrap(), Saved::Conflict);
    assert_eq!(env.apps().delete(&shop, now()).await.unwrap(), Saved::Conflict);
    assert!(env.rows("AppsTable").await.is_empty());
}

#[tokio::test]
async fn deleting_an_app_deletes_its_keys() {
    let env = TestEnvironment::start().await;
    let mut shop = app("shop");
    shop.keys.push(key("second"));
    env.apps().create(&shop).await.unwrap();
    env.apps().create(&app("bank")).await.unwrap();
    env.take_calls();
    assert_eq!(env.apps().delete(&shop, now()).await.unwrap(), Saved::Done);
    assert_eq!(env.take_lines(), ["TransactWriteItems AppsTable"]);
    assert_eq!(env.rows("AppsTable").await.len(), 3, "the other app and its pointer stay");
    assert_eq!(env.apps().create(&shop).await.unwrap(), Created::Done);
}

#[tokio::test]
async fn id_of_a_deleted_app_is_free_since_its_deletion() {
    let (env, shop) = with_shop().await;
    assert_eq!(env.apps().id_free_since(&shop.id).await.unwrap(), None);
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    for ms in [0, 5_000] {
        let stale = App { name: "Other".into(), ..shop.clone() };
        assert_eq!(env.apps().delete(&stale, now().plus_ms(9_000)).await.unwrap(), Saved::Conflict);
        assert_eq!(env.apps().delete(&shop, now().plus_ms(ms)).await.unwrap(), Saved::Done);
        let free_since = env.apps().id_free_since(&shop.id).await.unwrap();
        assert_eq!(free_since, Some(now().plus_ms(ms)));
        let reborn =
            App { created_at: Some(now().plus_ms(ms + 1)), id_free_since: free_since, ..shop.clone() };
        assert_eq!(env.apps().create(&reborn).await.unwrap(), Created::Done);
        let found = env.apps().find(&shop.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&reborn));
        let renamed = App { name: "Renamed".into(), ..reborn.clone() };
        assert_eq!(env.apps().save(&reborn, &renamed).await.unwrap(), Saved::Done);
        assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(renamed.clone()), "its birth is kept");
        assert_eq!(env.apps().save(&renamed, &shop).await.unwrap(), Saved::Done);
    }
    assert_eq!(env.apps().id_free_since(&id("bank")).await.unwrap(), None);
    assert!(env.apps().of_owner(&shop.owner).await.unwrap().iter().all(|listed| listed.id == shop.id));
}

#[tokio::test]
async fn app_row_without_limits_can_be_updated() {
    let env = TestEnvironment::start().await;
    env.put("AppsTable", super::apps::app_of_before_limits("old")).await;
    let old = env.apps().find(&id("old")).await.unwrap().unwrap();
    assert_eq!((old.limits, old.retention, old.limited_until), Default::default());
    let limits =
        OwnLimits { reports: Some(1), bytes: Some(1_000), connections: Some(2), subscriptions: Some(3) };
    let retention = AppRetention {
        raw: Some(50),
        minute: Some(100),
        ten_minutes: Some(200),
        hour: Some(300),
        day: Some(400),
    };
    let own = App { limits, retention, ..old.clone() };
    assert_eq!(env.apps().save(&old, &own).await.unwrap(), Saved::Done);
    assert_eq!(env.apps().find(&old.id).await.unwrap(), Some(own.clone()));
    assert_eq!(env.apps().save(&old, &own).await.unwrap(), Saved::Conflict);
    assert_eq!(env.apps().save(&own, &old).await.unwrap(), Saved::Done);
    assert_eq!(env.apps().find(&old.id).await.unwrap(), Some(old));
}

#[tokio::test]
async fn limit_is_written_only_if_later() {
    let (env, shop) = with_shop().await;
    let limit = async |ms: i64| env.apps().limit(&shop.id, now().plus_ms(ms)).await.unwrap();
    assert_eq!(limit(0).await, Limited::Done);
    assert_eq!(env.take_lines(), ["UpdateItem AppsTable"]);
    assert_eq!([limit(0).await, limit(-1).await, limit(59_999).await], [Limited::AlreadyLimited; 3]);
    assert_eq!(limit(60_000).await, Limited::Done);
    let limited = env.apps().find(&shop.id).await.unwrap().unwrap();
    assert_eq!(limited, App { limited_until: Some(now().plus_ms(60_000)), ..shop.clone() });
    // An operator who read the app before it was limited loses nothing and lifts nothing.
    let renamed = App { name: "Renamed".into(), ..shop.clone() };
    assert_eq!(env.apps().save(&shop, &renamed).await.unwrap(), Saved::Done);
    let is = env.apps().find(&shop.id).await.unwrap().unwrap();
    assert_eq!(is, App { limited_until: limited.limited_until, ..renamed.clone() });
    assert_eq!(env.apps().save(&is, &renamed).await.unwrap(), Saved::Done);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(renamed));
    let absent = env.apps().limit(&id("absent"), now()).await.unwrap();
    assert_eq!(absent, Limited::AlreadyLimited, "none is created");
    assert_eq!(env.rows("AppsTable").await.len(), 2);
}
