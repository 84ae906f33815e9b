//! What is promised in the library's dialect, frame by frame and over random results of its effects.

pub(crate) mod compatibility;
pub(crate) mod fake_effects;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::compatibility::failure;
use self::fake_effects::{FakeEffects, finished};
use super::command::{Command, IssuedCommand, Switch};
use super::context::LegacyContext;
use super::converse;
use super::session::{ATTEMPT_EVERY_MS, LegacySession, ReplyKind, WRONG_FOR_MS};
use crate::app::{App, Status};
use crate::conversation::reply::Reply;
use crate::frame::control::ControlFrame;
use crate::grant::{Action, Grant, GrantedApps, Proof, Role};
use crate::ids::{AppId, KeyId, Scope, Source, UserId};
use crate::report::{Document, Report};
use crate::time::TimestampMs;

const NOW: TimestampMs = TimestampMs::EXAMPLE;

fn shop() -> AppId {
    App::example().id
}

fn ann() -> UserId {
    App::example().owner
}

fn grant(scope: Scope, proof: Proof) -> Grant {
    Grant { user: ann(), scope, reach: GrantedApps::Apps(vec![shop()]), proof, until: None }
}

fn legacy(scope: Scope) -> Grant {
    grant(scope, Proof::Legacy)
}

fn by_key(scope: Scope) -> Grant {
    grant(scope, Proof::Key(KeyId::new("k1").unwrap()))
}

fn session(grant: Option<Grant>) -> LegacySession {
    LegacySession { grant, ..LegacySession::default() }
}

/// Effects that find and claim the session of a connection with `grant`.
fn granted(grant: Grant) -> FakeEffects {
    FakeEffects { session: Some(session(Some(grant))), ..FakeEffects::default() }
}

/// Effects that prove `grant`.
fn proving(grant: Grant) -> FakeEffects {
    FakeEffects { proved: Some(grant), ..FakeEffects::default() }
}

fn context(role: Role, session: Option<LegacySession>) -> LegacyContext {
    LegacyContext { role, handshake_grant: None, session, log_room: 50, now: NOW, is_session_fresh: false }
}

fn reply_in(context: &mut LegacyContext, frame: &Value, effects: &FakeEffects) -> Reply {
    let frame = ControlFrame::read(&frame.to_string()).unwrap();
    finished(converse(frame.request, context, effects))
}

/// The reply on an instance that has not cached the session.
fn reply(frame: &Value, role: Role, effects: &FakeEffects) -> Reply {
    reply_in(&mut context(role, None), frame, effects)
}

/// The reply on an instance that has, where no effect is needed.
fn cached_reply(frame: &Value, role: Role, session: LegacySession) -> Reply {
    let effects = FakeEffects::default();
    let reply = reply_in(&mut context(role, Some(session)), frame, &effects);
    assert!(effects.names().is_empty(), "{frame}: {:?}", effects.names());
    reply
}

fn auth(app: &str, user: &str) -> Value {
    json!({"type": "auth", "data": {"userId": user, "appId": app}})
}

fn about_shop(kind: &str) -> Value {
    json!({"type": kind, "data": {"userId": "ann", "appId": "shop"}})
}

fn frames(reply: &Reply) -> Vec<Value> {
    reply.frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn last_report() -> Option<Report> {
    Some(Report {
        app: shop(),
        source: Source::new("web-1").unwrap(),
        timestamp: NOW,
        document: Document::accept(r#"{"cpu":{"usage":61.4}}"#).unwrap(),
    })
}

#[test]
fn page_is_subscribed_then_welcomed_then_sent_the_last_report() {
    let effects = FakeEffects { last_report: last_report(), ..proving(legacy(Scope::View)) };
    let mut page = context(Role::Page, None);
    let sent = frames(&reply_in(&mut page, &auth("shop", "ann"), &effects));
    assert_eq!(
        effects.names(),
        [
            "find_session",
            "prove",
            "has_connection_room",
            "add_subscription",
            "store_legacy_grant",
            "last_report"
        ]
    );
    assert_eq!(sent[0], json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}}));
    assert_eq!((&sent[1]["type"], &sent[1]["payload"]["cpu"]["usage"]), (&json!("metrics"), &json!(61.4)));
    assert!(page.is_session_fresh && page.session.unwrap().has_proved(&shop(), &ann()));
}

