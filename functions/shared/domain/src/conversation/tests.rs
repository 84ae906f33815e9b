//! What is promised in this protocol's own dialect, frame by frame and over random results of its effects.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::frame::control::{ControlFrame, Credential, Request};
use crate::frame::envelope::FrameId;
use crate::grant::{Grant, GrantedApps, Proof, Role};
use crate::ids::{AppId, KeyId, Scope, UserId};
use crate::legacy::tests::compatibility::failure;
use crate::legacy::tests::fake_effects::{FakeEffects, finished};
use crate::time::TimestampMs;

fn shop() -> AppId {
    AppId::new("shop").unwrap()
}

fn grant(scope: Scope, proof: Proof) -> Grant {
    let user = UserId::new("ann").unwrap();
    Grant { user, scope, reach: GrantedApps::Apps(vec![shop()]), proof, until: None }
}

fn by_key() -> Grant {
    grant(Scope::Both, Proof::Key(KeyId::new("k1").unwrap()))
}

fn auth() -> Request {
    Request::Auth { app: shop(), credential: Credential::ApiKey("k".into()) }
}

fn subscribe() -> Request {
    Request::Subscribe { app: shop(), since: None, min_interval_ms: 250 }
}

fn reply(request: Request, context: &AuthContext, effects: &FakeEffects) -> Reply {
    let frame = ControlFrame { id: Some(FrameId::Number(7)), request };
    finished(converse(frame, context, TimestampMs::EXAMPLE, effects))
}

fn with(grant: Option<Grant>) -> AuthContext {
    AuthContext { grant, is_fixed: false }
}

fn types(reply: &Reply) -> Vec<String> {
    let kind =
        |frame: &String| serde_json::from_str::<Value>(frame).unwrap()["type"].as_str().unwrap().to_owned();
    reply.frames.iter().map(kind).collect()
}

#[test]
fn grant_is_stored_before_it_is_confirmed() {
    let effects = FakeEffects { proved: Some(by_key()), ..FakeEffects::default() };
    assert_eq!(types(&reply(auth(), &with(None), &effects)), ["auth_success"]);
    assert_eq!(
        *effects.calls.borrow(),
        [
            "prove shop ApiKey(..)".to_owned(),
            "has_connection_room shop".to_owned(),
            format!("store_grant {}", by_key().to_text()),
        ]
    );
    let gone = FakeEffects { is_stored: false, proved: Some(by_key()), ..FakeEffects::default() };
    assert_eq!(reply(auth(), &with(None), &gone), Reply::silence());
}

#[test]
fn full_app_rejects_another_connection() {
    let effects =
        FakeEffects { proved: Some(by_key()), has_connection_room: false, ..FakeEffects::default() };
    let rejected = reply(auth(), &with(None), &effects);
    assert_eq!(types(&rejected), ["error"]);
    assert!(!rejected.close && !rejected.counts_as_unauthenticated);
}

#[test]
fn repeated_auth_takes_no_more_room() {
    let effects = FakeEffects { proved: Some(by_key()), ..FakeEffects::default() };
    reply(auth(), &with(Some(by_key())), &effects);
    assert_eq!(effects.names(), ["prove", "store_grant"]);
}

#[test]
fn handshake_grant_can_be_confirmed_but_not_changed() {
    let other = grant(Scope::View, Proof::Key(KeyId::new("k2").unwrap()));
    for (proved, answer) in [(by_key(), "auth_success"), (other, "error")] {
        let effects = FakeEffects { proved: Some(proved), ..FakeEffects::default() };
        let context = AuthContext { grant: Some(by_key()), is_fixed: true };
        assert_eq!(types(&reply(auth(), &context, &effects)), [answer]);
        assert_eq!(effects.names(), ["prove"]);
    }
}

#[test]
fn wrong_key_is_answered_once_and_closed_at_the_fifth() {
    for (count, frames, close) in [(1, 1, false), (2, 0, false), (MAX_AUTH_REJECTIONS, 0, true)] {
        let effects = FakeEffects { rejections: Some(count), ..FakeEffects::default() };
        let rejected = reply(auth(), &with(None), &effects);
        assert_eq!((rejected.frames.len(), rejected.close), (frames, close), "{count}");
        assert_eq!(effects.names(), ["prove", "count_rejection"]);
    }
}

#[test]
fn subscription_is_stored_before_its_replay_is_read() {
    let effects = FakeEffects::default();
    assert_eq!(types(&reply(subscribe(), &with(Some(by_key())), &effects)), ["subscribed"]);
    let calls = effects.calls.borrow();
    assert_eq!(calls[0], format!("authorise View shop {}", by_key().to_text()));
    assert_eq!(calls[1..3], ["has_subscription_room shop", "add_subscription shop key k1 250 Modern"]);
    assert!(calls[3].starts_with("recent_reports shop") && calls.len() == 4);
}

#[test]
fn unauthenticated_connection_neither_subscribes_nor_unsubscribes() {
    for request in [subscribe(), Request::Unsubscribe { app: shop() }] {
        let effects = FakeEffects::default();
        let rejected = reply(request, &with(None), &effects);
        assert_eq!(types(&rejected), ["error"]);
        assert!(rejected.counts_as_unauthenticated && effects.names().is_empty());
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    prop::sample::select(vec![Request::Ping, auth(), subscribe(), Request::Unsubscribe { app: shop() }])
}

fn any_effects() -> impl Strategy<Value = FakeEffects> {
    let failing = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            "prove",
            "count_rejection",
            "has_connection_room",
            "store_grant",
            "authorise",
            "has_subscription_room",
            "add_subscription",
            "remove_subscription",
            "recent_reports",
        ]),
    );
    let proved = prop::option::of(Just(by_key()));
    let rejections = prop::option::of(1..10_u32);
    (proved, rejections, any::<[bool; 5]>(), failing).prop_map(|(proved, rejections, flags, failing)| {
        let [is_authorised, has_connection_room, has_subscription_room, is_subscribed, is_stored] = flags;
        FakeEffects {
            proved,
            rejections,
            is_authorised,
            has_connection_room,
            has_subscription_room,
            is_subscribed,
            is_stored,
            failing: failing.into_iter().collect(),
            ..FakeEffects::default()
        }
    })
}

fn any_grant() -> impl Strategy<Value = Option<Grant>> {
    prop_oneof![Just(None), Just(Some(by_key())), Just(Some(grant(Scope::View, Proof::Legacy)))]
}

proptest! {
    #[test]
    fn two_way_routes_always_reply_and_nothing_breaks_a_program(
        request in any_request(), grant in any_grant(), effects in any_effects(),
    ) {
        let is_auth = matches!(request, Request::Auth { .. });
        let never_counts = is_auth || request == Request::Ping || grant.is_some();
        let reply = reply(request, &with(grant), &effects);
        let kinds = types(&reply);
        prop_assert!(is_auth || !kinds.is_empty(), "an empty body ends the library's process");
        prop_assert!(!is_auth || kinds.len() <= 1);
        prop_assert!(!(never_counts && reply.counts_as_unauthenticated));
        prop_assert!(effects.proved.is_some() || !kinds.contains(&"auth_success".to_owned()));
        for frame in &reply.frames {
            prop_assert_eq!(failure(frame, Role::Program), None);
        }
        let failed = effects.names().iter().any(|name| effects.failing.contains(&name.as_str()));
        prop_assert_eq!(effects.logged_faults.get(), usize::from(failed));
    }
}
