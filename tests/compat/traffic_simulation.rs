//! One hour of the models' time without a socket: the frames that a well-behaved service costs, and the flood that one
//! causes which replies to everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Copies, Credentials, Dashboard, Effect, FrameCounts, Input, Library, Model, ModelState, Timer};

const HOUR_MS: i64 = 3_600_000;
/// One-way latency between a client and the service.
const WAY_MS: i64 = 20;
/// Most frames a second of a tab and a library together, without reports: requests and replies.
const ASKED_MAX: f64 = 1.5;
const ANSWERED_MAX: f64 = 0.5;
/// A service that replies to everything sends at least this many replies within a minute.
const STORM_MIN: u64 = 1000;

/// A service with one application.
#[derive(Clone, Copy)]
struct Service {
    /// Whether it leaves repeated requests unanswered, as docs/PROTOCOL.md requires.
    replies_sparingly: bool,
    has_authenticated: bool,
    last_status_ms: i64,
}

impl Service {
    fn new(replies_sparingly: bool) -> Self {
        Self { replies_sparingly, has_authenticated: false, last_status_ms: -HOUR_MS }
    }

    fn answer(&mut self, frame: &Value, now_ms: i64) -> Option<Value> {
        match frame["type"].as_str()? {
            "auth" if !self.replies_sparingly || !self.has_authenticated => {
                self.has_authenticated = true;
                Some(json!({"type": "auth_success", "payload": {"userId": "u", "appId": "a"}}))
            }
            "check_status" if !self.replies_sparingly || now_ms - self.last_status_ms >= 4000 => {
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

/// Runs a model with the service until `end_ms`, or until the replies show a flood.
fn live(mut model: impl Model, mut service: Service, end_ms: i64) -> (ModelState, FrameCounts) {
    let mut counts = FrameCounts::default();
    counts.open();
    let mut events = BinaryHeap::new();
    let mut inputs = vec![(0, Input::Started)];
    while let Some((now_ms, input)) = next(&mut events, &mut inputs) {
        if now_ms >= end_ms || counts.answered() > STORM_MIN * 10 {
            break;
        }
        if let Input::Received(text) = &input {
            counts.receive(&serde_json::from_str(text).expect("the service sends JSON"));
        }
        for effect in model.handle(input, now_ms) {
            let (at_ms, follows) = match effect {
                Effect::Connect => (now_ms + WAY_MS, Input::Opened),
                Effect::SetTimer(timer, after) | Effect::SetExactTimer(timer, after) => (
                    now_ms + i64::try_from(after.as_millis()).expect("a short time"),
                    Input::TimerFired(timer),
                ),
                Effect::Send(frame) => {
                    counts.send(&frame);
                    let Some(answer) = service.answer(&frame, now_ms + WAY_MS) else { continue };
                    (now_ms + 2 * WAY_MS, Input::Received(answer.to_string()))
                }
            };
            events.push(Reverse((at_ms, inputs.len())));
            inputs.push((at_ms, follows));
        }
    }
    (model.state().clone(), counts)
}

/// The earliest event, first of all the start.
fn next(events: &mut BinaryHeap<Reverse<(i64, usize)>>, inputs: &mut [(i64, Input)]) -> Option<(i64, Input)> {
    let index = match events.pop() {
        Some(Reverse((_, index))) => index,
        None if inputs.len() == 1 => 0,
        None => return None,
    };
    let spent = (inputs[index].0, Input::TimerFired(Timer::SecondCopy));
    Some(std::mem::replace(&mut inputs[index], spent))
}

fn tab() -> Dashboard {
    Dashboard::new(Credentials::new("u", "a"))
}

fn library() -> Library {
    Library::new(Credentials::new("u", "a"), Copies::Two(Rng::with_seed(1)))
}

#[test]
fn one_hour_stays_within_the_frame_budget() {
    let (state, tab) = live(tab(), Service::new(true), HOUR_MS);
    assert_eq!(state, ModelState::Running);
    let (state, library) = live(library(), Service::new(true), HOUR_MS);
    assert_eq!(state, ModelState::Running);
    let reports = library.sent().of("send_metrics");
    assert!((7190..=7200).contains(&reports), "{reports} reports in an hour, twice over");
    #[expect(clippy::cast_precision_loss, reason = "counts of an hour are small")]
    let a_second = |frames: u64| frames as f64 / 3600.0;
    let (asked, answered) =
        (a_second(tab.asked() + library.asked()), a_second(tab.answered() + library.answered()));
    println!("one hour of a tab and a library: {asked:.3} frames a second in, {answered:.3} out");
    assert!(asked <= ASKED_MAX && answered <= ANSWERED_MAX, "{asked} in, {answered} out");
}

#[test]
fn service_that_always_replies_is_flooded() {
    let (_, counts) = live(tab(), Service::new(false), 60_000);
    assert!(counts.answered() > STORM_MIN, "{} answers in a minute", counts.answered());
}