#[test]
fn page_is_welcomed_though_its_last_report_cannot_be_read() {
    for failing in [vec!["last_report"], vec![]] {
        let effects = FakeEffects { failing, ..proving(legacy(Scope::View)) };
        let sent = frames(&reply(&auth("shop", "ann"), Role::Page, &effects));
        assert_eq!((sent.len(), &sent[0]["type"]), (1, &json!("auth_success")));
    }
}

#[test]
fn repeated_auth_is_absorbed_for_one_read_at_most() {
    let held = session(Some(legacy(Scope::View)));
    assert_eq!(cached_reply(&auth("shop", "ann"), Role::Page, held), Reply::absorbed());
    let effects = granted(legacy(Scope::View));
    assert_eq!(reply(&auth("shop", "ann"), Role::Page, &effects), Reply::absorbed());
    assert_eq!(effects.names(), ["find_session"]);
}

#[test]
fn one_of_several_auths_at_once_is_answered() {
    let effects = FakeEffects { is_stored: false, ..proving(legacy(Scope::Publish)) };
    assert_eq!(reply(&auth("shop", "ann"), Role::Program, &effects), Reply::absorbed());
    let won = reply(&auth("shop", "ann"), Role::Program, &proving(legacy(Scope::Publish)));
    assert_eq!(frames(&won)[0]["type"], "auth_success");
}

#[test]
fn wrong_library_gets_no_error_and_is_closed_after_ten_minutes() {
    let rejected = reply(&auth("shop", "bob"), Role::Program, &FakeEffects::default());
    assert!(rejected.frames.is_empty() && !rejected.close && rejected.counts.silenced);
    for (wrong_for_ms, close) in [(WRONG_FOR_MS - 1, false), (WRONG_FOR_MS, true)] {
        let wrong = LegacySession { wrong_since: Some(NOW.plus_ms(-wrong_for_ms)), ..session(None) };
        for frame in [auth("shop", "bob"), about_shop("history"), about_shop("filter")] {
            for (role, close) in [(Role::Program, close), (Role::Page, false)] {
                let mut connection = context(role, Some(wrong.clone()));
                let reply = reply_in(&mut connection, &frame, &FakeEffects::default());
                assert_eq!(reply.close, close, "{role:?} {frame}");
            }
        }
    }
}

#[test]
fn wrong_page_gets_one_error_and_is_closed_at_the_fifth() {
    for (count, errors, close) in [(1, 1, false), (2, 0, false), (5, 0, true)] {
        let effects = FakeEffects { rejections: Some(count), ..FakeEffects::default() };
        let rejected = reply(&auth("shop", "bob"), Role::Page, &effects);
        assert_eq!((rejected.frames.len(), rejected.close), (errors, close), "{count}");
    }
}

#[test]
fn auth_is_checked_once_in_ten_seconds() {
    for (age_ms, is_checked) in [(ATTEMPT_EVERY_MS - 1, false), (ATTEMPT_EVERY_MS, true)] {
        let at = Some(NOW.plus_ms(-age_ms));
        for tried in [
            LegacySession { wrong_at: at, ..session(None) },
            LegacySession { welcomed_at: at, ..session(Some(legacy(Scope::View))) },
        ] {
            let effects = FakeEffects::default();
            reply_in(&mut context(Role::Page, Some(tried)), &auth("bank", "bob"), &effects);
            assert_eq!(effects.names().contains(&"find_session".to_owned()), is_checked, "{age_ms}");
        }
    }
}

