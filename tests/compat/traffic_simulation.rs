//! One hour of the models' time without a socket: the frames that a well-behaved service costs, and the flood that one
//! causes which replies to everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    ClientKind, Copies, Credentials, Dashboard, Effect, FrameCounts, Input, Library, Model, ModelState, Timer,
};

const HOUR_MS: i64 = 3_600_000;
/// One-way latency between a client and the service.
const WAY_MS: i64 = 20;
/// A service that replies to everything sends at least this many replies within a minute.
const STORM_MIN: u64 = 1000;

/// What the application is to its clients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Application {
    Active,
    Inactive,
    Foreign,
}

/// A service with one application.
#[derive(Clone, Copy)]
struct Service {
    application: Application,
    /// Whether it leaves repeated requests unanswered, as docs/PROTOCOL.md requires.
    replies_sparingly: bool,
    has_answered_auth: bool,
    last_status_ms: i64,
}

impl Service {
    fn new(application: Application, replies_sparingly: bool) -> Self {
        Self { application, replies_sparingly, has_answered_auth: false, last_status_ms: -HOUR_MS }
    }

    fn answers(&mut self, frame: &Value, client: ClientKind, now_ms: i64) -> Vec<Value> {
        let is_active = self.application == Application::Active;
        match frame["type"].as_str().unwrap_or_default() {
            "auth" if !self.replies_sparingly || !self.has_answered_auth => self.auth(client, now_ms),
            "check_status" => self.status(now_ms),
            "get_last_actions" => vec![json!({"type": "get_last_actions", "payload": []})],
            "history" if is_active => vec![json!({"type": "request_history", "payload": {"logs": []}})],
            _ => Vec::new(),
        }
    }

    fn auth(&mut self, client: ClientKind, now_ms: i64) -> Vec<Value> {
        let success = json!({"type": "auth_success", "payload": {"userId": "u", "appId": "a"}});
        let error = json!({"type": "auth_error", "payload": {"message": "unknown"}});
        let notice = json!({"type": "command", "data": {"type": "NSL: why"}});
        if (self.application, client) == (Application::Inactive, ClientKind::Dashboard) {
            return self.status(now_ms);
        }
        self.has_answered_auth = true;
        match (self.application, client) {
            (Application::Active, _) => vec![success],
            (Application::Inactive, _) => vec![success, notice],
            (Application::Foreign, ClientKind::Library) => vec![notice],
            (Application::Foreign, ClientKind::Dashboard) => vec![error],
        }
    }

    fn status(&mut self, now_ms: i64) -> Vec<Value> {
        if self.replies_sparingly && now_ms - self.last_status_ms < 4000 {
            return Vec::new();
        }
        self.last_status_ms = now_ms;
        let is_own = self.application != Application::Foreign;
        let is_active = self.application == Application::Active;
        let status = json!({"userExists": true, "appExists": is_own, "userHasAccess": is_own,
            "appIsActive": is_active});
        let payload = json!({"success": is_active, "message": "m", "status": status});
        vec![json!({"type": "status_response", "payload": payload})]
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
            let follow = match effect {
                Effect::Connect => vec![(now_ms + WAY_MS, Input::Opened)],
                Effect::SetTimer(timer, after) | Effect::SetExactTimer(timer, after) => {
                    let after_ms = i64::try_from(after.as_millis()).expect("a short time");
                    vec![(now_ms + after_ms, Input::TimerFired(timer))]
                }
                Effect::Send(frame) => {
                    counts.send(&frame);
                    let answers = service.answers(&frame, model.kind(), now_ms + WAY_MS).into_iter();
                    answers.map(|answer| (now_ms + 2 * WAY_MS, Input::Received(answer.to_string()))).collect()
                }
            };
            for (at_ms, input) in follow {
                events.push(Reverse((at_ms, inputs.len())));
                inputs.push((at_ms, input));
            }
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

/// The figures of docs/DATA_MODEL.md, "What the library's dialect costs".
#[test]
fn one_hour_costs_the_documented_frames() {
    for (application, asked, answered) in [
        (Application::Active, 2_164, 904),
        (Application::Inactive, 2_162, 901),
        (Application::Foreign, 1_262, 901),
    ] {
        let (state, mut counts) = live(tab(), Service::new(application, true), HOUR_MS);
        assert_eq!(state, ModelState::Running);
        let (state, library) = live(library(), Service::new(application, true), HOUR_MS);
        assert_eq!(state, ModelState::Running);
        counts.merge(library);
        // The one command of the tab's metrics page is not among them.
        assert_eq!((counts.asked() - 1, counts.answered()), (asked, answered), "{application:?}");
        if application == Application::Active {
            let reports = counts.sent().of("send_metrics");
            assert!((7190..=7200).contains(&reports), "{reports} reports in an hour, twice over");
            let received = counts.received();
            let kinds = ["status_response", "auth_success", "get_last_actions", "request_history"];
            assert_eq!(kinds.map(|kind| received.of(kind)), [900, 2, 1, 1]);
        }
    }
}

#[test]
fn service_that_always_replies_is_flooded() {
    let (_, counts) = live(tab(), Service::new(Application::Active, false), 60_000);
    assert!(counts.answered() > STORM_MIN, "{} answers in a minute", counts.answered());
}
