//! The models against what is known of their originals: which frames end them, what they send and when.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::client_compatibility::FRAME_BYTES_MAX;
use super::{
    Copies, Credentials, Dashboard, Effect, Input, Library, Model, ModelState, Timer, UserAction,
    why_incompatible,
};
use crate::system::harness::iso;

const NOW_MS: i64 = 1_795_352_461_387;
const AUTH_SUCCESS: &str = r#"{"type":"auth_success","payload":{"appId":"shop","userId":"ann"}}"#;

fn owner() -> Credentials {
    Credentials::new("ann", "shop")
}

fn opened<M: Model>(mut model: M) -> M {
    model.handle(Input::Started, NOW_MS);
    model.handle(Input::Opened, NOW_MS);
    model
}

fn tab() -> Dashboard {
    opened(Dashboard::new(owner()))
}

fn library(copies: Copies) -> Library {
    let mut library = opened(Library::new(owner(), copies));
    receive(&mut library, AUTH_SUCCESS);
    library
}

fn receive(model: &mut impl Model, frame: &str) -> Vec<Effect> {
    model.handle(Input::Received(frame.to_owned()), NOW_MS)
}

fn fire(model: &mut impl Model, timer: Timer) -> Vec<Effect> {
    model.handle(Input::TimerFired(timer), NOW_MS)
}

fn frames(effects: &[Effect]) -> Vec<&Value> {
    let mut frames = Vec::new();
    for effect in effects {
        if let Effect::Send(frame) = effect {
            frames.push(frame);
        }
    }
    frames
}

fn types(effects: &[Effect]) -> Vec<&str> {
    frames(effects).iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

fn status(success: bool, is_active: bool, exists: bool) -> String {
    let status =
        json!({"userExists": true, "appExists": exists, "userHasAccess": exists, "appIsActive": is_active});
    let payload = json!({"success": success, "message": "m", "status": status});
    json!({"type": "status_response", "payload": payload}).to_string()
}

/// What a frame does to a client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Compatible,
    /// The client survives it, and yet it must not be sent.
    Listed,
    Ended,
}

fn outcome(mut model: impl Model, frame: &str) -> Outcome {
    let is_listed = why_incompatible(model.kind(), frame).is_some();
    receive(&mut model, frame);
    match (model.state(), is_listed) {
        (ModelState::Running, false) => Outcome::Compatible,
        (ModelState::Running, true) => Outcome::Listed,
        (_, true) => Outcome::Ended,
        (state, false) => panic!("{frame} is not listed: {state:?}"),
    }
}