#[test]
fn full_app_ignores_auth_for_a_while() {
    for effects in [
        FakeEffects { has_connection_room: false, ..proving(legacy(Scope::View)) },
        FakeEffects { is_subscribed: false, ..proving(legacy(Scope::View)) },
    ] {
        let mut page = context(Role::Page, None);
        assert_eq!(reply_in(&mut page, &auth("shop", "ann"), &effects), Reply::silence());
        assert!(page.session.unwrap().has_just_tried(NOW.plus_ms(1)));
    }
}

#[test]
fn auth_for_another_app_leaves_the_first() {
    let bank = GrantedApps::Apps(vec![AppId::new("bank").unwrap()]);
    let effects = FakeEffects {
        session: Some(session(Some(legacy(Scope::View)))),
        ..proving(Grant { reach: bank, ..legacy(Scope::View) })
    };
    reply(&auth("bank", "ann"), Role::Page, &effects);
    assert_eq!(effects.names()[2..5], ["has_connection_room", "leave", "add_subscription"]);
    assert_eq!(effects.calls.borrow()[3], "leave shop");
}

#[test]
fn status_is_the_same_for_every_app_that_the_user_may_not_see() {
    let status = |frame: &Value, role: Role, app: Option<App>| {
        let effects = FakeEffects { app, ..FakeEffects::default() };
        let sent = frames(&reply(frame, role, &effects)).remove(0);
        assert_eq!(effects.calls.borrow()[0], "claim_reply Status");
        sent
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
fn each_kind_of_reply_is_sent_once_in_a_while() {
    for (kind, reply_kind) in [
        ("check_status", ReplyKind::Status),
        ("history", ReplyKind::History),
        ("get_last_actions", ReplyKind::LastActions),
        ("command", ReplyKind::Command),
        ("request_metrics", ReplyKind::Metrics),
    ] {
        let mut answered = session(Some(legacy(Scope::View)));
        answered.answered.insert(reply_kind, NOW.plus_ms(-reply_kind.every_ms() + 1));
        assert_eq!(
            cached_reply(&about_shop(kind), Role::Page, answered.clone()),
            Reply::absorbed(),
            "{kind}"
        );
        let effects =
            FakeEffects { is_claimable: false, session: Some(answered.clone()), ..FakeEffects::default() };
        let mut page = context(Role::Page, None);
        assert_eq!(reply_in(&mut page, &about_shop(kind), &effects), Reply::absorbed(), "{kind}");
        assert_eq!(*effects.calls.borrow(), [format!("claim_reply {reply_kind:?}")]);
        assert!(page.is_session_fresh && page.session == Some(answered));
    }
}

#[test]
fn each_request_needs_its_permission() {
    let logs = json!({"type": "logs", "data": {"logs": [{"message": "m"}]}});
    let command = json!({"type": "command", "data": {"type": "console_toggle", "data": {"enabled": false}}});
    let (publish, view) = (Action::Publish, Action::View);
    for (frame, grant, action) in [
        (&logs, legacy(Scope::Publish), Some(publish)),
        (&logs, legacy(Scope::View), Some(publish)),
        (&about_shop("history"), legacy(Scope::Publish), Some(publish)),
        (&about_shop("history"), legacy(Scope::View), Some(view)),
        (&about_shop("history"), by_key(Scope::Publish), Some(view)),
        (&json!({"type": "get_last_actions"}), legacy(Scope::View), Some(view)),
        (&json!({"type": "request_metrics"}), legacy(Scope::Publish), Some(view)),
        (&command, legacy(Scope::View), Some(view)),
        (&command, by_key(Scope::Both), Some(view)),
        (&command, by_key(Scope::View), None),
        (&command, legacy(Scope::Publish), None),
    ] {
        let effects = granted(grant.clone());
        let reply = reply(frame, Role::Page, &effects);
        let checked = effects.calls.borrow().iter().find(|call| call.starts_with("authorise")).cloned();
        let expected = action.map(|action| format!("authorise {action:?} shop {}", grant.to_text()));
        assert_eq!(checked, expected, "{frame}");
        assert!(action.is_some() || frames(&reply)[0]["payload"]["success"] == false, "{frame}");
    }
}

#[test]
fn unauthenticated_client_gets_a_status_and_nothing_else() {
    for kind in
        ["history", "request_history", "get_last_actions", "request_metrics", "command", "filter", "clear"]
    {
        let reply = reply(&about_shop(kind), Role::Page, &FakeEffects::default());
        assert!(reply.frames.is_empty(), "{kind}");
    }
    let logs = json!({"type": "logs", "data": {"appId": "shop", "logs": [{"message": "m"}]}});
    let effects = FakeEffects::default();
    let reply = reply(&logs, Role::Program, &effects);
    assert_eq!((reply.frames.len(), reply.counts.dropped_logs), (0, 1));
    assert_eq!(effects.names(), ["find_session"]);
}

#[test]
fn rejections_are_silent_except_of_a_command() {
    let command = json!({"type": "command", "data": {"type": "console_toggle", "data": {"enabled": false}}});
    for (frame, sent) in [
        (about_shop("history"), 0),
        (about_shop("get_last_actions"), 0),
        (about_shop("request_metrics"), 0),
        (command, 1),
    ] {
        let effects = FakeEffects { is_authorised: false, ..granted(legacy(Scope::View)) };
        assert_eq!(reply(&frame, Role::Page, &effects).frames.len(), sent, "{frame}");
    }
    let malformed = json!({"type": "history", "data": {"appId": {"a": 1}}});
    let reply = reply(&malformed, Role::Page, &granted(legacy(Scope::View)));
    assert!(reply.frames.is_empty(), "a malformed id does not mean the connection's own app");
}

#[test]
fn log_entries_are_stored_before_they_are_posted() {
    let frame = json!({"type": "logs", "data": {"logs": [{"message": "m"}, 7]}});
    for (failing, dropped, posted) in
        [(vec![], 1, 1), (vec!["post_to_subscribers"], 1, 1), (vec!["store_log_entries"], 2, 0)]
    {
        let effects = FakeEffects { failing, ..granted(legacy(Scope::Publish)) };
        let reply = reply(&frame, Role::Program, &effects);
        assert_eq!((reply.frames.len(), reply.counts.dropped_logs), (0, dropped));
        assert_eq!(effects.calls.borrow()[2], r#"store_log_entries shop ["{\"message\":\"m\"}"]"#);
        assert_eq!(effects.posted.borrow().len(), posted);
        assert!(
            effects
                .posted
                .borrow()
                .iter()
                .all(|frame| frame == r#"{"type":"logs","payload":[{"message":"m"}]}"#)
        );
    }
}

#[test]
fn command_is_stored_posted_and_answered() {
    let frame = json!({"type": "command", "data": {"userId": "ann", "appId": "shop",
        "type": "encryption_toggle", "data": {"enabled": true, "key": "hush"}}});
    let effects = granted(legacy(Scope::View));
    let response = frames(&reply(&frame, Role::Page, &effects)).remove(0);
    let command = Command { switch: Switch::Encryption, enabled: true };
    let issued = IssuedCommand { command, user: ann(), at: NOW };
    assert_eq!(effects.names()[1..], ["authorise", "store_command", "post_to_publishers"]);
    assert_eq!(effects.calls.borrow()[2], format!("store_command shop {issued:?}"));
    let posted: Value = serde_json::from_str(&effects.posted.borrow()[0]).unwrap();
    let relayed = json!({"type": "encryption_toggle", "data": {"enabled": true}});
    assert_eq!(posted, json!({"type": "command", "data": relayed}), "the key is not relayed");
    assert_eq!((&response["payload"]["success"], &response["payload"]["data"]), (&json!(true), &relayed));
}

#[test]
fn history_has_the_shape_that_its_sender_reads() {
    let library_asks = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
        "data": {"userId": "ann", "appId": "shop"}});
    let array = json!([{"n": 1}, {"n": 2}]);
    let object = json!({"logs": array});
    for (frame, role, scope, kind, payload) in [
        (&library_asks, Role::Program, Scope::Publish, "request_history", &object),
        (&about_shop("history"), Role::Program, Scope::Publish, "request_history", &object),
        (&about_shop("history"), Role::Page, Scope::View, "history", &array),
        (&about_shop("request_history"), Role::Page, Scope::View, "request_history", &object),
    ] {
        let log_entries = vec![json!({"n": 1}).to_string(), json!({"n": 2}).to_string()];
        let effects = FakeEffects { log_entries, ..granted(legacy(scope)) };
        let sent = frames(&reply(frame, role, &effects)).remove(0);
        assert_eq!(sent, json!({"type": kind, "payload": payload}));
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
        "auth" => auth("shop", "ann"),
        _ => json!({"type": kind, "data": payload}),
    })
}

fn any_session() -> impl Strategy<Value = LegacySession> {
    let grants = vec![
        None,
        Some(legacy(Scope::View)),
        Some(legacy(Scope::Publish)),
        Some(by_key(Scope::Both)),
        Some(by_key(Scope::View)),
    ];
    let wrong_for = prop::option::of(0..2 * WRONG_FOR_MS);
    (prop::sample::select(grants), wrong_for).prop_map(|(grant, wrong_for)| LegacySession {
        wrong_since: wrong_for.map(|ms| NOW.plus_ms(-ms)),
        ..session(grant)
    })
}

fn any_effects() -> impl Strategy<Value = FakeEffects> {
    let failing = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            "find_session",
            "claim_reply",
            "prove",
            "count_rejection",
            "has_connection_room",
            "leave",
            "add_subscription",
            "store_legacy_grant",
            "authorise",
            "find_app",
            "last_report",
            "log_entries",
            "store_log_entries",
            "post_to_subscribers",
            "commands",
            "store_command",
            "post_to_publishers",
        ]),
    );
    let proved = prop::sample::select(vec![None, Some(legacy(Scope::View)), Some(legacy(Scope::Publish))]);
    let rejections = prop::sample::select(vec![None, Some(1), Some(7)]);
    let session = prop::option::weighted(0.9, any_session());
    (proved, rejections, session, any::<[bool; 7]>(), failing).prop_map(
        |(proved, rejections, session, flags, failing)| {
            let [
                is_authorised,
                has_connection_room,
                is_subscribed,
                is_stored,
                is_claimable,
                is_full,
                is_known,
            ] = flags;
            let command = Command { switch: Switch::Console, enabled: false };
            FakeEffects {
                proved,
                rejections,
                is_authorised,
                has_connection_room,
                is_subscribed,
                is_stored,
                session,
                is_claimable,
                app: is_known.then(|| App { legacy: true, ..App::example() }),
                last_report: last_report().filter(|_| is_full),
                log_entries: vec![json!({"message": "m"}).to_string(); if is_full { 700 } else { 0 }],
                commands: vec![IssuedCommand { command, user: ann(), at: NOW }; usize::from(is_full)],
                failing: failing.into_iter().collect(),
                ..FakeEffects::default()
            }
        },
    )
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
        let reply = reply_in(&mut context(role, cached), &frame, &effects);
        for text in &reply.frames {
            prop_assert_eq!(failure(text, role), None, "{}", text);
        }
        for text in &*effects.posted.borrow() {
            let receiver = if frame["type"] == "logs" { Role::Page } else { Role::Program };
            prop_assert_eq!(failure(text, receiver), None, "{}", text);
        }
        prop_assert!(!reply.counts_as_unauthenticated, "the library's frames never count");
        if reply.counts.absorbed {
            prop_assert!(effects.names().len() <= 1 || effects.names().contains(&"prove".to_owned()));
        }
    }
}
