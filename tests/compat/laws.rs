//! Laws of the models themselves, on random answers: the list of what is deadly misses nothing that kills one, and
//! none sends more than a few frames for each that it is told.

use serde_json::{Value, json};

use super::{Copies, Credentials, Dashboard, Dice, Effect, Fate, Input, Library, Model, why_deadly};

/// Random answers for each seed.
const ANSWERS: usize = 400;
const SEEDS: u64 = 20;
/// Frames that one answer may make a model send, stored log lines aside.
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

/// A value of any shape, with the names that the parties read.
fn any_value(dice: &mut Dice, depth: u64) -> Value {
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(dice.below(100)),
        3 => json!(*dice.one_of(&["console_toggle", "encryption_toggle", "x"])),
        4 => json!([]),
        5 => json!({}),
        6 => (0..dice.below(3)).map(|_| any_value(dice, depth - 1)).collect(),
        _ => {
            let mut object = json!({});
            for _ in 0..dice.below(5) {
                object[*dice.one_of(&FIELDS)] = any_value(dice, depth - 1);
            }
            object
        }
    }
}

fn any_answer(dice: &mut Dice) -> String {
    if dice.below(50) == 0 {
        return (*dice.one_of(&["", "x", "null", "[]", "7", "{}", "\"auth_error\"", "{"])).to_owned();
    }
    let mut answer = json!({"type": *dice.one_of(&TYPES)});
    for field in ["payload", "data"] {
        if dice.below(4) > 0 {
            answer[field] = any_value(dice, 4);
        }
    }
    answer.to_string()
}

/// Feeds a fresh model random answers until it ends, and returns how many ended one.
fn walk(fresh: impl Fn() -> Box<dyn Model>, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let mut ended = 0;
    let mut model = fresh();
    for _ in 0..ANSWERS {
        let answer = any_answer(&mut dice);
        let effects = model.hear(Input::Received(answer.clone()), 0);
        let sent = effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count();
        assert!(sent <= SENDS_PER_ANSWER, "seed {seed}: {sent} frames upon {answer}");
        if *model.fate() != Fate::Living {
            let why = why_deadly(model.party(), &answer);
            assert!(why.is_some(), "seed {seed}: {:?} of {answer}, which is not on the list", model.fate());
            ended += 1;
            model = fresh();
        }
    }
    ended
}

fn opened(mut model: impl Model) -> Box<dyn Model> {
    model.hear(Input::Started, 0);
    model.hear(Input::Opened, 0);
    Box::new(model)
}

#[test]
fn whatever_ends_a_library_is_on_the_list_of_what_is_deadly() {
    let fresh = || opened(Library::new(Credentials::new("u", "a"), Copies::One));
    let ended: usize = (0..SEEDS).map(|seed| walk(fresh, seed)).sum();
    assert!(ended > 500, "only {ended} answers of the walk were deadly");
}

#[test]
fn whatever_ends_a_dashboard_is_on_the_list_of_what_is_deadly() {
    let fresh = || opened(Dashboard::new(Credentials::new("u", "a")));
    let ended: usize = (0..SEEDS).map(|seed| walk(fresh, seed)).sum();
    assert!(ended > 500, "only {ended} answers of the walk were deadly");
}
