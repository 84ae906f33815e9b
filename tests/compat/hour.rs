//! An hour of the models' own time without a socket: what a service costs that keeps the rules, and what becomes of
//! one that answers whatever it is asked.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::{Value, json};

use super::{Alarm, Copies, Credentials, Dashboard, Dice, Effect, Fate, Input, Library, Model, Tally};

const HOUR_MS: i64 = 3_600_000;
/// One way between a party and the service.
const WAY_MS: i64 = 20;
/// What a tab and a library may cost together, beyond reports: frames a second, to the service and from it.
const ASKED_MAX: f64 = 1.5;
const ANSWERED_MAX: f64 = 0.5;
/// A service that answers whatever it is asked answers this often within a minute, or it proves nothing.
const STORM_MIN: u64 = 1000;

/// A service that knows one application.
#[derive(Clone, Copy)]
struct Service {
    /// Whether it keeps silent where the rules say so.
    is_wise: bool,
    was_welcomed: bool,
    last_status_ms: i64,
}

impl Service {
    fn new(is_wise: bool) -> Self {
        Self { is_wise, was_welcomed: false, last_status_ms: -HOUR_MS }
    }

    fn answer(&mut self, frame: &Value, now_ms: i64) -> Option<Value> {
        match frame["type"].as_str()? {
            "auth" if !self.is_wise || !self.was_welcomed => {
                self.was_welcomed = true;
                Some(json!({"type": "auth_success", "payload": {"userId": "u", "appId": "a"}}))
            }
            "check_status" if !self.is_wise || now_ms - self.last_status_ms >= 4000 => {
                self.last_status_ms = now_ms;
                let status = json!({"userExists": true, "appExists": true, "userHasAccess": true,
                    "appIsActive": true});
                let payload = json!({"success": true, "message": "well", "status": status});
                Some(json!({"type": "status_response", "payload": payload}))
            }
            "get_last_actions" => Some(json!({"type": "get_last_actions", "payload": []})),
            "history" => Some(json!({"type": "request_history", "payload": {"logs": []}})),
            _ => None,
        }
    }
}

/// Lets a model live with the service until `end_ms`, or until a thousand answers show that there is no end.
fn live(mut model: impl Model, mut service: Service, end_ms: i64) -> (Fate, Tally) {
    let mut tally = Tally::default();
    tally.open();
    let mut events = BinaryHeap::new();
    let mut inputs = vec![(0, Input::Started)];
    while let Some((now_ms, input)) = next(&mut events, &mut inputs) {
        if now_ms >= end_ms || tally.answered() > STORM_MIN * 10 {
            break;
        }
        if let Input::Received(text) = &input {
            tally.receive(&serde_json::from_str(text).expect("the service sends JSON"));
        }
        for effect in model.hear(input, now_ms) {
            let (at_ms, follows) = match effect {
                Effect::Connect => (now_ms + WAY_MS, Input::Opened),
                Effect::Wake(alarm, after) | Effect::WakeExactly(alarm, after) => {
                    (now_ms + i64::try_from(after.as_millis()).expect("a short time"), Input::Rang(alarm))
                }
                Effect::Send(frame) => {
                    tally.send(&frame);
                    let Some(answer) = service.answer(&frame, now_ms + WAY_MS) else { continue };
                    (now_ms + 2 * WAY_MS, Input::Received(answer.to_string()))
                }
            };
            events.push(Reverse((at_ms, inputs.len())));
            inputs.push((at_ms, follows));
        }
    }
    (model.fate().clone(), tally)
}

/// The earliest event; the first of all is the start.
fn next(events: &mut BinaryHeap<Reverse<(i64, usize)>>, inputs: &mut [(i64, Input)]) -> Option<(i64, Input)> {
    let index = match events.pop() {
        Some(Reverse((_, index))) => index,
        None if inputs.len() == 1 => 0,
        None => return None,
    };
    let spent = (inputs[index].0, Input::Rang(Alarm::Echo));
    Some(std::mem::replace(&mut inputs[index], spent))
}

fn tab() -> Dashboard {
    Dashboard::new(Credentials::new("u", "a"))
}

fn library() -> Library {
    Library::new(Credentials::new("u", "a"), Copies::Two(Dice::new(1)))
}

#[test]
fn an_hour_of_a_tab_and_a_library_costs_what_is_allowed_where_the_service_keeps_the_rules() {
    let (fate, tab) = live(tab(), Service::new(true), HOUR_MS);
    assert_eq!(fate, Fate::Living);
    let (fate, library) = live(library(), Service::new(true), HOUR_MS);
    assert_eq!(fate, Fate::Living);
    let reports = library.sent().of("send_metrics");
    assert!((7190..=7200).contains(&reports), "{reports} reports in an hour, twice over");
    #[expect(clippy::cast_precision_loss, reason = "counts of an hour are small")]
    let a_second = |frames: u64| frames as f64 / 3600.0;
    let (asked, answered) =
        (a_second(tab.asked() + library.asked()), a_second(tab.answered() + library.answered()));
    println!("an hour of one tab and one library: {asked:.3} frames a second in, {answered:.3} out");
    assert!(asked <= ASKED_MAX && answered <= ANSWERED_MAX, "{asked} in, {answered} out");
}

#[test]
fn a_service_that_answers_whatever_it_is_asked_is_asked_for_ever() {
    let (_, tally) = live(tab(), Service::new(false), 60_000);
    assert!(tally.answered() > STORM_MIN, "{} answers in a minute", tally.answered());
}
