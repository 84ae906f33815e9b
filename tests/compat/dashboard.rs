//! A tab of the published dashboard: requests its status in an endless loop and authenticates after every success.

use std::time::Duration;

use serde_json::{Value, json};

use super::javascript::{Thrown, elements, message, path, property, switched};
use super::{ClientKind, Credentials, Effect, Input, Model, ModelState, Timer, UserAction};

/// Its two independent status timers.
const STATUS_EVERY: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(10)];
/// Between a status that says inactive and the next request.
const INACTIVE_AGAIN: Duration = Duration::from_secs(2);
/// Between a closed connection and the next attempt.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// The parts of a report that it draws.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DrawnReport {
    /// Number of the connection that received it.
    pub(crate) connection: u32,
    pub(crate) id: String,
    pub(crate) uptime: u64,
    pub(crate) cpu_usage: f64,
    pub(crate) memory_used: f64,
    pub(crate) memory_total: f64,
    /// Whether the report has a network interface.
    pub(crate) has_network: bool,
}

#[derive(Default)]
pub(crate) struct Dashboard {
    credentials: Credentials,
    is_open: bool,
    pub(crate) is_authenticated: bool,
    /// Connections opened so far.
    connection: u32,
    state: ModelState,
    /// Reports in the order of arrival.
    pub(crate) drawn: Vec<DrawnReport>,
    /// Received log entries, including those of histories.
    pub(crate) lines: Vec<Value>,
    /// The switches by the last list of actions.
    pub(crate) switches: Vec<(String, bool)>,
    /// The `status` of every received status.
    pub(crate) statuses: Vec<Value>,
    pub(crate) auth_errors: u32,
    pub(crate) confirmed_commands: u32,
}

