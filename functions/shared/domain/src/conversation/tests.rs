//! Requests of this protocol's own dialect over random results of their effects.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::dialect::Dialect;
use crate::frame::control::{ControlFrame, Credential, Request};
use crate::frame::envelope::FrameId;
use crate::grant::{Grant, Role};
use crate::ids::Scope;
use crate::legacy::tests::compatibility::failure;
use crate::legacy::tests::fake_effects::{any_effects, by_key, finished, legacy, shop};
use crate::time::TimestampMs;

fn any_request() -> impl Strategy<Value = Request> {
    let auth =
        Request::Auth { app: shop(), credential: Credential::ApiKey("k".into()), dialect: Dialect::Modern };
    let subscribe = Request::Subscribe { app: shop(), since: None, min_interval_ms: 250 };
    prop::sample::select(vec![Request::Ping, auth, subscribe, Request::Unsubscribe { app: shop() }])
}

fn any_grant() -> impl Strategy<Value = Option<Grant>> {
    prop::sample::select(vec![None, Some(by_key(Scope::BOTH)), Some(legacy(Scope::VIEW))])
}

fn kind(frame: &str) -> String {
    serde_json::from_str::<Value>(frame).unwrap()["type"].as_str().unwrap().to_owned()
}

proptest! {
    #[test]
    fn two_way_routes_always_reply_and_nothing_breaks_a_program(
        request in any_request(), grant in any_grant(), effects in any_effects(),
    ) {
        let is_auth = matches!(request, Request::Auth { .. });
        let never_counts = is_auth || request == Request::Ping || grant.is_some();
        let frame = ControlFrame { id: Some(FrameId::Number(7)), request };
        let context = AuthContext { grant, is_fixed: false };
        let reply = finished(converse(frame, &context, TimestampMs::EXAMPLE, &effects));
        let kinds: Vec<String> = reply.frames.iter().map(|frame| kind(frame)).collect();
        prop_assert!(is_auth || !kinds.is_empty(), "an empty body ends the library's process");
        prop_assert!(!is_auth || kinds.len() <= 1);
        prop_assert!(!(never_counts && reply.counts_as_unauthenticated));
        prop_assert!(effects.proved.is_some() || !kinds.contains(&"auth_success".to_owned()));
        for frame in &reply.frames {
            prop_assert_eq!(failure(frame, Role::Program), None);
        }
        let failed = effects.calls.borrow().iter().any(|call| effects.failing.contains(call));
        prop_assert_eq!(effects.logged_faults.get(), usize::from(failed));
    }
}
