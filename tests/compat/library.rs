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
#[derive(Clone, Debug, Default)]
pub(crate) enum Copies {
    #[default]
    One,
    /// At a random distance.
    Two(Rng),
}

#[derive(Default)]
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
    pub(crate) is_authenticated: bool,
    attempts: u32,
    state: ModelState,
    waiting_lines: Vec<Value>,
    second_copies: VecDeque<Value>,
    /// Reports sent, without copies. The `n`th has a `process.uptime` of `n`, unless `started_ms` is set.
    pub(crate) reported: u64,
    /// When the process started, if its uptime is that of the clock.
    started_ms: Option<i64>,
    lines: u64,
    /// Number of log entries in each received history.
    pub(crate) history_lengths: Vec<usize>,
    /// The received switches in the order of arrival.
    pub(crate) commands: Vec<(String, bool)>,
    /// Connections opened so far.
    connection: u32,
    /// Commands of a type that it does not have, each with the number of its connection: it prints them and goes on.
    pub(crate) printed: Vec<(u32, String)>,
}

impl Library {
    pub(crate) fn new(credentials: Credentials, copies: Copies) -> Self {
        Self {
            credentials,
            copies,
            report_type: "send_metrics",
            documents: recorded_documents(),
            memory: PROCESSES.fetch_add(1, Ordering::Relaxed),
            ..Self::default()
        }
    }

    /// An old version, whose reports are `metrics` frames.
    pub(crate) fn with_old_report_type(credentials: Credentials, copies: Copies) -> Self {
        Self { report_type: "metrics", ..Self::new(credentials, copies) }
    }

    /// One that started at `started_ms` and states its true uptime, so that it can be recognised when it reconnects.
    pub(crate) fn started_at(started_ms: i64, credentials: Credentials, copies: Copies) -> Self {
        Self { started_ms: Some(started_ms), ..Self::new(credentials, copies) }
    }

    fn open(&mut self) -> Vec<Effect> {
        self.is_open = true;
        self.connection += 1;
        self.attempts = 0;
        vec![Effect::Send(self.credentials.auth())]
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
        metrics["process"]["uptime"] = match self.started_ms {
            Some(started_ms) => json!((now_ms - started_ms) as f64 / 1_000.0),
            None => json!(self.reported),
        };
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
        match switched(command)? {
            Some((kind, enabled)) => self.commands.push((kind.to_owned(), enabled)),
            None => {
                let kind = property(command, "type")?.and_then(Value::as_str).unwrap_or("undefined");
                self.printed.push((self.connection, kind.to_owned()));
            }
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
