//! Applications: registered once, found by id and by key, listed by owner, cached for a minute.

use nsl_aws::apps::{AppCache, AppSummary, Authorisation, Created};
use nsl_aws::fault::Kind;
use nsl_domain::ids::KeyHash;
use nsl_domain::rejection::Rejection;
use serde_json::{Value, json};

use super::*;

/// The item of an application that was registered before apps had limits.
pub(super) fn app_of_before_limits(name: &str) -> Value {
    json!({"appId": {"S": name}, "owner": {"S": "ann"}, "name": {"S": "Old"}, "status": {"S": "active"},
        "keys": {"L": []}, "legacy": {"BOOL": false}, "shards": {"N": "1"}})
}

#[tokio::test]
async fn registered_app_is_found_by_id_and_by_key() {
    let env = TestEnvironment::start().await;
    let keys = vec![KeyRecord::of("one", Scope::PUBLISH), KeyRecord::of("two", Scope::VIEW)];
    let shop = App { status: Status::Inactive, legacy: true, shards: 7, keys, ..app("shop") };
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), None);
    env.take_calls();
    assert_eq!(env.apps().create(&shop).await.unwrap(), Created::Done);
    assert_eq!(env.take_lines(), ["TransactWriteItems AppsTable"]);
    assert_eq!(env.apps().find(&shop.id).await.unwrap().as_ref(), Some(&shop));
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    for key in ["one", "two"] {
        assert_eq!(env.apps().find_by_key(KeyHash::of(key)).await.unwrap().as_ref(), Some(&shop));
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"; 2]);
    }
    assert_eq!(env.apps().find_by_key(KeyHash::of("three")).await.unwrap(), None);
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
}

#[tokio::test]
async fn existing_app_is_not_overwritten() {
    let (env, shop) = with_shop().await;
    let keys = vec![KeyRecord::of("another", Scope::BOTH)];
    let renamed = App { name: "Another".into(), keys, ..shop.clone() };
    assert_eq!(env.apps().create(&renamed).await.unwrap(), Created::AlreadyExists);
    let twin = App { keys: shop.keys.clone(), ..app("twin") };
    assert_eq!(env.apps().create(&twin).await.unwrap(), Created::AlreadyExists);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(shop));
    assert_eq!(env.apps().find(&twin.id).await.unwrap(), None);
    assert_eq!(env.apps().find_by_key(KeyHash::of("another")).await.unwrap(), None);
}

#[tokio::test]
async fn apps_of_an_owner_are_sorted() {
    let env = TestEnvironment::start().await;
    let mut foreign = app("bank");
    foreign.owner = UserId::new("bob").unwrap();
    for app in [&app("shop"), &app("cafe"), &foreign] {
        env.apps().create(app).await.unwrap();
    }
    env.take_calls();
    let listed =
        |name: &str| AppSummary { id: id(name), name: format!("The {name}"), status: Status::Active };
    let of = async |owner: &str| env.apps().of_owner(&UserId::new(owner).unwrap()).await.unwrap();
    assert_eq!(of("ann").await, [listed("cafe"), listed("shop")]);
    // DynamoDB has no consistent read of an index.
    assert_eq!(env.take_lines(), ["Query AppsTable by byOwner eventual"]);
    assert_eq!(of("eve").await, []);
}

#[tokio::test]
async fn app_is_cached_for_a_minute() {
    let (env, shop) = with_shop().await;
    let cache = AppCache::new(env.apps());
    for (age_ms, calls) in [(0, 1), (60_000, 0), (60_001, 1), (60_002, 0)] {
        let cached = cache.cached(&shop.id, now().plus_ms(age_ms)).await.unwrap().unwrap();
        assert_eq!(*cached, shop);
        assert_eq!(env.take_lines(), vec!["GetItem AppsTable consistent"; calls], "{age_ms}");
    }
    assert_eq!(cache.cached(&id("bank"), now()).await.unwrap(), None);
    env.register(&app("bank")).await;
    assert!(cache.cached(&id("bank"), now()).await.unwrap().is_some());
}

#[tokio::test]
async fn fetch_reads_the_app_each_time_and_caches_it() {
    let (env, shop) = with_shop().await;
    let cache = AppCache::new(env.apps());
    for _ in 0..2 {
        cache.fetch(&shop.id, now()).await.unwrap().unwrap();
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    }
    cache.cached(&shop.id, now()).await.unwrap().unwrap();
    assert!(env.take_calls().is_empty());
}

#[tokio::test]
async fn unreadable_app_is_corrupt() {
    let env = TestEnvironment::start().await;
    for (name, attribute, value) in [
        ("missing", "shards", json!(null)),
        ("wrong", "name", json!({"N": "1"})),
        ("odd", "status", json!({"S": "asleep"})),
        ("hasty", "retention", json!({"M": {"raw": {"N": "1"}}})),
        ("blurred", "limits", json!({"M": {"reports": {"N": "-1"}}})),
    ] {
        let mut item = app_of_before_limits(name);
        item[attribute] = value;
        item.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        env.put("AppsTable", item).await;
        let fault = env.apps().find(&id(name)).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Corrupt, "{name}: {}", fault.chain());
    }
}

#[tokio::test]
async fn rejection_is_checked_against_the_stored_app() {
    let (env, shop) = with_shop().await;
    let cache = AppCache::new(env.apps());
    let passes = |app: Option<&App>| app.map(drop).ok_or_else(Rejection::unauthorized);
    let rejects = |_: Option<&App>| Err(Rejection::invalid("x", "rejected"));
    let rejected = Authorisation::Rejected(Rejection::invalid("x", "rejected"));
    let absent = Authorisation::Rejected(Rejection::unauthorized());
    for reads in [1, 0] {
        let checked = cache.authorise(&shop.id, now(), passes).await.unwrap();
        assert_eq!(checked, Authorisation::Granted(shop.clone().into()));
        assert_eq!(env.take_lines(), vec!["GetItem AppsTable consistent"; reads]);
    }
    for _ in 0..2 {
        assert_eq!(cache.authorise(&id("shop"), now(), rejects).await.unwrap(), rejected);
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
        assert_eq!(cache.authorise(&id("bank"), now(), passes).await.unwrap(), absent);
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    }
}
