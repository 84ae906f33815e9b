//! An hour of a dashboard's tab and a library's process, with time compressed: what they send because of what they are
//! answered, and what that costs. Ruled by the tables of protocol.md §2; the session row is a value, the function
//! instances are maps.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::session::LegacySession;
use crate::app::{App, DEFAULT_SHARDS, Status};
use crate::conversation::connection_cache::{ConnectionCache, FrameDecision};
use crate::conversation::{Answer, Conversation, Familiarity, Move, Question, Verdict};
use crate::frame::control::ControlFrame;
use crate::frame::outbound::deadly::hurt;
use crate::grant::{Grant, Role};
use crate::grant::{GrantedApps, Proof};
use crate::ids::{AppId, ConnectionId, Scope, UserId};
use crate::rejection::Rejection;
use crate::time::TimestampMs;
use crate::time::{HOUR_MS, SECOND_MS};

/// What a tab and a process may cost beyond reports, in frames of an hour: 1.5 a second in, 0.5 out.
const MAX_INBOUND: u64 = 5_400;
const MAX_OUTBOUND: u64 = 1_800;

/// The way of a frame from a client to the service, in milliseconds.
const LATENCY_MS: i64 = 20;

/// What the application is to the clients.
#[derive(Clone, Copy, PartialEq)]
enum Shop {
    Active,
    Inactive,
    NotTheirs,
}

/// The service: a session row for each connection, and instances that hear frames in turn.
struct Service {
    shop: Shop,
    rows: HashMap<ConnectionId, (LegacySession, u32)>,
    instances: Vec<ConnectionCache>,
    heard: usize,
    /// Calls of frames that were absorbed, and of all.
    absorbed_calls: Vec<u64>,
    calls: u64,
}

/// What passed between clients and service.
#[derive(Debug, Default, PartialEq)]
struct Traffic {
    inbound: u64,
    outbound: u64,
    closed: u64,
    by_type: BTreeMap<String, u64>,
}

impl Service {
    fn new(shop: Shop, instances: usize) -> Self {
        let instances = (0..instances).map(|_| ConnectionCache::default()).collect();
        Self { shop, rows: HashMap::new(), instances, heard: 0, absorbed_calls: Vec::new(), calls: 0 }
    }

    fn hear(&mut self, connection: &ConnectionId, role: Role, text: &str, at: TimestampMs) -> Verdict {
        let index = self.heard % self.instances.len();
        self.heard += 1;
        let instance = &mut self.instances[index];
        match instance.hear(connection, role, at) {
            FrameDecision::Accept => {}
            FrameDecision::Ignore => return Verdict::absorbed(),
            FrameDecision::Close => return Verdict { close: true, ..Verdict::absorbed() },
        }
        let remembered = instance.remembered(connection, at);
        let familiarity = Familiarity { role, fixed: None, remembered, log_room: 50 };
        let frame = ControlFrame::read(text).unwrap();
        let (mut conversation, mut next) = Conversation::hear_legacy(frame, familiarity, at);
        let mut calls = 0;
        let verdict = loop {
            match next {
                Move::End(verdict) => break verdict,
                Move::Ask(question) => {
                    calls += 1;
                    next = conversation.learn(self.answer(connection, question, role, at));
                }
            }
        };
        self.calls += calls;
        if verdict.tally.absorbed {
            self.absorbed_calls.push(calls);
        }
        if let Some(remembered) = conversation.remembered() {
            self.instances[index].remember(connection, remembered.clone(), at);
        }
        verdict
    }

