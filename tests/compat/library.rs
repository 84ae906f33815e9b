//! The published library inside a host application: reports once a second and twice over, and dies of much.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::script::{Thrown, elements, message, path, property, switched};
use super::{Alarm, Credentials, Dice, Effect, Fate, Input, Model, Party, Wish};
use crate::system::harness::{iso, recorded_documents};

/// Between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Between the loss of a connection and the next attempt.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);
/// Failed handshakes in a row after which it stays away for good.
const HANDSHAKES_MAX: u32 = 20;
/// The second copy of a report comes fewer milliseconds than this after the first.
const ECHO_MS_BELOW: u64 = 10;

/// Processes that were started: each uses as much memory more than the one before. Of two real ones no two reports
/// are the same document either, which two models that tick in the same millisecond would otherwise send.
static PROCESSES: AtomicU64 = AtomicU64::new(0);

/// How often it sends each report.
#[derive(Clone, Debug)]
pub(crate) enum Copies {
    One,
    /// Twice, at distances that the dice tell.
    Two(Dice),
}

pub(crate) struct Library {
    credentials: Credentials,
    copies: Copies,
    /// What its version calls a report: `send_metrics`, or `metrics` before that.
    report_type: &'static str,
    documents: &'static [Value],
    /// Bytes that its process uses beyond the recorded ones.
    memory: u64,
    is_open: bool,
    /// Set by `auth_success` and never taken back: it reports on its next connection before that is welcomed.
    is_welcome: bool,
    attempts: u32,
    fate: Fate,
    waiting_lines: Vec<Value>,
    echoes: VecDeque<Value>,
    reported: u64,
    lines: u64,
    history_lengths: Vec<usize>,
    commands: Vec<(String, bool)>,
}

