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

pub(crate) struct Dashboard {
    credentials: Credentials,
    is_open: bool,
    is_authenticated: bool,
    /// Connections opened so far.
    connection: u32,
    state: ModelState,
    drawn: Vec<DrawnReport>,
    lines: Vec<Value>,
    switches: Vec<(String, bool)>,
    statuses: Vec<Value>,
    auth_errors: u32,
    confirmed_commands: u32,
}

impl Dashboard {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            is_open: false,
            is_authenticated: false,
            connection: 0,
            state: ModelState::Running,
            drawn: Vec::new(),
            lines: Vec::new(),
            switches: Vec::new(),
            statuses: Vec::new(),
            auth_errors: 0,
            confirmed_commands: 0,
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// Reports in the order of arrival.
    pub(crate) fn drawn(&self) -> &[DrawnReport] {
        &self.drawn
    }

    /// Received log entries, including those of histories.
    pub(crate) fn lines(&self) -> &[Value] {
        &self.lines
    }

    /// The switches by the last list of actions.
    pub(crate) fn switches(&self) -> &[(String, bool)] {
        &self.switches
    }

    /// The `status` of every received status.
    pub(crate) fn statuses(&self) -> &[Value] {
        &self.statuses
    }

    pub(crate) fn auth_errors(&self) -> u32 {
        self.auth_errors
    }

