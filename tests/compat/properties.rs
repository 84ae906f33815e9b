//! Properties of the models on random frames: every frame that crashes one is listed as incompatible, and none sends more
//! than a few frames for each that it receives.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    Copies, Credentials, Dashboard, Effect, Input, Library, Model, ModelState, one_of, why_incompatible,
};

/// Random frames for each seed.
const ANSWERS: usize = 400;
const SEEDS: u64 = 20;
/// Most frames that a model sends for one received, without queued log lines.
const SENDS_PER_ANSWER: usize = 2;

const TYPES: [&str; 16] = [
    "auth_success",
    "auth_error",
    "status_response",
    "metrics",
    "logs",
    "history",
    "request_history",
    "get_last_actions",
    "command",
    "command_response",
    "clear",
    "error",
    "pong",
    "subscribed",
    "constructor",
    "",
];
const FIELDS: [&str; 14] = [
    "userId",
    "appId",
    "message",
    "success",
    "status",
    "logs",
    "data",
    "type",
    "enabled",
    "cpu",
    "metrics",
    "userExists",
    "appIsActive",
    "payload",
];

/// A value of any shape, with field names that the clients read.
fn any_value(rng: &mut Rng, depth: u64) -> Value {
    match rng.u64(..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.u64(..2) == 0),
        2 => json!(rng.u64(..100)),
        3 => json!(*one_of(rng, &["console_toggle", "encryption_toggle", "x"])),
        4 => json!([]),
        5 => json!({}),
        6 => (0..rng.u64(..3)).map(|_| any_value(rng, depth - 1)).collect(),
        _ => {
            let mut object = json!({});
            for _ in 0..rng.u64(..5) {
                object[*one_of(rng, &FIELDS)] = any_value(rng, depth - 1);
            }
            object
        }
    }
}

fn any_answer(rng: &mut Rng) -> String {
    if rng.u64(..50) == 0 {
        return (*one_of(rng, &["", "x", "null", "[]", "7", "{}", "\"auth_error\"", "{"])).to_owned();
    }
    let mut answer = json!({"type": *one_of(rng, &TYPES)});
    for field in ["payload", "data"] {
        if rng.u64(..4) > 0 {
            answer[field] = any_value(rng, 4);
        }
    }
    answer.to_string()
}

/// Passes random frames to a model, replaced whenever one stops it; returns how often that happened.
fn walk(fresh: impl Fn() -> Box<dyn Model>, seed: u64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let mut ended = 0;
    let mut model = fresh();
    for _ in 0..ANSWERS {
        let answer = any_answer(&mut rng);
        let effects = model.handle(Input::Received(answer.clone()), 0);
        let sent = effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count();
        assert!(sent <= SENDS_PER_ANSWER, "seed {seed}: {sent} frames upon {answer}");
        if *model.state() != ModelState::Running {
            let why = why_incompatible(model.kind(), &answer);
            assert!(why.is_some(), "seed {seed}: {:?} of {answer}, which is not on the list", model.state());
            ended += 1;
            model = fresh();
        }
    }
    ended
}

fn opened(mut model: impl Model) -> Box<dyn Model> {
    model.handle(Input::Started, 0);
    model.handle(Input::Opened, 0);
    Box::new(model)
}

#[test]
fn every_crash_of_the_library_is_listed_as_incompatible() {
    let fresh = || opened(Library::new(Credentials::new("u", "a"), Copies::One));
    let ended: usize = (0..SEEDS).map(|seed| walk(fresh, seed)).sum();
    assert!(ended > 500, "only {ended} random frames stopped a model");
}

#[test]
fn every_crash_of_the_dashboard_is_listed_as_incompatible() {
    let fresh = || opened(Dashboard::new(Credentials::new("u", "a")));
    let ended: usize = (0..SEEDS).map(|seed| walk(fresh, seed)).sum();
    assert!(ended > 500, "only {ended} random frames stopped a model");
}
