//! What is promised in the library's dialect, frame by frame and over random answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::session::LegacySession;
use super::session::{ATTEMPT_EVERY_MS, ReplyKind, WRONG_FOR_MS};
use crate::app::{App, Status};
use crate::conversation::{Answer, Conversation, Familiarity, Move, Question, Verdict};
use crate::frame::control::ControlFrame;
use crate::frame::outbound::deadly::hurt;
use crate::grant::{Action, GrantedApps, Proof};
use crate::grant::{Grant, Role};
use crate::ids::{AppId, KeyId, Scope, Source, UserId};
use crate::legacy::command::{Command, IssuedCommand, Switch};
use crate::rejection::Rejection;
use crate::report::{Document, Report};
use crate::time::TimestampMs;

fn now() -> TimestampMs {
    TimestampMs::clamped(1_800_000_000_000)
}

fn shop() -> AppId {
    AppId::new("shop").unwrap()
}

fn ann() -> UserId {
    UserId::new("ann").unwrap()
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

fn known(grant: Option<Grant>) -> LegacySession {
    LegacySession { grant, ..LegacySession::default() }
}

fn app(legacy: bool, status: Status) -> App {
    App { status, legacy, ..App::example() }
}

fn report() -> Report {
    Report {
        app: shop(),
        source: Source::new("web-1").unwrap(),
        timestamp: now(),
        document: Document::accept(r#"{"cpu":{"usage":61.4}}"#).unwrap(),
    }
}

fn hear(frame: &Value, role: Role, remembered: Option<LegacySession>) -> (Conversation, Move) {
    let frame = ControlFrame::read(&frame.to_string()).unwrap();
    let familiarity = Familiarity { role, fixed: None, remembered, log_room: 50 };
    Conversation::hear_legacy(frame, familiarity, now())
}

fn auth(app: &str, user: &str) -> Value {
    json!({"type": "auth", "data": {"userId": user, "appId": app}})
}

fn about_shop(kind: &str) -> Value {
    json!({"type": kind, "data": {"userId": "ann", "appId": "shop"}})
}

fn ended(end: Move) -> Verdict {
    match end {
        Move::End(verdict) => verdict,
        Move::Ask(question) => panic!("still asking: {question:?}"),
    }
}

fn frames(end: Move) -> Vec<Value> {
    ended(end).frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn types(end: Move) -> Vec<String> {
    frames(end).iter().map(|frame| frame["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_page_is_subscribed_then_welcomed_then_shown_the_last_report() {
    let (mut page, first) = hear(&auth("shop", "ann"), Role::Page, None);
    assert_eq!(first, Move::Ask(Question::Recall));
    let asked = page.learn(Answer::Recalled(LegacySession::default()));
    assert!(matches!(asked, Move::Ask(Question::Prove { .. })));
    let asked = page.learn(Answer::Proved(Ok(legacy(Scope::View))));
    assert_eq!(asked, Move::Ask(Question::FindRoom(shop())));
    assert!(matches!(page.learn(Answer::Done), Move::Ask(Question::AddSubscription { .. })));
    assert_eq!(page.learn(Answer::Done), Move::Ask(Question::Welcome(legacy(Scope::View))));
    assert_eq!(page.learn(Answer::Done), Move::Ask(Question::ReadLast(shop())));
    let told = frames(page.learn(Answer::Last(Some(report()))));
    assert_eq!(told[0], json!({"type": "auth_success", "payload": {"appId": "shop", "userId": "ann"}}));
    assert_eq!((&told[1]["type"], &told[1]["payload"]["cpu"]["usage"]), (&json!("metrics"), &json!(61.4)));
    assert!(page.remembered().unwrap().holds(&shop(), &ann()));
}

#[test]
fn a_page_is_welcomed_though_its_last_report_cannot_be_read() {
    for answer in [Answer::Failed, Answer::Last(None)] {
        let (mut page, _) = hear(&auth("shop", "ann"), Role::Page, None);
        page.learn(Answer::Recalled(LegacySession::default()));
        page.learn(Answer::Proved(Ok(legacy(Scope::View))));
        (0..3).for_each(|_| drop(page.learn(Answer::Done)));
        assert_eq!(types(page.learn(answer)), ["auth_success"]);
    }
}

#[test]
fn what_was_proved_is_not_answered_again_and_costs_a_call_at_most() {
    let held = known(Some(legacy(Scope::View)));
    let (_, first) = hear(&auth("shop", "ann"), Role::Page, Some(held.clone()));
    assert_eq!(ended(first), Verdict::absorbed());
    let (mut page, first) = hear(&auth("shop", "ann"), Role::Page, None);
    assert_eq!(first, Move::Ask(Question::Recall));
    assert_eq!(ended(page.learn(Answer::Recalled(held))), Verdict::absorbed());
}

#[test]
fn of_several_at_once_one_is_answered() {
    let (mut library, _) = hear(&auth("shop", "ann"), Role::Program, None);
    library.learn(Answer::Recalled(LegacySession::default()));
    library.learn(Answer::Proved(Ok(legacy(Scope::Publish))));
    assert_eq!(library.learn(Answer::Done), Move::Ask(Question::Welcome(legacy(Scope::Publish))));
    assert_eq!(ended(library.learn(Answer::Gone)), Verdict::absorbed());
}

#[test]
fn the_library_hears_nothing_of_its_wrong_credentials_and_is_let_go_after_ten_minutes() {
    let (mut library, _) = hear(&auth("shop", "bob"), Role::Program, None);
    library.learn(Answer::Recalled(LegacySession::default()));
    assert_eq!(
        library.learn(Answer::Proved(Err(Rejection::unauthorized()))),
        Move::Ask(Question::CountRefusal)
    );
    let verdict = ended(library.learn(Answer::Refusals(1)));
    assert!(verdict.frames.is_empty() && !verdict.close && verdict.tally.silenced);
    for (wrong_for_ms, close) in [(WRONG_FOR_MS - 1, false), (WRONG_FOR_MS, true)] {
        let wrong = LegacySession { wrong_since: Some(now().plus_ms(-wrong_for_ms)), ..known(None) };
        for frame in [auth("shop", "bob"), about_shop("history"), about_shop("filter")] {
            let (_, first) = hear(&frame, Role::Program, Some(wrong.clone()));
            let is_closed = matches!(&first, Move::End(verdict) if verdict.close);
            assert_eq!(is_closed, close, "{frame}");
            let (_, first) = hear(&frame, Role::Page, Some(wrong.clone()));
            assert!(!matches!(first, Move::End(verdict) if verdict.close), "a page is told");
        }
    }
}

#[test]
fn a_page_is_told_once_that_it_is_wrong_and_closed_at_the_fifth_attempt() {
    for (count, told, close) in [(1, 1, false), (2, 0, false), (5, 0, true)] {
        let (mut page, _) = hear(&auth("shop", "bob"), Role::Page, None);
        page.learn(Answer::Recalled(LegacySession::default()));
        page.learn(Answer::Proved(Err(Rejection::unauthorized())));
        let verdict = ended(page.learn(Answer::Refusals(count)));
        assert_eq!((verdict.frames.len(), verdict.close), (told, close), "{count}");
    }
}

#[test]
fn attempts_that_follow_each_other_are_absorbed_and_later_ones_heard() {
    for (age_ms, heard) in [(ATTEMPT_EVERY_MS - 1, false), (ATTEMPT_EVERY_MS, true)] {
        let at = Some(now().plus_ms(-age_ms));
        for remembered in [
            LegacySession { wrong_at: at, ..known(None) },
            LegacySession { welcomed_at: at, ..known(Some(legacy(Scope::View))) },
        ] {
            let (_, first) = hear(&auth("bank", "bob"), Role::Page, Some(remembered));
            assert_eq!(matches!(first, Move::Ask(Question::Recall)), heard, "{age_ms}");
        }
    }
}

#[test]
fn who_changes_to_another_app_is_done_with_the_first() {
    let (mut page, _) = hear(&auth("bank", "ann"), Role::Page, None);
    page.learn(Answer::Recalled(known(Some(legacy(Scope::View)))));
    let bank = Grant { reach: GrantedApps::Apps(vec![AppId::new("bank").unwrap()]), ..legacy(Scope::View) };
    assert!(matches!(page.learn(Answer::Proved(Ok(bank))), Move::Ask(Question::FindRoom(_))));
    assert_eq!(page.learn(Answer::Done), Move::Ask(Question::Leave(shop())));
    assert!(matches!(page.learn(Answer::Done), Move::Ask(Question::AddSubscription { .. })));
}

#[test]
fn a_status_is_the_same_for_every_app_that_is_not_the_users_to_see() {
    let status = |frame: &Value, role: Role, found: Option<App>| {
        let (mut page, first) = hear(frame, role, None);
        assert_eq!(first, Move::Ask(Question::Claim(ReplyKind::Status)));
        match page.learn(Answer::Claimed(LegacySession::default())) {
            Move::Ask(Question::FindApp(_)) => {
                frames(page.learn(Answer::App(found.map(std::sync::Arc::new)))).remove(0)
            }
            end => frames(end).remove(0),
        }
    };
    let asked = about_shop("check_status");
    let active = status(&asked, Role::Page, Some(app(true, Status::Active)));
    assert_eq!((&active["type"], &active["payload"]["success"]), (&json!("status_response"), &json!(true)));
    let inactive = status(&asked, Role::Page, Some(app(true, Status::Inactive)));
    assert_eq!(inactive["payload"]["status"]["appIsActive"], false);
    assert_eq!(inactive["payload"]["status"]["userHasAccess"], true);
    let unknown = status(&asked, Role::Page, None);
    assert_eq!(unknown["payload"]["status"]["appExists"], false);
    let other_user = json!({"type": "check_status", "data": {"userId": "bob", "appId": "shop"}});
    for (frame, role, found) in [
        (&asked, Role::Page, Some(app(false, Status::Active))),
        (&asked, Role::Page, Some(app(false, Status::Inactive))),
        (&asked, Role::ForeignPage, Some(app(true, Status::Active))),
        (&other_user, Role::Page, Some(app(true, Status::Active))),
        (&other_user, Role::Page, Some(app(true, Status::Inactive))),
        (&json!({"type": "check_status"}), Role::Page, None),
        (&json!({"type": "check_status", "data": {"userId": {}, "appId": "shop"}}), Role::Page, None),
    ] {
        assert_eq!(status(frame, role, found), unknown, "{frame}");
    }
}

#[test]
fn a_kind_of_answer_comes_once_in_a_while_whatever_the_instance() {
    for (kind, reply) in [
        ("check_status", ReplyKind::Status),
        ("history", ReplyKind::History),
        ("get_last_actions", ReplyKind::LastActions),
        ("command", ReplyKind::Command),
        ("request_metrics", ReplyKind::Metrics),
    ] {
        let mut answered = known(Some(legacy(Scope::View)));
        answered.answered.insert(reply, now().plus_ms(-reply.every_ms() + 1));
        let (_, first) = hear(&about_shop(kind), Role::Page, Some(answered.clone()));
        assert_eq!(ended(first), Verdict::absorbed(), "{kind}");
        let (mut page, first) = hear(&about_shop(kind), Role::Page, None);
        assert_eq!(first, Move::Ask(Question::Claim(reply)));
        assert_eq!(ended(page.learn(Answer::Repeated(answered.clone()))), Verdict::absorbed(), "{kind}");
        assert_eq!(page.remembered(), Some(&answered));
    }
}

/// What is asked once it is known who speaks, and the conversation to go on with.
fn proceed(frame: &Value, role: Role, remembered: LegacySession) -> (Conversation, Move) {
    let (mut conversation, first) = hear(frame, role, Some(remembered.clone()));
    match first {
        Move::Ask(Question::Claim(_)) => {
            let next = conversation.learn(Answer::Claimed(remembered));
            (conversation, next)
        }
        other => (conversation, other),
    }
}

#[test]
fn every_request_asks_for_the_leave_that_it_needs() {
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
        let (_, next) = proceed(frame, Role::Page, known(Some(grant.clone())));
        let expected = action.map(|action| Question::May { grant: Some(grant.clone()), action, app: shop() });
        match expected {
            Some(expected) => assert_eq!(next, Move::Ask(expected), "{frame}"),
            None => assert_eq!(frames(next)[0]["payload"]["success"], false, "{frame}"),
        }
    }
}

#[test]
fn a_stranger_is_told_a_status_and_nothing_else() {
    for kind in
        ["history", "request_history", "get_last_actions", "request_metrics", "command", "filter", "clear"]
    {
        let (_, next) = proceed(&about_shop(kind), Role::Page, known(None));
        assert!(ended(next).frames.is_empty(), "{kind}");
    }
    let logs = json!({"type": "logs", "data": {"appId": "shop", "logs": [{"message": "m"}]}});
    let (mut stranger, first) = hear(&logs, Role::Program, None);
    assert_eq!(first, Move::Ask(Question::Recall));
    let verdict = ended(stranger.learn(Answer::Recalled(LegacySession::default())));
    assert_eq!((verdict.frames.len(), verdict.tally.dropped_logs), (0, 1));
}

#[test]
fn what_is_refused_is_refused_in_silence_save_a_command() {
    for (kind, told) in [("history", 0), ("get_last_actions", 0), ("request_metrics", 0)] {
        let (mut page, _) = proceed(&about_shop(kind), Role::Page, known(Some(legacy(Scope::View))));
        let refused = page.learn(Answer::Allowed(Err(Rejection::unauthorized())));
        assert_eq!(ended(refused).frames.len(), told, "{kind}");
    }
    let nonsense = json!({"type": "history", "data": {"appId": {"a": 1}}});
    let (_, next) = proceed(&nonsense, Role::Page, known(Some(legacy(Scope::View))));
    assert!(ended(next).frames.is_empty(), "no name is not the connection's own");
}

#[test]
fn log_entries_are_kept_before_they_are_told_and_counted_where_they_are_not() {
    let frame = json!({"type": "logs", "data": {"logs": [{"message": "m"}, 7]}});
    let entries = vec![json!({"message": "m"}).to_string()];
    let start = || {
        let (mut library, _) = proceed(&frame, Role::Program, known(Some(legacy(Scope::Publish))));
        let asked = library.learn(Answer::Allowed(Ok(())));
        assert_eq!(asked, Move::Ask(Question::KeepLogs { app: shop(), entries: entries.clone() }));
        library
    };
    let mut library = start();
    let Move::Ask(Question::TellViewers { frames, .. }) = library.learn(Answer::Done) else { panic!() };
    assert_eq!(frames, [r#"{"type":"logs","payload":[{"message":"m"}]}"#]);
    for told in [Answer::Done, Answer::Failed] {
        let mut library = start();
        library.learn(Answer::Done);
        let verdict = ended(library.learn(told));
        assert_eq!((verdict.frames.len(), verdict.tally.dropped_logs), (0, 1), "only the number is dropped");
    }
    let verdict = ended(start().learn(Answer::Failed));
    assert_eq!((verdict.frames.len(), verdict.tally.dropped_logs), (0, 2));
}

#[test]
fn a_command_is_kept_told_and_answered() {
    let frame = json!({"type": "command", "data": {"userId": "ann", "appId": "shop",
        "type": "encryption_toggle", "data": {"enabled": true, "key": "hush"}}});
    let (mut page, _) = proceed(&frame, Role::Page, known(Some(legacy(Scope::View))));
    let command = Command { switch: Switch::Encryption, enabled: true };
    let given = IssuedCommand { command, user: ann(), at: now() };
    let asked = page.learn(Answer::Allowed(Ok(())));
    assert_eq!(asked, Move::Ask(Question::KeepCommand { app: shop(), given }));
    let Move::Ask(Question::TellPublishers { frame, .. }) = page.learn(Answer::Done) else { panic!() };
    let relayed: Value = serde_json::from_str(&frame).unwrap();
    let told = json!({"type": "encryption_toggle", "data": {"enabled": true}});
    assert_eq!(relayed, json!({"type": "command", "data": told}), "the key stays with its owner");
    let response = frames(page.learn(Answer::Done)).remove(0);
    assert_eq!((&response["payload"]["success"], &response["payload"]["data"]), (&json!(true), &told));
}

#[test]
fn history_comes_in_the_shape_that_its_sender_reads() {
    let library_asks = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
        "data": {"userId": "ann", "appId": "shop"}});
    let entries = vec![json!({"n": 1}).to_string(), json!({"n": 2}).to_string()];
    let array = json!([{"n": 1}, {"n": 2}]);
    for (frame, role, scope, told) in [
        (&library_asks, Role::Program, Scope::Publish, ("request_history", json!({"logs": array}))),
        (&about_shop("history"), Role::Program, Scope::Publish, ("request_history", json!({"logs": array}))),
        (&about_shop("history"), Role::Page, Scope::View, ("history", array.clone())),
        (
            &about_shop("request_history"),
            Role::Page,
            Scope::View,
            ("request_history", json!({"logs": array})),
        ),
    ] {
        let (mut asker, _) = proceed(frame, role, known(Some(legacy(scope))));
        assert_eq!(asker.learn(Answer::Allowed(Ok(()))), Move::Ask(Question::ReadLogs(shop())));
        let shown = frames(asker.learn(Answer::Logs(entries.clone()))).remove(0);
        assert_eq!(shown, json!({"type": told.0, "payload": told.1}));
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

fn any_remembered() -> impl Strategy<Value = LegacySession> {
    let grants = vec![
        None,
        Some(legacy(Scope::View)),
        Some(legacy(Scope::Publish)),
        Some(by_key(Scope::Both)),
        Some(by_key(Scope::View)),
    ];
    let wrong_for = prop::option::of(0..2 * WRONG_FOR_MS);
    (prop::sample::select(grants), wrong_for).prop_map(|(grant, wrong_for)| LegacySession {
        wrong_since: wrong_for.map(|ms| now().plus_ms(-ms)),
        ..known(grant)
    })
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let given = IssuedCommand {
        command: Command { switch: Switch::Console, enabled: false },
        user: ann(),
        at: now(),
    };
    prop_oneof![
        any_remembered().prop_map(Answer::Recalled),
        any_remembered().prop_map(Answer::Claimed),
        any_remembered().prop_map(Answer::Repeated),
        prop::sample::select(vec![
            Answer::Proved(Ok(legacy(Scope::View))),
            Answer::Proved(Ok(legacy(Scope::Publish))),
            Answer::Proved(Err(Rejection::unauthorized())),
            Answer::Done,
            Answer::Gone,
            Answer::TooMany,
            Answer::Refusals(1),
            Answer::Refusals(7),
            Answer::Allowed(Ok(())),
            Answer::Allowed(Err(Rejection::unauthorized())),
            Answer::App(Some(std::sync::Arc::new(app(true, Status::Active)))),
            Answer::App(None),
            Answer::Last(Some(report())),
            Answer::Logs(vec![json!({"message": "m"}).to_string(); 700]),
            Answer::Logs(vec![]),
            Answer::Commands(vec![given]),
            Answer::Commands(vec![]),
            Answer::Failed,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn whatever_is_answered_nobody_is_hurt(
        frame in any_frame(),
        is_program in any::<bool>(),
        remembered in prop::option::of(any_remembered()),
        answers in prop::collection::vec(any_answer(), 12),
    ) {
        let role = if is_program { Role::Program } else { Role::Page };
        let (mut conversation, mut next) = hear(&frame, role, remembered);
        for answer in answers {
            match &next {
                Move::End(_) => break,
                Move::Ask(Question::TellViewers { frames, .. }) => {
                    prop_assert!(frames.iter().all(|frame| hurt(frame, Role::Page).is_none()));
                }
                Move::Ask(Question::TellPublishers { frame, .. }) => {
                    prop_assert_eq!(hurt(frame, Role::Program), None);
                }
                Move::Ask(_) => {}
            }
            next = conversation.learn(answer);
        }
        let verdict = ended(next);
        for text in &verdict.frames {
            prop_assert_eq!(hurt(text, role), None, "{}", text);
        }
        prop_assert!(!verdict.is_of_stranger, "what the library sends is not counted among strangers' frames");
    }
}