    pub(crate) fn confirmed_commands(&self) -> u32 {
        self.confirmed_commands
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

#[cfg(test)]
mod tests {
    use super::*;

    const AUTH_SUCCESS: &str = r#"{"type":"auth_success","payload":{"appId":"shop","userId":"nehonix_1"}}"#;

    fn tab() -> Dashboard {
        let mut tab = Dashboard::new(Credentials::new("nehonix_1", "shop"));
        tab.handle(Input::Started, 0);
        tab.handle(Input::Opened, 0);
        tab
    }

    /// The types of the frames that it sends on receiving `frame`.
    fn sends_upon(tab: &mut Dashboard, frame: &Value) -> Vec<String> {
        types(&tab.handle(Input::Received(frame.to_string()), 0))
    }

    fn types(effects: &[Effect]) -> Vec<String> {
        let sent = |effect: &Effect| match effect {
            Effect::Send(frame) => Some(frame["type"].as_str().unwrap().to_owned()),
            _ => None,
        };
        effects.iter().filter_map(sent).collect()
    }

    fn status(success: bool, is_active: bool) -> Value {
        json!({"type": "status_response", "payload": {"success": success, "message": "m", "status":
            {"userExists": true, "appExists": true, "userHasAccess": true, "appIsActive": is_active}}})
    }

    #[test]
    fn opening_starts_endless_status_checks() {
        let mut tab = Dashboard::new(Credentials::new("nehonix_1", "shop"));
        let opened = tab.handle(Input::Opened, 0);
        assert_eq!(types(&opened), ["auth", "check_status", "command"]);
        let timers: Vec<&Effect> =
            opened.iter().filter(|effect| matches!(effect, Effect::SetTimer(..))).collect();
        assert_eq!(timers.len(), 2);
        for timer in timers {
            let Effect::SetTimer(timer, after) = timer else { panic!("a timer") };
            let fired = tab.handle(Input::TimerFired(*timer), 0);
            assert_eq!(types(&fired), ["check_status"]);
            assert_eq!(fired[1], Effect::SetTimer(*timer, *after));
        }
    }

    #[test]
    fn authentication_triggers_two_requests() {
        let welcome = serde_json::from_str(AUTH_SUCCESS).unwrap();
        assert_eq!(sends_upon(&mut tab(), &welcome), ["get_last_actions", "check_status"]);
    }

    #[test]
    fn authenticates_again_after_every_error_and_success() {
        let refusal = json!({"type": "auth_error", "payload": {"message": "m"}});
        let mut tab = tab();
        for _ in 0..3 {
            assert_eq!(sends_upon(&mut tab, &refusal), ["auth"]);
            assert_eq!(sends_upon(&mut tab, &status(true, true)), ["auth"]);
        }
        assert_eq!(tab.auth_errors(), 3);
    }

    #[test]
    fn inactive_application_is_checked_again_after_2_s() {
        let mut tab = tab();
        let effects = tab.handle(Input::Received(status(false, false).to_string()), 0);
        let [Effect::SetTimer(timer, after)] = effects[..] else { panic!("one timer: {effects:?}") };
        assert_eq!(after, Duration::from_secs(2));
        assert_eq!(types(&tab.handle(Input::TimerFired(timer), 0)), ["check_status"]);
        let unknown = json!({"type": "status_response", "payload": {"success": false, "message": "m", "status":
            {"userExists": true, "appExists": false, "userHasAccess": false, "appIsActive": false}}});
        assert_eq!(tab.handle(Input::Received(unknown.to_string()), 0), []);
    }

    #[test]
    fn timers_of_a_closed_connection_do_nothing() {
        let mut tab = tab();
        let old = Timer::Status { connection: 1, every: STATUS_EVERY[0] };
        assert_eq!(tab.handle(Input::Closed, 0), [Effect::SetTimer(Timer::Reconnect, RECONNECT_AFTER)]);
        assert_eq!(tab.handle(Input::TimerFired(old), 0), []);
        tab.handle(Input::Opened, 0);
        assert_eq!(tab.handle(Input::TimerFired(old), 0), []);
    }

    #[test]
    fn nested_report_is_drawn_as_zeros() {
        let mut tab = tab();
        let metrics = json!({"cpu": {"usage": 61.5}, "memory": {"used": 2, "total": 4},
            "process": {"uptime": 9}, "network": {"interfaces": {"lo": {"bytesReceived": 0}}}});
        let mut flat = metrics.clone();
        flat["id"] = json!("i");
        tab.handle(Input::Received(json!({"type": "metrics", "payload": flat}).to_string()), 0);
        let nested = json!({"type": "metrics", "payload": {"metrics": metrics}});
        tab.handle(Input::Received(nested.to_string()), 0);
        let [drawn, zeros] = tab.drawn() else { panic!("two reports") };
        assert_eq!((drawn.cpu_usage, drawn.memory_used, drawn.memory_total), (61.5, 2.0, 4.0));
        assert!(drawn.has_network && drawn.uptime == 9 && drawn.id == "i");
        assert_eq!((zeros.cpu_usage, zeros.memory_total, zeros.has_network), (0.0, 0.0, false));
    }

    #[test]
    fn dashboard_throws_only_at_listed_frames() {
        for (text, is_thrown) in [
            ("", true),
            ("no json", true),
            (r#"{"type":"logs","payload":{"logs":[]}}"#, true),
            (r#"{"type":"history"}"#, true),
            (r#"{"type":"get_last_actions","payload":{}}"#, true),
            (r#"{"type":"status_response","payload":{"success":false}}"#, true),
            (r#"{"type":"status_response"}"#, true),
            (r#"{"type":"auth_error"}"#, true),
            (r#"{"type":"metrics"}"#, true),
            (r#"{"type":"command_response"}"#, true),
            (AUTH_SUCCESS, false),
            ("{}", false),
            (r#"{"type":"history","payload":[]}"#, false),
            (r#"{"type":"get_last_actions","payload":[]}"#, false),
            (r#"{"type":"metrics","payload":{}}"#, false),
            (r#"{"type":"error","payload":{"code":"unavailable"}}"#, false),
            (r#"{"message":"Internal server error","connectionId":"x=","requestId":"y="}"#, false),
        ] {
            let mut tab = tab();
            tab.handle(Input::Received(text.to_owned()), 0);
            assert_eq!(matches!(tab.state(), ModelState::Threw(_)), is_thrown, "{text}");
        }
    }

    #[test]
    fn last_action_decides_each_switch() {
        let mut tab = tab();
        let action =
            |kind: &str, enabled: bool| json!({"data": {"type": kind, "data": {"enabled": enabled}}});
        let list = [
            action("console_toggle", false),
            action("encryption_toggle", true),
            action("console_toggle", true),
        ];
        tab.handle(Input::Received(json!({"type": "get_last_actions", "payload": list}).to_string()), 0);
        assert_eq!(tab.switches(), [("encryption_toggle".into(), true), ("console_toggle".into(), true)]);
    }

    #[test]
    fn command_has_its_kind_beside_the_application() {
        let mut tab = tab();
        let effects =
            tab.handle(Input::Action(UserAction::Toggle { kind: "console_toggle", enabled: false }), 0);
        let command = json!({"type": "command", "data": {"userId": "nehonix_1", "appId": "shop",
            "type": "console_toggle", "data": {"enabled": false}}});
        assert_eq!(effects, [Effect::Send(command)]);
    }
}
