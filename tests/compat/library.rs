//! The published library inside a host application: sends each report twice, once a second, and crashes on many frames.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::javascript::{Thrown, elements, message, path, property, switched};
use super::{ClientKind, Credentials, Effect, Input, Model, ModelState, Timer, UserAction};
use crate::system::harness::{iso, recorded_documents};

/// Interval of reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Between a closed connection and the next attempt.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);
/// Consecutive failed handshakes after which it stops for good.
const HANDSHAKES_MAX: u32 = 20;
/// The second copy of a report follows within less than this.
const SECOND_COPY_MS_BELOW: u64 = 10;

/// Processes started so far. Each reports different memory usage, because two real processes never send equal documents.
static PROCESSES: AtomicU64 = AtomicU64::new(0);

/// Whether it sends each report twice.
#[derive(Clone, Debug)]
pub(crate) enum Copies {
    One,
    /// At a random distance.
    Two(Rng),
}

pub(crate) struct Library {
    credentials: Credentials,
    copies: Copies,
    /// The frame type of a report: `send_metrics`, in old versions `metrics`.
    report_type: &'static str,
    documents: &'static [Value],
    /// Bytes of memory added to the recorded usage.
    memory: u64,
    is_open: bool,
    /// Set by `auth_success` and never reset: on its next connection it reports before it is authenticated.
    is_authenticated: bool,
    attempts: u32,
    state: ModelState,
    waiting_lines: Vec<Value>,
    second_copies: VecDeque<Value>,
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
            is_authenticated: false,
            attempts: 0,
            state: ModelState::Running,
            waiting_lines: Vec::new(),
            second_copies: VecDeque::new(),
            reported: 0,
            lines: 0,
            history_lengths: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// An old version, whose reports are `metrics` frames.
    pub(crate) fn with_old_report_type(credentials: Credentials, copies: Copies) -> Self {
        Self { report_type: "metrics", ..Self::new(credentials, copies) }
    }

