//! The library's dialect where a real engine cannot show it: failures of single steps, every status and permission, and
//! random results of the effects. All else is asserted by the session function's tests.

mod admission;
pub(crate) mod compatibility;
pub(crate) mod fake_effects;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::compatibility::failure;
use self::fake_effects::{
    FakeEffects, NOW, any_effects, any_session, by_key, finished, legacy, library_with_key, session, shop,
};
use super::context::LegacyContext;
use super::converse;
use super::notice::Notice;
use super::session::{LegacySession, WRONG_FOR_MS};
use crate::app::{App, KeyRecord, Status};
use crate::conversation::reply::Reply;
use crate::frame::control::ControlFrame;
use crate::grant::{Action, Grant, Proof, Role};
use crate::ids::Scope;

/// Effects that find and claim the session of a connection with `grant`.
fn granted(grant: Grant) -> FakeEffects {
    FakeEffects { session: Some(session(Some(grant))), ..FakeEffects::default() }
}

/// The reply on an instance that has cached `session`.
fn reply_in(session: Option<LegacySession>, frame: &Value, role: Role, effects: &FakeEffects) -> Reply {
    let mut context =
        LegacyContext { role, handshake_grant: None, session, session_read_at: None, log_room: 50, now: NOW };
    let request = ControlFrame::read(&frame.to_string()).unwrap().request.sent_by(role);
    finished(converse(request, &mut context, effects))
}

/// The reply on an instance that has cached no session.
fn reply(frame: &Value, role: Role, effects: &FakeEffects) -> Reply {
    reply_in(None, frame, role, effects)
}

fn about_shop(kind: &str) -> Value {
    json!({"type": kind, "data": {"userId": "ann", "appId": "shop"}})
}

fn with_key(key: &str) -> Value {
    json!({"type": "auth", "data": {"userId": "bob", "appId": "shop", "apiKey": key}})
}

/// The frame of a notice.
fn notice(notice: Notice) -> Value {
    json!({"type": "command", "data": {"type": notice.text()}})
}