    fn answer(&mut self, connection: &ConnectionId, asked: Question, role: Role, at: TimestampMs) -> Answer {
        let (row, refusals) = self.rows.entry(connection.clone()).or_default();
        match asked {
            Question::Recall => Answer::Recalled(row.clone()),
            Question::Claim(kind) if row.has_just_answered(kind, at) => Answer::Repeated(row.clone()),
            Question::Claim(kind) => {
                row.answered.insert(kind, at);
                Answer::Claimed(row.clone())
            }
            Question::Prove { .. } if self.shop == Shop::Active => Answer::Proved(Ok(granted(role))),
            Question::Prove { .. } => Answer::Proved(Err(Rejection::unauthorized())),
            Question::Welcome(grant) if row.grant.as_ref() == Some(&grant) => Answer::Gone,
            Question::Welcome(grant) => {
                *row = LegacySession {
                    grant: Some(grant),
                    welcomed_at: Some(at),
                    answered: row.answered.clone(),
                    ..LegacySession::default()
                };
                Answer::Done
            }
            Question::CountRefusal => {
                *refusals += 1;
                row.wrong_since.get_or_insert(at);
                row.wrong_at = Some(at);
                Answer::Refusals(*refusals)
            }
            Question::FindApp(_) => Answer::App(self.shop.registered().map(std::sync::Arc::new)),
            Question::May { .. } => Answer::Allowed(Ok(())),
            Question::ReadLast(_) => Answer::Last(None),
            Question::ReadLogs(_) => Answer::Logs(Vec::new()),
            Question::ReadCommands(_) => Answer::Commands(Vec::new()),
            _ => Answer::Done,
        }
    }
}

impl Shop {
    fn registered(self) -> Option<App> {
        let status = if self == Self::Active { Status::Active } else { Status::Inactive };
        (self != Self::NotTheirs).then(|| App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status,
            keys: vec![],
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            limits: Default::default(),
            retention: Default::default(),
            limited_until: None,
        })
    }
}

fn granted(role: Role) -> Grant {
    let scope = if role == Role::Program { Scope::Publish } else { Scope::View };
    let reach = GrantedApps::Apps(vec![AppId::new("shop").unwrap()]);
    Grant { user: UserId::new("ann").unwrap(), scope, reach, proof: Proof::Legacy, until: None }
}

/// One frame with the identity that both send, as the page or the process writes it.
fn frame(kind: &str) -> String {
    match kind {
        "get_last_actions" => json!({ "type": kind }).to_string(),
        "history" => json!({"type": kind, "ws_sent_config": {"response_type": "request_history"},
            "data": {"userId": "ann", "appId": "shop"}})
        .to_string(),
        _ => json!({"type": kind, "data": {"userId": "ann", "appId": "shop"}}).to_string(),
    }
}

/// What the dashboard sends because of an answer, and after how long.
fn page_reacts(answer: &Value) -> Vec<(&'static str, i64)> {
    match answer["type"].as_str().unwrap() {
        "status_response" if answer["payload"]["success"] == true => vec![("auth", 0)],
        "status_response" if answer["payload"]["status"]["userHasAccess"] == true => {
            vec![("check_status", 2 * SECOND_MS)]
        }
        "auth_success" => vec![("get_last_actions", 0), ("check_status", 0)],
        "auth_error" => vec![("auth", 0)],
        _ => vec![],
    }
}

/// What the library sends because of an answer.
fn process_reacts(answer: &Value) -> Vec<(&'static str, i64)> {
    if answer["type"] == "auth_success" { vec![("history", 0)] } else { vec![] }
}

