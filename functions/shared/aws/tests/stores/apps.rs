//! Applications: registered once, found by id and by key, listed by owner, believed for a minute.

use nsl_aws::apps::{AppCache, AppSummary, Authorisation, Created};
use nsl_aws::fault::Kind;
use nsl_domain::ids::KeyHash;
use nsl_domain::rejection::Rejection;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_registered_app_is_found_as_it_was_registered() {
    let env = TestEnvironment::start().await;
    let mut shop = app("shop");
    shop.status = Status::Inactive;
    shop.legacy = true;
    shop.shards = 7;
    shop.keys = vec![KeyRecord::of("one", Scope::Publish), KeyRecord::of("two", Scope::View)];
    assert_eq!(env.apps().create(&shop).await.unwrap(), Created::Done);
    assert_eq!(env.take_lines(), ["TransactWriteItems AppsTable"]);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(shop));
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
}

#[tokio::test]
async fn an_unknown_app_is_an_answer() {
    let env = TestEnvironment::start().await;
    assert_eq!(env.apps().find(&id("shop")).await.unwrap(), None);
}

#[tokio::test]
async fn an_app_or_a_key_that_is_there_is_left_alone() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    env.apps().create(&shop).await.unwrap();
    let mut renamed = app("shop");
    renamed.name = "Another".into();
    renamed.keys = vec![KeyRecord::of("another", Scope::Both)];
    assert_eq!(env.apps().create(&renamed).await.unwrap(), Created::AlreadyExists);
    let mut twin = app("twin");
    twin.keys = shop.keys.clone();
    assert_eq!(env.apps().create(&twin).await.unwrap(), Created::AlreadyExists);
    assert_eq!(env.apps().find(&shop.id).await.unwrap(), Some(shop));
    assert_eq!(env.apps().find(&twin.id).await.unwrap(), None);
    assert_eq!(env.apps().find_by_key(KeyHash::of("another")).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_finds_its_app_by_two_reads_and_nothing_by_one() {
    let env = TestEnvironment::start().await;
    let mut shop = app("shop");
    shop.keys = vec![KeyRecord::of("one", Scope::Publish), KeyRecord::of("two", Scope::View)];
    env.apps().create(&shop).await.unwrap();
    env.take_calls();
    for key in ["one", "two"] {
        assert_eq!(env.apps().find_by_key(KeyHash::of(key)).await.unwrap().as_ref(), Some(&shop));
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"; 2]);
    }
    assert_eq!(env.apps().find_by_key(KeyHash::of("three")).await.unwrap(), None);
    assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
}

#[tokio::test]
async fn the_apps_of_an_owner_are_sorted_and_nobody_elses() {
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
    // An index answers eventually, at AWS's own word.
    assert_eq!(env.take_lines(), ["Query AppsTable by byOwner eventual"]);
    assert_eq!(of("eve").await, []);
}

#[tokio::test]
async fn an_app_is_believed_for_a_minute() {
    let env = TestEnvironment::start().await;
    env.apps().create(&app("shop")).await.unwrap();
    let known = AppCache::new(env.apps());
    env.take_calls();
    for (age_ms, calls) in [(0, 1), (60_000, 0), (60_001, 1), (60_002, 0)] {
        let believed = known.cached(&id("shop"), now().plus_ms(age_ms)).await.unwrap().unwrap();
        assert_eq!(*believed, app("shop"));
        assert_eq!(env.take_lines(), vec!["GetItem AppsTable consistent"; calls], "{age_ms}");
    }
}

#[tokio::test]
async fn proving_a_credential_reads_the_app_each_time_and_refreshes_what_is_believed() {
    let env = TestEnvironment::start().await;
    env.apps().create(&app("shop")).await.unwrap();
    let known = AppCache::new(env.apps());
    env.take_calls();
    for _ in 0..2 {
        known.fetch(&id("shop"), now()).await.unwrap().unwrap();
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    }
    known.cached(&id("shop"), now()).await.unwrap().unwrap();
    assert!(env.take_calls().is_empty());
}

#[tokio::test]
async fn an_app_that_was_not_there_is_looked_for_again() {
    let env = TestEnvironment::start().await;
    let known = AppCache::new(env.apps());
    assert_eq!(known.cached(&id("shop"), now()).await.unwrap(), None);
    env.apps().create(&app("shop")).await.unwrap();
    assert!(known.cached(&id("shop"), now()).await.unwrap().is_some());
}

#[tokio::test]
async fn an_app_that_cannot_be_read_is_corrupt() {
    let env = TestEnvironment::start().await;
    for (name, item) in [
        ("missing", json!({"appId": {"S": "missing"}})),
        (
            "wrong",
            json!({"appId": {"S": "wrong"}, "owner": {"S": "ann"}, "name": {"N": "1"},
            "status": {"S": "active"}, "keys": {"L": []}, "legacy": {"BOOL": false}, "shards": {"N": "1"}}),
        ),
        (
            "odd",
            json!({"appId": {"S": "odd"}, "owner": {"S": "ann"}, "name": {"S": "Odd"},
            "status": {"S": "asleep"}, "keys": {"L": []}, "legacy": {"BOOL": false}, "shards": {"N": "1"}}),
        ),
        (
            "hasty",
            json!({"appId": {"S": "hasty"}, "owner": {"S": "ann"}, "name": {"S": "Hasty"},
            "status": {"S": "active"}, "keys": {"L": []}, "legacy": {"BOOL": false}, "shards": {"N": "1"},
            "retention": {"M": {"raw": {"N": "1"}}}}),
        ),
        (
            "blurred",
            json!({"appId": {"S": "blurred"}, "owner": {"S": "ann"}, "name": {"S": "Blurred"},
            "status": {"S": "active"}, "keys": {"L": []}, "legacy": {"BOOL": false}, "shards": {"N": "1"},
            "limits": {"M": {"reports": {"N": "-1"}}}}),
        ),
    ] {
        env.put("AppsTable", item).await;
        let fault = env.apps().find(&id(name)).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Corrupt, "{name}: {}", fault.chain());
    }
}

#[tokio::test]
async fn a_refusal_is_judged_by_the_app_as_it_is() {
    let env = TestEnvironment::start().await;
    env.apps().create(&app("shop")).await.unwrap();
    let known = AppCache::new(env.apps());
    let passes = |app: Option<&App>| app.map(drop).ok_or_else(Rejection::unauthorized);
    let refuses = |_: Option<&App>| Err(Rejection::invalid("x", "refused"));
    let refused = Authorisation::Refused(Rejection::invalid("x", "refused"));
    let absent = Authorisation::Refused(Rejection::unauthorized());
    env.take_calls();
    for reads in [1, 0] {
        let judged = known.authorise(&id("shop"), now(), passes).await.unwrap();
        assert_eq!(judged, Authorisation::Granted(app("shop").into()));
        assert_eq!(env.take_lines(), vec!["GetItem AppsTable consistent"; reads]);
    }
    for _ in 0..2 {
        assert_eq!(known.authorise(&id("shop"), now(), refuses).await.unwrap(), refused);
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
        assert_eq!(known.authorise(&id("bank"), now(), passes).await.unwrap(), absent);
        assert_eq!(env.take_lines(), ["GetItem AppsTable consistent"]);
    }
}