fn frames(reply: &Reply) -> Vec<Value> {
    reply.frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

#[test]
fn page_is_welcomed_though_its_last_report_cannot_be_read() {
    let proved = Some(legacy(Scope::VIEW));
    let effects = FakeEffects { proved, failing: vec!["last_report"], ..FakeEffects::default() };
    let sent = frames(&reply(&about_shop("auth"), Role::Page, &effects));
    assert_eq!((sent.len(), &sent[0]["type"]), (1, &json!("auth_success")));
}

#[test]
fn any_frame_of_a_wrong_program_closes_it_after_ten_minutes() {
    for (wrong_for_ms, is_long) in [(WRONG_FOR_MS - 1, false), (WRONG_FOR_MS, true)] {
        let wrong = LegacySession { wrong_since: Some(NOW.plus_ms(-wrong_for_ms)), ..session(None) };
        for frame in ["auth", "history", "filter"].map(about_shop) {
            for (role, close) in [(Role::Program, is_long), (Role::Page, false)] {
                let reply = reply_in(Some(wrong.clone()), &frame, role, &FakeEffects::default());
                assert_eq!(reply.close, close, "{role:?} {frame}");
            }
        }
    }
}

#[test]
fn status_is_the_same_for_every_app_that_the_user_may_not_see() {
    let status = |frame: &Value, role: Role, app: Option<App>| {
        let effects = FakeEffects { app, ..FakeEffects::default() };
        frames(&reply(frame, role, &effects)).remove(0)
    };
    let app = |legacy, status| Some(App { legacy, status, ..App::example() });
    let asked = about_shop("check_status");
    let active = status(&asked, Role::Page, app(true, Status::Active));
    assert_eq!((&active["type"], &active["payload"]["success"]), (&json!("status_response"), &json!(true)));
    let inactive = status(&asked, Role::Page, app(true, Status::Inactive));
    assert_eq!(inactive["payload"]["status"]["appIsActive"], false);
    assert_eq!(inactive["payload"]["status"]["userHasAccess"], true);
    let unknown = status(&asked, Role::Page, None);
    assert_eq!(unknown["payload"]["status"]["appExists"], false);
    let other_user = json!({"type": "check_status", "data": {"userId": "bob", "appId": "shop"}});
    for (frame, role, found) in [
        (&asked, Role::Page, app(false, Status::Active)),
        (&asked, Role::Page, app(false, Status::Inactive)),
        (&asked, Role::ForeignPage, app(true, Status::Active)),
        (&other_user, Role::Page, app(true, Status::Active)),
        (&other_user, Role::Page, app(true, Status::Inactive)),
        (&json!({"type": "check_status"}), Role::Page, None),
        (&json!({"type": "check_status", "data": {"userId": {}, "appId": "shop"}}), Role::Page, None),
    ] {
        assert_eq!(status(frame, role, found), unknown, "{frame}");
    }
}

#[test]
fn subject_of_a_token_shows_no_status_of_an_owners_app() {
    let proof = Proof::Token { issued: NOW };
    let app = App { legacy: true, ..App::example() };
    let frame = json!({"type": "check_status", "data": {"appId": "shop"}});
    for (grant, has_access) in [(by_key(Scope::VIEW), true), (Grant { proof, ..by_key(Scope::VIEW) }, false)]
    {
        let effects = FakeEffects { app: Some(app.clone()), ..granted(grant) };
        let shown = frames(&reply(&frame, Role::Page, &effects)).remove(0);
        assert_eq!(shown["payload"]["status"]["userHasAccess"], has_access, "{shown}");
    }
}

#[test]
fn status_of_a_proved_app_needs_no_flag_and_no_owner() {
    let keys = vec![KeyRecord::of("k", Scope::PUBLISH)];
    let proof = Proof::Key(keys[0].id.clone());
    let app = App { legacy: false, keys, ..App::example() };
    let asked = json!({"type": "check_status", "data": {"userId": "bob", "appId": "shop"}});
    for (app, has_access) in [(app.clone(), true), (App { keys: Vec::new(), ..app }, false)] {
        for status in [Status::Active, Status::Inactive] {
            let grant = Grant { proof: proof.clone(), ..library_with_key(Scope::PUBLISH) };
            let effects = FakeEffects { app: Some(App { status, ..app.clone() }), ..granted(grant) };
            let shown = &frames(&reply(&asked, Role::Program, &effects))[0]["payload"]["status"];
            assert_eq!(shown["userHasAccess"], has_access);
            assert_eq!(shown["appIsActive"], has_access && status == Status::Active);
        }
    }
}

#[test]
fn library_with_a_key_is_answered_once_with_the_owner() {
    let proof = Proof::Key(KeyRecord::of("k", Scope::BOTH).id);
    let granted = Grant { proof, ..library_with_key(Scope::BOTH) };
    let effects = FakeEffects { proved: Some(granted.clone()), ..FakeEffects::default() };
    let sent = frames(&reply(&with_key("k"), Role::Program, &effects));
    let payload = json!({"appId": "shop", "userId": "ann"});
    assert_eq!(sent, [json!({"type": "auth_success", "payload": payload})], "no subscription");
    let repeat = reply_in(Some(session(Some(granted))), &with_key("k"), Role::Program, &effects);
    assert!(repeat.frames.is_empty() && repeat.counts.ignored_repeats);
}

#[test]
fn program_with_wrong_credentials_gets_one_notice_and_no_error() {
    let malformed = json!({"type": "auth", "data": {"userId": "a user", "appId": "a/b"}});
    for frame in [with_key("wrong"), about_shop("auth"), malformed] {
        for (rejections, is_first) in [(1, true), (5, false), (100, false)] {
            let effects = FakeEffects {
                rejections: Some(rejections),
                is_claimable: is_first,
                ..FakeEffects::default()
            };
            let reply = reply(&frame, Role::Program, &effects);
            let notices = if is_first { vec![notice(Notice::Unproved)] } else { Vec::new() };
            assert_eq!(frames(&reply), notices, "{frame}");
            assert!(!reply.close && reply.counts.refused_programs);
        }
    }
}

#[test]
fn program_of_an_inactive_app_is_welcomed_and_notified() {
    for (frame, grant) in
        [(with_key("k"), library_with_key(Scope::BOTH)), (about_shop("auth"), legacy(Scope::PUBLISH))]
    {
        let effects = FakeEffects { proved: Some(grant), is_active: false, ..FakeEffects::default() };
        let sent = frames(&reply(&frame, Role::Program, &effects));
        assert_eq!(
            (&sent[0]["type"], &sent[1..]),
            (&json!("auth_success"), &[notice(Notice::SwitchedOff)][..])
        );
        let failing = FakeEffects { failing: vec!["claim_notice"], ..effects };
        assert_eq!(frames(&reply(&frame, Role::Program, &failing)).len(), 1, "the grant is stored");
    }
}

#[test]
fn program_of_a_full_app_is_notified() {
    let proved = Some(legacy(Scope::PUBLISH));
    for (role, frames_sent) in [(Role::Program, vec![notice(Notice::Full)]), (Role::Page, vec![])] {
        let effects =
            FakeEffects { proved: proved.clone(), has_connection_room: false, ..FakeEffects::default() };
        assert_eq!(frames(&reply(&about_shop("auth"), role, &effects)), frames_sent);
    }
}

#[test]
fn page_of_an_inactive_app_gets_one_status_and_no_error() {
    let proved = Some(legacy(Scope::VIEW));
    for (is_claimable, statuses) in [(true, 1), (false, 0)] {
        let effects =
            FakeEffects { proved: proved.clone(), is_active: false, is_claimable, ..FakeEffects::default() };
        let sent = frames(&reply(&about_shop("auth"), Role::Page, &effects));
        assert_eq!(sent.len(), statuses);
        for frame in sent {
            assert_eq!(
                (&frame["type"], &frame["payload"]["success"]),
                (&json!("status_response"), &json!(false))
            );
            assert_eq!(frame["payload"]["status"]["userHasAccess"], true);
            assert_eq!(frame["payload"]["status"]["appIsActive"], false);
        }
        assert!(!effects.calls.borrow().contains(&"count_rejection"));
    }
}

#[test]
fn each_request_needs_its_permission() {
    let logs = json!({"type": "logs", "data": {"logs": [{"message": "m"}]}});
    let command = json!({"type": "command", "data": {"type": "console_toggle", "data": {"enabled": false}}});
    let (publish, view) = (Action::Publish, Action::View);
    for (frame, grant, action) in [
        (&logs, legacy(Scope::PUBLISH), Some(publish)),
        (&logs, legacy(Scope::VIEW), Some(publish)),
        (&about_shop("history"), legacy(Scope::PUBLISH), Some(publish)),
        (&about_shop("history"), legacy(Scope::VIEW), Some(view)),
        (&about_shop("history"), by_key(Scope::PUBLISH), Some(view)),
        (&about_shop("history"), library_with_key(Scope::PUBLISH), Some(view)),
        (&logs, library_with_key(Scope::PUBLISH), Some(publish)),
        (&json!({"type": "get_last_actions"}), legacy(Scope::VIEW), Some(view)),
        (&json!({"type": "request_metrics"}), legacy(Scope::PUBLISH), Some(view)),
        (&command, legacy(Scope::VIEW), Some(view)),
        (&command, by_key(Scope::BOTH), Some(view)),
        (&command, by_key(Scope::BOTH.with(Scope::MANAGE)), Some(view)),
        (&command, by_key(Scope::MANAGE), None),
        (&command, by_key(Scope::VIEW), None),
        (&command, legacy(Scope::PUBLISH), None),
        (&command, library_with_key(Scope::VIEW), None),
    ] {
        let effects = granted(grant.clone());
        let reply = reply(frame, Role::Page, &effects);
        let expected = action.map(|action| (grant, action, shop()));
        assert_eq!(*effects.checked.borrow(), expected, "{frame}");
        assert!(action.is_some() || frames(&reply)[0]["payload"]["success"] == false, "{frame}");
    }
}

#[test]
fn log_entries_are_stored_before_they_are_posted() {
    let frame = json!({"type": "logs", "data": {"logs": [{"message": "m"}, 7]}});
    for (failing, dropped, posted) in
        [(vec![], 1, 1), (vec!["post_to_subscribers"], 1, 1), (vec!["store_log_entries"], 2, 0)]
    {
        let effects = FakeEffects { failing, ..granted(legacy(Scope::PUBLISH)) };
        let reply = reply(&frame, Role::Program, &effects);
        assert_eq!((reply.frames.len(), reply.counts.dropped_logs), (0, dropped));
        assert_eq!(effects.calls.borrow()[2], "store_log_entries");
        assert_eq!(*effects.posted.borrow(), vec![r#"{"type":"logs","payload":[{"message":"m"}]}"#; posted]);
    }
}

fn any_frame() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "auth",
        "check_status",
        "history",
        "request_history",
        "get_last_actions",
        "logs",
        "command",
        "request_metrics",
        "filter",
        "clear",
    ]);
    let named = json!({"userId": "ann", "appId": "shop", "type": "console_toggle", "data": {"enabled": true},
        "logs": [{"message": "m"}, null]});
    let payload =
        prop::sample::select(vec![named, json!({"userId": "ann", "appId": "bank"}), json!({}), json!(null)]);
    (kind, payload).prop_map(|(kind, payload)| match kind {
        "auth" if payload["logs"].is_array() => with_key("k"),
        "auth" => about_shop(kind),
        _ => json!({"type": kind, "data": payload}),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_reply_breaks_its_receiver(
        frame in any_frame(),
        is_program in any::<bool>(),
        cached in prop::option::of(any_session()),
        effects in any_effects(),
    ) {
        let role = if is_program { Role::Program } else { Role::Page };
        let reply = reply_in(cached, &frame, role, &effects);
        for text in &reply.frames {
            prop_assert_eq!(failure(text, role), None, "{}", text);
        }
        for text in &*effects.posted.borrow() {
            let receiver = if frame["type"] == "logs" { Role::Page } else { Role::Program };
            prop_assert_eq!(failure(text, receiver), None, "{}", text);
        }
        prop_assert!(!reply.counts_as_unauthenticated, "the library's frames never count");
        if reply.counts.ignored_repeats {
            let calls = effects.calls.borrow();
            prop_assert!(calls.len() <= 1 || calls.contains(&"prove_library"));
        }
    }
}