/// One connection for an hour.
fn live_an_hour(service: &mut Service, name: &str, role: Role, traffic: &mut Traffic) {
    let connection = ConnectionId::new(name);
    let mut due: BTreeMap<(i64, usize), &'static str> = BTreeMap::new();
    let mut order = 0;
    let mut plan = |due: &mut BTreeMap<(i64, usize), &'static str>, at_ms: i64, kind: &'static str| {
        order += 1;
        due.insert((at_ms, order), kind);
    };
    plan(&mut due, 0, "auth");
    if role == Role::Page {
        plan(&mut due, 0, "check_status");
        for every_ms in [4 * SECOND_MS, 10 * SECOND_MS] {
            (1..=HOUR_MS / every_ms).for_each(|turn| plan(&mut due, turn * every_ms, "check_status"));
        }
    }
    let start = TimestampMs::clamped(1_800_000_000_000);
    while let Some(((at_ms, _), kind)) = due.pop_first().filter(|((at_ms, _), _)| *at_ms < HOUR_MS) {
        traffic.inbound += 1;
        let verdict = service.hear(&connection, role, &frame(kind), start.plus_ms(at_ms));
        for text in &verdict.frames {
            assert_eq!(hurt(text, role), None, "{text}");
            let answer: Value = serde_json::from_str(text).unwrap();
            traffic.outbound += 1;
            *traffic.by_type.entry(answer["type"].as_str().unwrap().to_owned()).or_default() += 1;
            let reactions = if role == Role::Page { page_reacts(&answer) } else { process_reacts(&answer) };
            for (kind, after_ms) in reactions {
                plan(&mut due, at_ms + LATENCY_MS + after_ms, kind);
            }
        }
        if verdict.close {
            traffic.closed += 1;
            return;
        }
    }
}

fn hour(service: &mut Service, tabs: usize) -> Traffic {
    let mut traffic = Traffic::default();
    live_an_hour(service, "library=", Role::Program, &mut traffic);
    for tab in 0..tabs {
        live_an_hour(service, &format!("tab-{tab}="), Role::Page, &mut traffic);
    }
    traffic
}

fn told(by_type: &[(&str, u64)]) -> BTreeMap<String, u64> {
    by_type.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[test]
fn an_hour_of_a_tab_and_a_process_costs_what_it_may() {
    for instances in [1, 2, 7] {
        let mut service = Service::new(Shop::Active, instances);
        let traffic = hour(&mut service, 1);
        assert!(traffic.inbound <= MAX_INBOUND && traffic.outbound <= MAX_OUTBOUND, "{traffic:?}");
        assert_eq!(traffic.closed, 0);
        let by_type =
            [("auth_success", 2), ("get_last_actions", 1), ("request_history", 1), ("status_response", 900)];
        assert_eq!((traffic.inbound, traffic.outbound), (2_164, 904), "{instances}");
        assert_eq!(traffic.by_type, told(&by_type), "{instances}");
    }
}

#[test]
fn what_is_absorbed_costs_a_call_at_most_and_none_where_an_instance_knows() {
    for (instances, calls) in [(1, 0..=70), (7, 0..=560)] {
        let mut service = Service::new(Shop::Active, instances);
        hour(&mut service, 1);
        assert!(service.absorbed_calls.iter().all(|calls| *calls <= 1));
        let spent: u64 = service.absorbed_calls.iter().sum();
        assert!(calls.contains(&spent), "{instances} instances spent {spent} calls on what they absorbed");
        assert_eq!(service.absorbed_calls.len(), 1_260);
    }
}

#[test]
fn a_hundred_tabs_cost_a_hundred_times_a_tab_and_not_more() {
    let one = hour(&mut Service::new(Shop::Active, 3), 1);
    let process = hour(&mut Service::new(Shop::Active, 3), 0);
    let hundred = hour(&mut Service::new(Shop::Active, 3), 100);
    assert_eq!(hundred.inbound - process.inbound, 100 * (one.inbound - process.inbound));
    assert_eq!(hundred.outbound - process.outbound, 100 * (one.outbound - process.outbound));
}

#[test]
fn an_app_that_is_switched_off_or_not_theirs_costs_no_more() {
    for (shop, inbound, by_type) in [
        (Shop::Inactive, 2_162, [("auth_error", 1), ("status_response", 900)]),
        (Shop::NotTheirs, 1_262, [("auth_error", 1), ("status_response", 900)]),
    ] {
        for instances in [1, 7] {
            let traffic = hour(&mut Service::new(shop, instances), 1);
            assert!(traffic.inbound <= MAX_INBOUND && traffic.outbound <= MAX_OUTBOUND, "{traffic:?}");
            assert_eq!((traffic.inbound, traffic.closed), (inbound, 0));
            assert_eq!(traffic.by_type, told(&by_type));
        }
    }
}