impl Dashboard {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, ..Self::default() }
    }

    fn ask(&self, kind: &str) -> Effect {
        Effect::Send(self.credentials.frame(kind, json!({})))
    }

    fn open(&mut self) -> Vec<Effect> {
        self.is_open = true;
        self.connection += 1;
        let mut effects = vec![self.ask("auth"), self.ask("check_status")];
        for every in STATUS_EVERY {
            effects.push(Effect::SetTimer(Timer::Status { connection: self.connection, every }, every));
        }
        // The metrics page requests them by a command that no service supports.
        let asked = json!({"type": "get_metrics", "data": {"timeRange": "day"}});
        effects.push(Effect::Send(self.credentials.frame("command", asked)));
        effects
    }

    fn reconnect(&mut self) -> Vec<Effect> {
        self.is_open = false;
        self.is_authenticated = false;
        vec![Effect::SetTimer(Timer::Reconnect, RECONNECT_AFTER)]
    }

    fn fire(&self, timer: Timer) -> Vec<Effect> {
        match timer {
            Timer::Reconnect => vec![Effect::Connect],
            Timer::Status { connection, every } if connection == self.connection && self.is_open => {
                vec![self.ask("check_status"), Effect::SetTimer(timer, every)]
            }
            Timer::StatusOnce { connection } if connection == self.connection && self.is_open => {
                vec![self.ask("check_status")]
            }
            _ => Vec::new(),
        }
    }

    fn perform(&self, action: &UserAction) -> Vec<Effect> {
        match action {
            _ if !self.is_open => Vec::new(),
            UserAction::Toggle { kind, enabled } => {
                let command = json!({"type": kind, "data": {"enabled": enabled}});
                vec![Effect::Send(self.credentials.frame("command", command))]
            }
            UserAction::History => vec![self.ask("history")],
            UserAction::Clear => vec![Effect::Send(json!({"type": "clear"}))],
            UserAction::Filter => {
                vec![Effect::Send(self.credentials.frame("filter", json!({"level": ["error"]})))]
            }
            UserAction::Log(_) => Vec::new(),
        }
    }

    /// The effects of a frame, or the error that it throws.
    fn read(&mut self, text: &str) -> Result<Vec<Effect>, Thrown> {
        let (message, kind) = message(text)?;
        match kind.as_str() {
            "auth_success" => {
                self.is_authenticated = true;
                Ok(vec![Effect::Send(json!({"type": "get_last_actions"})), self.ask("check_status")])
            }
            "auth_error" => {
                self.is_authenticated = false;
                path(&message, &["payload", "message"])?;
                self.auth_errors += 1;
                Ok(vec![self.ask("auth")])
            }
            "status_response" => self.read_status(&message),
            "logs" | "history" => {
                self.lines.extend_from_slice(elements(message.get("payload"), "the list of logs")?);
                Ok(Vec::new())
            }
            "metrics" => self.draw(&message),
            "get_last_actions" => self.list_switches(&message),
            "command_response" => {
                let is_done = path(&message, &["payload", "success"])? == Some(&Value::Bool(true));
                self.confirmed_commands += u32::from(is_done);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn read_status(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let is_success = path(message, &["payload", "success"])? == Some(&Value::Bool(true));
        let is_set = |name: &str| -> Result<bool, Thrown> {
            Ok(path(message, &["payload", "status", name])? == Some(&Value::Bool(true)))
        };
        let reached = is_set("userExists")? && is_set("appExists")? && is_set("userHasAccess")?;
        let is_active = is_set("appIsActive")?;
        self.statuses.push(message["payload"]["status"].clone());
        if is_success {
            return Ok(vec![self.ask("auth")]);
        }
        let once = Effect::SetTimer(Timer::StatusOnce { connection: self.connection }, INACTIVE_AGAIN);
        Ok(if reached && !is_active { vec![once] } else { Vec::new() })
    }

    /// Reads the payload flat and draws zeros for missing fields.
    fn draw(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let payload = property(Some(message), "payload")?;
        property(payload, "cpu")?;
        let payload = payload.cloned().unwrap_or_default();
        let number = |pointer: &str| payload.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
        let interfaces = payload.pointer("/network/interfaces").and_then(Value::as_object);
        self.drawn.push(DrawnReport {
            connection: self.connection,
            id: payload["id"].as_str().unwrap_or_default().to_owned(),
            uptime: payload.pointer("/process/uptime").and_then(Value::as_u64).unwrap_or_default(),
            cpu_usage: number("/cpu/usage"),
            memory_used: number("/memory/used"),
            memory_total: number("/memory/total"),
            has_network: interfaces
                .is_some_and(|all| all.values().next().is_some_and(|one| one["bytesReceived"].is_number())),
        });
        Ok(Vec::new())
    }

    /// Of each kind the last in the list counts.
    fn list_switches(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let mut switches: Vec<(String, bool)> = Vec::new();
        for action in elements(message.get("payload"), "the list of actions")? {
            if let Some((kind, enabled)) = switched(property(Some(action), "data")?)? {
                switches.retain(|(known, _)| known != kind);
                switches.push((kind.to_owned(), enabled));
            }
        }
        self.switches = switches;
        Ok(Vec::new())
    }
}

impl Model for Dashboard {
    fn handle(&mut self, input: Input, _now_ms: i64) -> Vec<Effect> {
        if self.state != ModelState::Running {
            return Vec::new();
        }
        match input {
            Input::Started => vec![Effect::Connect],
            Input::Opened => self.open(),
            Input::HandshakeFailed | Input::Closed => self.reconnect(),
            Input::TimerFired(timer) => self.fire(timer),
            Input::Action(action) => self.perform(&action),
            Input::Received(text) => self.read(&text).unwrap_or_else(|thrown| {
                self.state = ModelState::Threw(thrown);
                Vec::new()
            }),
        }
    }

    fn state(&self) -> &ModelState {
        &self.state
    }

    fn kind(&self) -> ClientKind {
        ClientKind::Dashboard
    }
}