impl Library {
    pub(crate) fn new(credentials: Credentials, copies: Copies) -> Self {
        Self {
            credentials,
            copies,
            report_type: "send_metrics",
            documents: recorded_documents(),
            memory: PROCESSES.fetch_add(1, Ordering::Relaxed),
            is_open: false,
            is_welcome: false,
            attempts: 0,
            fate: Fate::Living,
            waiting_lines: Vec::new(),
            echoes: VecDeque::new(),
            reported: 0,
            lines: 0,
            history_lengths: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// A version from before reports were called `send_metrics`.
    pub(crate) fn of_old(credentials: Credentials, copies: Copies) -> Self {
        Self { report_type: "metrics", ..Self::new(credentials, copies) }
    }

    /// Reports that left it, copies not counted. The `n`th is told by its `process.uptime`, which is `n` seconds.
    pub(crate) fn reported(&self) -> u64 {
        self.reported
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    /// How many entries each history held that it was given.
    pub(crate) fn history_lengths(&self) -> &[usize] {
        &self.history_lengths
    }

    /// The switches that were thrown, in the order in which it heard of them.
    pub(crate) fn commands(&self) -> &[(String, bool)] {
        &self.commands
    }

    fn open(&mut self) -> Vec<Effect> {
        self.is_open = true;
        self.attempts = 0;
        vec![Effect::Send(self.credentials.frame("auth", json!({})))]
    }

    fn come_back(&mut self) -> Vec<Effect> {
        self.is_open = false;
        if self.attempts >= HANDSHAKES_MAX {
            self.fate = Fate::GaveUp;
            return Vec::new();
        }
        self.attempts += 1;
        vec![Effect::Wake(Alarm::Reconnect, RECONNECT_AFTER)]
    }

    fn report(&mut self, now_ms: i64) -> Vec<Effect> {
        let again = Effect::Wake(Alarm::Report, REPORT_EVERY);
        if !self.is_open || !self.is_welcome {
            return vec![again];
        }
        self.reported += 1;
        let index = usize::try_from(self.reported).expect("a small number") % self.documents.len();
        let mut metrics = self.documents[index].clone();
        // Distinct numbers, as a process that grows older has them.
        metrics["process"]["uptime"] = json!(self.reported);
        let used = metrics["process"]["memoryUsage"]["rss"].as_u64().expect("a process uses memory");
        metrics["process"]["memoryUsage"]["rss"] = json!(used + self.memory);
        let first = self.report_frame(&metrics, now_ms);
        let Copies::Two(dice) = &mut self.copies else { return vec![again, Effect::Send(first)] };
        let apart_ms = dice.below(ECHO_MS_BELOW);
        let stamp_ms = now_ms + i64::try_from(dice.below(apart_ms + 1)).expect("a few milliseconds");
        let echo = self.report_frame(&metrics, stamp_ms);
        self.echoes.push_back(echo);
        let wake = Effect::WakeExactly(Alarm::Echo, Duration::from_millis(apart_ms));
        vec![again, Effect::Send(first), wake]
    }

    fn report_frame(&self, metrics: &Value, stamp_ms: i64) -> Value {
        self.credentials.frame(self.report_type, json!({"metrics": metrics, "timestamp": iso(stamp_ms)}))
    }

    fn log(&mut self, count: u32, now_ms: i64) -> Vec<Effect> {
        let mut frames = Vec::new();
        for _ in 0..count {
            self.lines += 1;
            let id = format!("{:032x}", self.lines);
            let entry = json!({"id": id, "timestamp": iso(now_ms), "level": "info",
                "message": format!("line {}", self.lines), "metadata": {"n": self.lines}});
            frames.push(self.credentials.frame("logs", json!({"logs": [entry]})));
        }
        if !self.is_welcome {
            self.waiting_lines.extend(frames);
            return Vec::new();
        }
        // What is logged between two connections is lost.
        if self.is_open { frames.into_iter().map(Effect::Send).collect() } else { Vec::new() }
    }

    /// What a frame makes it do, or what it dies of.
    fn read(&mut self, text: &str) -> Result<Vec<Effect>, Thrown> {
        let (message, kind) = message(text)?;
        match kind.as_str() {
            "auth_success" => self.welcome(&message),
            "auth_error" => Err(format!("auth error: {}", message["payload"]["message"])),
            "clear" => Ok(vec![Effect::Send(json!({"type": "clear"}))]),
            "metrics" => path(&message, &["payload", "metrics"]).map(|_| Vec::new()),
            "logs" => self.read_logs(&message),
            "request_history" => {
                let logs = elements(path(&message, &["payload", "logs"])?, "the history's logs")?;
                self.history_lengths.push(logs.len());
                Ok(Vec::new())
            }
            "command" => self.obey(message.get("data")),
            "get_last_actions" => {
                for action in elements(message.get("payload"), "the list of actions")? {
                    self.obey(property(Some(action), "data")?)?;
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn welcome(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        path(message, &["payload", "userId"])?.ok_or("auth_success names no user")?;
        self.is_welcome = true;
        let mut effects: Vec<Effect> =
            mem::take(&mut self.waiting_lines).into_iter().map(Effect::Send).collect();
        let mut history = self.credentials.frame("history", json!({}));
        history["ws_sent_config"] = json!({"response_type": "request_history"});
        effects.push(Effect::Send(history));
        Ok(effects)
    }

    fn read_logs(&self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let logs = path(message, &["payload", "logs"])?;
        if logs.is_some_and(|logs| !logs.is_null()) {
            elements(logs, "the list of logs")?;
        }
        Ok(Vec::new())
    }

    fn obey(&mut self, command: Option<&Value>) -> Result<Vec<Effect>, Thrown> {
        if let Some((kind, enabled)) = switched(command)? {
            self.commands.push((kind.to_owned(), enabled));
        }
        Ok(Vec::new())
    }
}

impl Model for Library {
    fn hear(&mut self, input: Input, now_ms: i64) -> Vec<Effect> {
        if self.fate != Fate::Living {
            return Vec::new();
        }
        match input {
            Input::Started => vec![Effect::Connect, Effect::Wake(Alarm::Report, REPORT_EVERY)],
            Input::Opened => self.open(),
            Input::HandshakeFailed | Input::Closed => self.come_back(),
            Input::Rang(Alarm::Reconnect) => vec![Effect::Connect],
            Input::Rang(Alarm::Report) => self.report(now_ms),
            Input::Rang(Alarm::Echo) => {
                let echo = self.echoes.pop_front().filter(|_| self.is_open);
                echo.into_iter().map(Effect::Send).collect()
            }
            Input::Rang(_) => Vec::new(),
            Input::Wished(Wish::Log(count)) => self.log(count, now_ms),
            Input::Wished(_) => Vec::new(),
            Input::Received(text) => self.read(&text).unwrap_or_else(|thrown| {
                self.fate = Fate::Died(thrown);
                Vec::new()
            }),
        }
    }

    fn fate(&self) -> &Fate {
        &self.fate
    }

    fn party(&self) -> Party {
        Party::Library
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_352_461_387;
    const WELCOME: &str = r#"{"type":"auth_success","payload":{"appId":"shop","userId":"nehonix_1"}}"#;

    fn library(copies: Copies) -> Library {
        let mut library = Library::new(Credentials::new("nehonix_1", "shop"), copies);
        library.hear(Input::Started, NOW_MS);
        library.hear(Input::Opened, NOW_MS);
        library
    }

    fn welcomed(copies: Copies) -> Library {
        let mut library = library(copies);
        library.hear(Input::Received(WELCOME.to_owned()), NOW_MS);
        library
    }

    fn frames(effects: &[Effect]) -> Vec<&Value> {
        effects
            .iter()
            .filter_map(|effect| if let Effect::Send(frame) = effect { Some(frame) } else { None })
            .collect()
    }

    fn fate_after(text: &str) -> Fate {
        let mut library = welcomed(Copies::One);
        library.hear(Input::Received(text.to_owned()), NOW_MS);
        library.fate().clone()
    }

    #[test]
    fn it_authenticates_when_it_opens_and_asks_for_history_when_it_is_welcome() {
        let mut library = Library::new(Credentials::new("nehonix_1", "shop"), Copies::One);
        assert!(library.hear(Input::Started, NOW_MS).contains(&Effect::Connect));
        let opened = library.hear(Input::Opened, NOW_MS);
        let auth = json!({"type": "auth", "data": {"userId": "nehonix_1", "appId": "shop"}});
        assert_eq!(opened, [Effect::Send(auth)]);
        assert!(
            frames(&library.hear(Input::Rang(Alarm::Report), NOW_MS)).is_empty(),
            "it is not welcome yet"
        );
        let history = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
            "data": {"userId": "nehonix_1", "appId": "shop"}});
        assert_eq!(library.hear(Input::Received(WELCOME.to_owned()), NOW_MS), [Effect::Send(history)]);
    }

    #[test]
    fn its_frames_are_those_that_were_recorded_from_the_real_one() {
        let recorded: Vec<Value> = include_str!("../fixtures/library-frames.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let shape = |frame: &Value| {
            let keys = |value: &Value| -> Vec<String> {
                value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
            };
            (frame["type"].clone(), keys(frame), keys(&frame["data"]), keys(&frame["data"]["metrics"]))
        };
        let known: Vec<_> = recorded.iter().map(shape).collect();
        let mut library = Library::new(Credentials::new("u", "a"), Copies::Two(Dice::new(1)));
        let mut effects = library.hear(Input::Opened, NOW_MS);
        effects.extend(library.hear(Input::Received(WELCOME.to_owned()), NOW_MS));
        effects.extend(library.hear(Input::Rang(Alarm::Report), NOW_MS));
        effects.extend(library.hear(Input::Rang(Alarm::Echo), NOW_MS));
        effects.extend(library.hear(Input::Wished(Wish::Log(1)), NOW_MS));
        let sent = frames(&effects);
        assert_eq!(sent.len(), 5, "{sent:?}");
        for frame in sent {
            assert!(known.contains(&shape(frame)), "the real one never sent {frame}");
        }
    }

    #[test]
    fn a_report_comes_twice_within_ten_milliseconds_and_its_document_is_the_same() {
        let mut library = welcomed(Copies::Two(Dice::new(7)));
        for n in 1..=100 {
            let effects = library.hear(Input::Rang(Alarm::Report), NOW_MS);
            let first = frames(&effects)[0].clone();
            let apart = effects.iter().find_map(|effect| match effect {
                Effect::WakeExactly(Alarm::Echo, apart) => Some(*apart),
                _ => None,
            });
            assert!(apart.is_some_and(|apart| apart < Duration::from_millis(10)));
            let effects = library.hear(Input::Rang(Alarm::Echo), NOW_MS);
            let echo = frames(&effects)[0];
            assert_eq!(echo["data"]["metrics"], first["data"]["metrics"]);
            assert_eq!(echo["data"]["metrics"]["process"]["uptime"], n);
            let stamps = [&first, echo].map(|frame| frame["data"]["timestamp"].as_str().unwrap().to_owned());
            assert!((iso(NOW_MS)..=iso(NOW_MS + 9)).contains(&stamps[1]), "{stamps:?}");
        }
    }

    #[test]
    fn it_dies_of_what_the_table_says_and_of_nothing_else() {
        for deadly in [
            "",
            "no json",
            "null",
            r#"{"type":"auth_error","payload":{"message":"x"}}"#,
            r#"{"type":"auth_success","payload":{"appId":"shop"}}"#,
            r#"{"type":"auth_success"}"#,
            r#"{"type":"get_last_actions","payload":{}}"#,
            r#"{"type":"get_last_actions","payload":[{"type":"console_toggle"}]}"#,
            r#"{"type":"command"}"#,
            r#"{"type":"command","data":{"type":"console_toggle"}}"#,
            r#"{"type":"request_history","payload":[]}"#,
            r#"{"type":"logs"}"#,
            r#"{"type":"logs","payload":{"logs":{}}}"#,
        ] {
            assert!(matches!(fate_after(deadly), Fate::Died(_)), "it lived on after {deadly}");
        }
        for harmless in [
            "{}",
            "[]",
            "7",
            r#"{"type":"status_response"}"#,
            r#"{"type":"error","payload":{"code":"unavailable"}}"#,
            r#"{"type":"metrics","payload":{}}"#,
            r#"{"type":"logs","payload":[]}"#,
            r#"{"type":"history","payload":null}"#,
            r#"{"type":"get_last_actions","payload":[]}"#,
            r#"{"type":"command","data":{"type":"get_metrics"}}"#,
            r#"{"message":"Internal server error","connectionId":"x=","requestId":"y="}"#,
        ] {
            assert_eq!(fate_after(harmless), Fate::Living, "it died of {harmless}");
        }
    }

    #[test]
    fn it_answers_a_clear_with_a_clear() {
        let effects = welcomed(Copies::One).hear(Input::Received(r#"{"type":"clear"}"#.into()), NOW_MS);
        assert_eq!(effects, [Effect::Send(json!({"type": "clear"}))]);
    }

    #[test]
    fn it_remembers_that_it_was_welcome_and_reports_on_its_next_connection_at_once() {
        let mut library = welcomed(Copies::One);
        assert_eq!(library.hear(Input::Closed, NOW_MS), [Effect::Wake(Alarm::Reconnect, RECONNECT_AFTER)]);
        assert!(frames(&library.hear(Input::Rang(Alarm::Report), NOW_MS)).is_empty());
        assert_eq!(library.hear(Input::Rang(Alarm::Reconnect), NOW_MS), [Effect::Connect]);
        library.hear(Input::Opened, NOW_MS);
        assert_eq!(frames(&library.hear(Input::Rang(Alarm::Report), NOW_MS)).len(), 1);
    }

    #[test]
    fn it_gives_up_after_twenty_failed_handshakes_in_a_row_and_not_before() {
        let mut library = library(Copies::One);
        for _ in 0..19 {
            library.hear(Input::HandshakeFailed, NOW_MS);
        }
        library.hear(Input::Opened, NOW_MS);
        for _ in 0..20 {
            assert_eq!(library.hear(Input::HandshakeFailed, NOW_MS).len(), 1);
        }
        assert!(library.hear(Input::HandshakeFailed, NOW_MS).is_empty());
        assert_eq!(library.fate(), &Fate::GaveUp);
    }

    #[test]
    fn one_that_is_accepted_and_closed_comes_back_for_ever() {
        let mut library = library(Copies::One);
        for _ in 0..1000 {
            assert_eq!(library.hear(Input::Closed, NOW_MS).len(), 1);
            library.hear(Input::Opened, NOW_MS);
        }
        assert_eq!(library.fate(), &Fate::Living);
    }

    #[test]
    fn what_is_logged_before_it_is_welcome_comes_all_at_once() {
        let mut library = library(Copies::One);
        assert!(library.hear(Input::Wished(Wish::Log(100)), NOW_MS).is_empty());
        let effects = library.hear(Input::Received(WELCOME.to_owned()), NOW_MS);
        assert_eq!(frames(&effects).iter().filter(|frame| frame["type"] == "logs").count(), 100);
    }

    #[test]
    fn it_hears_of_switches_live_and_by_the_list_of_what_was_done() {
        let mut library = welcomed(Copies::One);
        let live = json!({"type": "command", "data": {"type": "console_toggle", "data": {"enabled": false}}});
        library.hear(Input::Received(live.to_string()), NOW_MS);
        let done = json!({"data": {"type": "encryption_toggle", "data": {"enabled": true}}});
        let list = json!({"type": "get_last_actions", "payload": [done]});
        library.hear(Input::Received(list.to_string()), NOW_MS);
        let heard = [("console_toggle".to_owned(), false), ("encryption_toggle".to_owned(), true)];
        assert_eq!(library.commands(), heard);
    }
}