#[test]
fn each_client_ends_only_at_listed_frames() {
    use Outcome::{Compatible, Ended, Listed};
    let large = format!(r#"{{"type":"pong","x":"{}"}}"#, "x".repeat(FRAME_BYTES_MAX));
    for (frame, at_library, at_dashboard) in [
        ("", Ended, Ended),
        ("no json", Ended, Ended),
        ("null", Ended, Ended),
        ("[]", Listed, Listed),
        ("7", Listed, Listed),
        ("{}", Listed, Listed),
        (r#"{"type":7}"#, Listed, Listed),
        (r#"{"message":"m"}"#, Listed, Listed),
        (large.as_str(), Listed, Listed),
        (r#"{"message":"Forbidden","connectionId":"x=","requestId":"y="}"#, Compatible, Compatible),
        (AUTH_SUCCESS, Compatible, Compatible),
        (r#"{"type":"auth_success","payload":{"appId":"shop"}}"#, Ended, Listed),
        (r#"{"type":"auth_success"}"#, Ended, Listed),
        (r#"{"type":"auth_error","payload":{"message":"m"}}"#, Ended, Compatible),
        (r#"{"type":"auth_error"}"#, Ended, Ended),
        (r#"{"type":"error","payload":{"code":"unavailable"}}"#, Compatible, Compatible),
        (r#"{"type":"status_response"}"#, Compatible, Ended),
        (r#"{"type":"status_response","payload":{"success":false}}"#, Compatible, Ended),
        (r#"{"type":"get_last_actions","payload":[]}"#, Compatible, Compatible),
        (r#"{"type":"get_last_actions","payload":{}}"#, Ended, Ended),
        (r#"{"type":"get_last_actions","payload":[{"type":"console_toggle"}]}"#, Ended, Ended),
        (r#"{"type":"command","data":{"type":"get_metrics"}}"#, Compatible, Compatible),
        (r#"{"type":"command","data":{"type":"console_toggle"}}"#, Ended, Compatible),
        (r#"{"type":"command"}"#, Ended, Compatible),
        (r#"{"type":"command_response"}"#, Compatible, Ended),
        (r#"{"type":"request_history","payload":[]}"#, Ended, Compatible),
        (r#"{"type":"history","payload":[]}"#, Compatible, Compatible),
        (r#"{"type":"history","payload":null}"#, Compatible, Ended),
        (r#"{"type":"history"}"#, Compatible, Ended),
        (r#"{"type":"logs","payload":[{"id":"1"}]}"#, Listed, Compatible),
        (r#"{"type":"logs","payload":{"logs":[]}}"#, Compatible, Ended),
        (r#"{"type":"logs","payload":{"logs":{}}}"#, Ended, Ended),
        (r#"{"type":"logs"}"#, Ended, Ended),
        (r#"{"type":"metrics"}"#, Ended, Ended),
        (r#"{"type":"metrics","payload":{}}"#, Compatible, Listed),
        (r#"{"type":"metrics","payload":{"metrics":{"cpu":1},"id":"i"}}"#, Compatible, Listed),
        (r#"{"type":"metrics","payload":{"cpu":1,"metrics":{"cpu":1},"id":"i"}}"#, Compatible, Compatible),
    ] {
        let found = (outcome(library(Copies::One), frame), outcome(tab(), frame));
        assert_eq!(found, (at_library, at_dashboard), "{frame:.80}");
    }
}

#[test]
fn each_client_sends_these_frames_upon_these() {
    let owner = json!({"userId": "ann", "appId": "shop"});
    let auth = json!({"type": "auth", "data": owner});
    let history = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
        "data": owner});
    let mut library = Library::new(self::owner(), Copies::One);
    assert!(library.handle(Input::Started, NOW_MS).contains(&Effect::Connect));
    assert_eq!(library.handle(Input::Opened, NOW_MS), [Effect::Send(auth)]);
    assert_eq!(types(&fire(&mut library, Timer::Report)), [""; 0], "it is not authenticated yet");
    assert_eq!(receive(&mut library, AUTH_SUCCESS), [Effect::Send(history)]);
    assert_eq!(receive(&mut library, r#"{"type":"clear"}"#), [Effect::Send(json!({"type": "clear"}))]);

    let mut upgraded = Library::new(self::owner().with_key("k"), Copies::One);
    let auth = json!({"type": "auth", "data": {"userId": "ann", "appId": "shop", "apiKey": "k"}});
    assert_eq!(upgraded.handle(Input::Opened, NOW_MS), [Effect::Send(auth)]);
    receive(&mut upgraded, AUTH_SUCCESS);
    let report = fire(&mut upgraded, Timer::Report);
    assert_eq!(frames(&report)[0]["data"]["apiKey"], Value::Null, "the key is in no other frame");

    let mut tab = tab();
    assert_eq!(types(&receive(&mut tab, AUTH_SUCCESS)), ["get_last_actions", "check_status"]);
    for _ in 0..3 {
        let refusal = r#"{"type":"auth_error","payload":{"message":"m"}}"#;
        assert_eq!(types(&receive(&mut tab, refusal)), ["auth"]);
        assert_eq!(types(&receive(&mut tab, &status(true, true, true))), ["auth"]);
    }
    assert_eq!(tab.auth_errors, 3);
    let toggle = UserAction::Toggle { kind: "console_toggle", enabled: false };
    let command = json!({"type": "command", "data": {"userId": "ann", "appId": "shop",
        "type": "console_toggle", "data": {"enabled": false}}});
    assert_eq!(tab.handle(Input::Action(toggle), NOW_MS), [Effect::Send(command)]);
}

#[test]
fn opening_starts_endless_status_checks() {
    let mut tab = Dashboard::new(owner());
    let opened = tab.handle(Input::Opened, NOW_MS);
    assert_eq!(types(&opened), ["auth", "check_status", "command"]);
    let timers: Vec<&Effect> = opened.iter().filter(|one| matches!(one, Effect::SetTimer(..))).collect();
    assert_eq!(timers.len(), 2);
    for effect in timers {
        let Effect::SetTimer(timer, _) = effect else { panic!("a timer") };
        let fired = fire(&mut tab, *timer);
        assert_eq!(types(&fired), ["check_status"]);
        assert_eq!(fired[1], *effect);
    }
}

#[test]
fn inactive_application_is_checked_again_after_2_s() {
    let mut tab = tab();
    let effects = receive(&mut tab, &status(false, false, true));
    let [Effect::SetTimer(timer, after)] = effects[..] else { panic!("one timer: {effects:?}") };
    assert_eq!(after, Duration::from_secs(2));
    assert_eq!(types(&fire(&mut tab, timer)), ["check_status"]);
    assert_eq!(receive(&mut tab, &status(false, false, false)), []);
}

#[test]
fn timers_of_a_closed_connection_do_nothing() {
    let mut tab = tab();
    let old = Timer::Status { connection: 1, every: Duration::from_secs(4) };
    let reconnect = Effect::SetTimer(Timer::Reconnect, Duration::from_secs(3));
    assert_eq!(tab.handle(Input::Closed, NOW_MS), [reconnect]);
    assert_eq!(fire(&mut tab, old), []);
    tab.handle(Input::Opened, NOW_MS);
    assert_eq!(fire(&mut tab, old), []);
}

#[test]
fn nested_report_is_drawn_as_zeros() {
    let mut tab = tab();
    let metrics = json!({"cpu": {"usage": 61.5}, "memory": {"used": 2, "total": 4},
        "process": {"uptime": 9}, "network": {"interfaces": {"lo": {"bytesReceived": 0}}}});
    let mut flat = metrics.clone();
    flat["id"] = json!("i");
    for payload in [flat, json!({ "metrics": metrics })] {
        receive(&mut tab, &json!({"type": "metrics", "payload": payload}).to_string());
    }
    let [drawn, zeros] = &tab.drawn[..] else { panic!("two reports") };
    assert_eq!((drawn.cpu_usage, drawn.memory_used, drawn.memory_total), (61.5, 2.0, 4.0));
    assert!(drawn.has_network && drawn.uptime == 9 && drawn.id == "i");
    assert_eq!((zeros.cpu_usage, zeros.memory_total, zeros.has_network), (0.0, 0.0, false));
}

#[test]
fn switches_arrive_live_and_in_the_action_list() {
    let switch = |kind: &str, enabled: bool| json!({"type": kind, "data": {"enabled": enabled}});
    let (mut library, mut tab) = (library(Copies::One), tab());
    receive(
        &mut library,
        &json!({"type": "command", "data": switch("encryption_toggle", false)}).to_string(),
    );
    let list = [("console_toggle", false), ("encryption_toggle", true), ("console_toggle", true)];
    let actions = list.map(|(kind, enabled)| json!({"data": switch(kind, enabled)}));
    let actions = json!({"type": "get_last_actions", "payload": actions}).to_string();
    receive(&mut library, &actions);
    receive(&mut tab, &actions);
    let owned = |switches: &[(&str, bool)]| -> Vec<(String, bool)> {
        switches.iter().map(|(kind, enabled)| ((*kind).to_owned(), *enabled)).collect()
    };
    assert_eq!(library.commands, owned(&[&[("encryption_toggle", false)], &list[..]].concat()));
    assert_eq!(tab.switches, owned(&list[1..]), "of each switch the last action counts");
}

#[test]
fn library_prints_a_command_that_it_does_not_have_and_goes_on() {
    let mut library = library(Copies::One);
    assert_eq!(receive(&mut library, r#"{"type":"command","data":{"type":"NSL: why"}}"#), []);
    assert_eq!(library.printed, [(1, "NSL: why".to_owned())]);
    assert_eq!(types(&fire(&mut library, Timer::Report)), ["send_metrics"]);
}

#[test]
fn library_frames_have_the_recorded_shape() {
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
    };
    let shape = |frame: &Value| {
        (frame["type"].clone(), keys(frame), keys(&frame["data"]), keys(&frame["data"]["metrics"]))
    };
    let recorded = include_str!("../fixtures/library-frames.jsonl").lines();
    let known: Vec<_> = recorded.map(|line| shape(&serde_json::from_str(line).unwrap())).collect();
    let mut library = Library::new(owner(), Copies::Two(Rng::with_seed(1)));
    let mut effects = library.handle(Input::Opened, NOW_MS);
    effects.extend(receive(&mut library, AUTH_SUCCESS));
    effects.extend(fire(&mut library, Timer::Report));
    effects.extend(fire(&mut library, Timer::SecondCopy));
    effects.extend(library.handle(Input::Action(UserAction::Log(1)), NOW_MS));
    let sent = frames(&effects);
    assert_eq!(sent.len(), 5, "{sent:?}");
    for frame in sent {
        assert!(known.contains(&shape(frame)), "the library never sent {frame}");
    }
}

#[test]
fn each_report_is_sent_twice_within_10_ms() {
    let mut library = library(Copies::Two(Rng::with_seed(7)));
    for n in 1..=100 {
        let effects = fire(&mut library, Timer::Report);
        let [_, Effect::Send(first), Effect::SetExactTimer(Timer::SecondCopy, apart)] = &effects[..] else {
            panic!("a report and a timer: {effects:?}")
        };
        assert!(*apart < Duration::from_millis(10));
        let effects = fire(&mut library, Timer::SecondCopy);
        let second = &frames(&effects)[0]["data"];
        assert_eq!(second["metrics"], first["data"]["metrics"]);
        assert_eq!(second["metrics"]["process"]["uptime"], n);
        let stamp = second["timestamp"].as_str().unwrap().to_owned();
        assert!((iso(NOW_MS)..=iso(NOW_MS + 9)).contains(&stamp), "{stamp}");
    }
}

#[test]
fn reports_at_once_after_reconnecting() {
    let mut library = library(Copies::One);
    let reconnect = Effect::SetTimer(Timer::Reconnect, Duration::from_secs(3));
    assert_eq!(library.handle(Input::Closed, NOW_MS), [reconnect]);
    assert_eq!(types(&fire(&mut library, Timer::Report)), [""; 0]);
    assert_eq!(fire(&mut library, Timer::Reconnect), [Effect::Connect]);
    library.handle(Input::Opened, NOW_MS);
    assert_eq!(types(&fire(&mut library, Timer::Report)), ["send_metrics"]);
}

#[test]
fn library_gives_up_after_20_failed_handshakes() {
    let mut library = library(Copies::One);
    for _ in 0..1000 {
        assert_eq!(library.handle(Input::Closed, NOW_MS).len(), 1, "an accepted handshake starts again");
        library.handle(Input::Opened, NOW_MS);
    }
    for _ in 0..20 {
        assert_eq!(library.handle(Input::HandshakeFailed, NOW_MS).len(), 1);
    }
    assert_eq!(library.state(), &ModelState::Running);
    assert!(library.handle(Input::HandshakeFailed, NOW_MS).is_empty());
    assert_eq!(library.state(), &ModelState::GaveUp);
}

#[test]
fn log_lines_before_authentication_are_sent_after_it() {
    let mut library = opened(Library::new(owner(), Copies::One));
    assert!(library.handle(Input::Action(UserAction::Log(100)), NOW_MS).is_empty());
    let effects = receive(&mut library, AUTH_SUCCESS);
    assert_eq!(types(&effects).iter().filter(|kind| **kind == "logs").count(), 100);
}