    /// Reports sent, without copies. The `n`th has a `process.uptime` of `n`.
    pub(crate) fn reported(&self) -> u64 {
        self.reported
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// Number of log entries in each received history.
    pub(crate) fn history_lengths(&self) -> &[usize] {
        &self.history_lengths
    }

    /// The received switches in the order of arrival.
    pub(crate) fn commands(&self) -> &[(String, bool)] {
        &self.commands
    }

    fn open(&mut self) -> Vec<Effect> {
        self.is_open = true;
        self.attempts = 0;
        vec![Effect::Send(self.credentials.frame("auth", json!({})))]
    }

    fn reconnect(&mut self) -> Vec<Effect> {
        self.is_open = false;
        if self.attempts >= HANDSHAKES_MAX {
            self.state = ModelState::GaveUp;
            return Vec::new();
        }
        self.attempts += 1;
        vec![Effect::SetTimer(Timer::Reconnect, RECONNECT_AFTER)]
    }

    fn report(&mut self, now_ms: i64) -> Vec<Effect> {
        let again = Effect::SetTimer(Timer::Report, REPORT_EVERY);
        if !self.is_open || !self.is_authenticated {
            return vec![again];
        }
        self.reported += 1;
        let index = usize::try_from(self.reported).expect("a small number") % self.documents.len();
        let mut metrics = self.documents[index].clone();
        // Every report differs, as those of a real process do.
        metrics["process"]["uptime"] = json!(self.reported);
        let used = metrics["process"]["memoryUsage"]["rss"].as_u64().expect("a process uses memory");
        metrics["process"]["memoryUsage"]["rss"] = json!(used + self.memory);
        let first = self.report_frame(&metrics, now_ms);
        let Copies::Two(rng) = &mut self.copies else { return vec![again, Effect::Send(first)] };
        let apart_ms = rng.u64(..SECOND_COPY_MS_BELOW);
        let stamp_ms = now_ms + i64::try_from(rng.u64(..apart_ms + 1)).expect("a few milliseconds");
        let second_copy = self.report_frame(&metrics, stamp_ms);
        self.second_copies.push_back(second_copy);
        let wake = Effect::SetExactTimer(Timer::SecondCopy, Duration::from_millis(apart_ms));
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
        if !self.is_authenticated {
            self.waiting_lines.extend(frames);
            return Vec::new();
        }
        // Lines that are logged while disconnected are lost.
        if self.is_open { frames.into_iter().map(Effect::Send).collect() } else { Vec::new() }
    }

    /// The effects of a frame, or the error that ends the process.
    fn read(&mut self, text: &str) -> Result<Vec<Effect>, Thrown> {
        let (message, kind) = message(text)?;
        match kind.as_str() {
            "auth_success" => self.on_auth_success(&message),
            "auth_error" => Err(format!("auth error: {}", message["payload"]["message"])),
            "clear" => Ok(vec![Effect::Send(json!({"type": "clear"}))]),
            "metrics" => path(&message, &["payload", "metrics"]).map(|_| Vec::new()),
            "logs" => self.read_logs(&message),
            "request_history" => {
                let logs = elements(path(&message, &["payload", "logs"])?, "the history's logs")?;
                self.history_lengths.push(logs.len());
                Ok(Vec::new())
            }
            "command" => self.apply_command(message.get("data")),
            "get_last_actions" => {
                for action in elements(message.get("payload"), "the list of actions")? {
                    self.apply_command(property(Some(action), "data")?)?;
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn on_auth_success(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        path(message, &["payload", "userId"])?.ok_or("auth_success names no user")?;
        self.is_authenticated = true;
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

    fn apply_command(&mut self, command: Option<&Value>) -> Result<Vec<Effect>, Thrown> {
        if let Some((kind, enabled)) = switched(command)? {
            self.commands.push((kind.to_owned(), enabled));
        }
        Ok(Vec::new())
    }
}

impl Model for Library {
    fn handle(&mut self, input: Input, now_ms: i64) -> Vec<Effect> {
        if self.state != ModelState::Running {
            return Vec::new();
        }
        match input {
            Input::Started => vec![Effect::Connect, Effect::SetTimer(Timer::Report, REPORT_EVERY)],
            Input::Opened => self.open(),
            Input::HandshakeFailed | Input::Closed => self.reconnect(),
            Input::TimerFired(Timer::Reconnect) => vec![Effect::Connect],
            Input::TimerFired(Timer::Report) => self.report(now_ms),
            Input::TimerFired(Timer::SecondCopy) => {
                let second_copy = self.second_copies.pop_front().filter(|_| self.is_open);
                second_copy.into_iter().map(Effect::Send).collect()
            }
            Input::TimerFired(_) => Vec::new(),
            Input::Action(UserAction::Log(count)) => self.log(count, now_ms),
            Input::Action(_) => Vec::new(),
            Input::Received(text) => self.read(&text).unwrap_or_else(|thrown| {
                self.state = ModelState::Crashed(thrown);
                Vec::new()
            }),
        }
    }

    fn state(&self) -> &ModelState {
        &self.state
    }

    fn kind(&self) -> ClientKind {
        ClientKind::Library
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_352_461_387;
    const AUTH_SUCCESS: &str = r#"{"type":"auth_success","payload":{"appId":"shop","userId":"nehonix_1"}}"#;

    fn library(copies: Copies) -> Library {
        let mut library = Library::new(Credentials::new("nehonix_1", "shop"), copies);
        library.handle(Input::Started, NOW_MS);
        library.handle(Input::Opened, NOW_MS);
        library
    }

    fn authenticated(copies: Copies) -> Library {
        let mut library = library(copies);
        library.handle(Input::Received(AUTH_SUCCESS.to_owned()), NOW_MS);
        library
    }

    fn frames(effects: &[Effect]) -> Vec<&Value> {
        effects
            .iter()
            .filter_map(|effect| if let Effect::Send(frame) = effect { Some(frame) } else { None })
            .collect()
    }

    fn state_after(text: &str) -> ModelState {
        let mut library = authenticated(Copies::One);
        library.handle(Input::Received(text.to_owned()), NOW_MS);
        library.state().clone()
    }

    #[test]
    fn library_authenticates_then_requests_history() {
        let mut library = Library::new(Credentials::new("nehonix_1", "shop"), Copies::One);
        assert!(library.handle(Input::Started, NOW_MS).contains(&Effect::Connect));
        let opened = library.handle(Input::Opened, NOW_MS);
        let auth = json!({"type": "auth", "data": {"userId": "nehonix_1", "appId": "shop"}});
        assert_eq!(opened, [Effect::Send(auth)]);
        assert!(
            frames(&library.handle(Input::TimerFired(Timer::Report), NOW_MS)).is_empty(),
            "it is not authenticated yet"
        );
        let history = json!({"type": "history", "ws_sent_config": {"response_type": "request_history"},
            "data": {"userId": "nehonix_1", "appId": "shop"}});
        assert_eq!(library.handle(Input::Received(AUTH_SUCCESS.to_owned()), NOW_MS), [Effect::Send(history)]);
    }

    #[test]
    fn library_frames_have_the_recorded_shape() {
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
        let mut library = Library::new(Credentials::new("u", "a"), Copies::Two(Rng::with_seed(1)));
        let mut effects = library.handle(Input::Opened, NOW_MS);
        effects.extend(library.handle(Input::Received(AUTH_SUCCESS.to_owned()), NOW_MS));
        effects.extend(library.handle(Input::TimerFired(Timer::Report), NOW_MS));
        effects.extend(library.handle(Input::TimerFired(Timer::SecondCopy), NOW_MS));
        effects.extend(library.handle(Input::Action(UserAction::Log(1)), NOW_MS));
        let sent = frames(&effects);
        assert_eq!(sent.len(), 5, "{sent:?}");
        for frame in sent {
            assert!(known.contains(&shape(frame)), "the library never sent {frame}");
        }
    }

    #[test]
    fn each_report_is_sent_twice_within_10_ms() {
        let mut library = authenticated(Copies::Two(Rng::with_seed(7)));
        for n in 1..=100 {
            let effects = library.handle(Input::TimerFired(Timer::Report), NOW_MS);
            let first = frames(&effects)[0].clone();
            let apart = effects.iter().find_map(|effect| match effect {
                Effect::SetExactTimer(Timer::SecondCopy, apart) => Some(*apart),
                _ => None,
            });
            assert!(apart.is_some_and(|apart| apart < Duration::from_millis(10)));
            let effects = library.handle(Input::TimerFired(Timer::SecondCopy), NOW_MS);
            let second_copy = frames(&effects)[0];
            assert_eq!(second_copy["data"]["metrics"], first["data"]["metrics"]);
            assert_eq!(second_copy["data"]["metrics"]["process"]["uptime"], n);
            let stamps =
                [&first, second_copy].map(|frame| frame["data"]["timestamp"].as_str().unwrap().to_owned());
            assert!((iso(NOW_MS)..=iso(NOW_MS + 9)).contains(&stamps[1]), "{stamps:?}");
        }
    }

    #[test]
    fn library_crashes_only_at_listed_frames() {
        for crashing in [
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
            assert!(matches!(state_after(crashing), ModelState::Crashed(_)), "it survived {crashing}");
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
            assert_eq!(state_after(harmless), ModelState::Running, "it crashed on {harmless}");
        }
    }

    #[test]
    fn library_replies_to_clear_with_clear() {
        let effects =
            authenticated(Copies::One).handle(Input::Received(r#"{"type":"clear"}"#.into()), NOW_MS);
        assert_eq!(effects, [Effect::Send(json!({"type": "clear"}))]);
    }

    #[test]
    fn reports_at_once_after_reconnecting() {
        let mut library = authenticated(Copies::One);
        assert_eq!(
            library.handle(Input::Closed, NOW_MS),
            [Effect::SetTimer(Timer::Reconnect, RECONNECT_AFTER)]
        );
        assert!(frames(&library.handle(Input::TimerFired(Timer::Report), NOW_MS)).is_empty());
        assert_eq!(library.handle(Input::TimerFired(Timer::Reconnect), NOW_MS), [Effect::Connect]);
        library.handle(Input::Opened, NOW_MS);
        assert_eq!(frames(&library.handle(Input::TimerFired(Timer::Report), NOW_MS)).len(), 1);
    }

    #[test]
    fn library_gives_up_after_20_failed_handshakes() {
        let mut library = library(Copies::One);
        for _ in 0..19 {
            library.handle(Input::HandshakeFailed, NOW_MS);
        }
        library.handle(Input::Opened, NOW_MS);
        for _ in 0..20 {
            assert_eq!(library.handle(Input::HandshakeFailed, NOW_MS).len(), 1);
        }
        assert!(library.handle(Input::HandshakeFailed, NOW_MS).is_empty());
        assert_eq!(library.state(), &ModelState::GaveUp);
    }

    #[test]
    fn library_reconnects_forever_after_accepted_handshakes() {
        let mut library = library(Copies::One);
        for _ in 0..1000 {
            assert_eq!(library.handle(Input::Closed, NOW_MS).len(), 1);
            library.handle(Input::Opened, NOW_MS);
        }
        assert_eq!(library.state(), &ModelState::Running);
    }

    #[test]
    fn log_lines_before_authentication_are_sent_after_it() {
        let mut library = library(Copies::One);
        assert!(library.handle(Input::Action(UserAction::Log(100)), NOW_MS).is_empty());
        let effects = library.handle(Input::Received(AUTH_SUCCESS.to_owned()), NOW_MS);
        assert_eq!(frames(&effects).iter().filter(|frame| frame["type"] == "logs").count(), 100);
    }

    #[test]
    fn switches_arrive_live_and_in_the_action_list() {
        let mut library = authenticated(Copies::One);
        let live = json!({"type": "command", "data": {"type": "console_toggle", "data": {"enabled": false}}});
        library.handle(Input::Received(live.to_string()), NOW_MS);
        let done = json!({"data": {"type": "encryption_toggle", "data": {"enabled": true}}});
        let list = json!({"type": "get_last_actions", "payload": [done]});
        library.handle(Input::Received(list.to_string()), NOW_MS);
        let switches = [("console_toggle".to_owned(), false), ("encryption_toggle".to_owned(), true)];
        assert_eq!(library.commands(), switches);
    }
}
