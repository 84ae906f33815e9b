//! A tab of the published dashboard: asks for its status all the time, and again for everything that it is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::script::{Thrown, elements, message, path, property, switched};
use super::{Alarm, Credentials, Effect, Fate, Input, Model, Party, Wish};

/// Its two timers, which know nothing of each other.
const STATUS_EVERY: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(10)];
/// Between being told that the application is inactive and asking again.
const INACTIVE_AGAIN: Duration = Duration::from_secs(2);
/// Between the loss of a connection and the next attempt.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// What it draws of a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// The number of the connection on which it came.
    pub(crate) connection: u32,
    pub(crate) id: String,
    pub(crate) uptime: u64,
    pub(crate) cpu_usage: f64,
    pub(crate) memory_used: f64,
    pub(crate) memory_total: f64,
    /// Whether the first network interface was found.
    pub(crate) has_network: bool,
}

pub(crate) struct Dashboard {
    credentials: Credentials,
    is_open: bool,
    is_welcome: bool,
    /// How many connections it has opened.
    connection: u32,
    fate: Fate,
    shown: Vec<Shown>,
    lines: Vec<Value>,
    switches: Vec<(String, bool)>,
    statuses: Vec<Value>,
    refusals: u32,
    confirmed: u32,
}

impl Dashboard {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            is_open: false,
            is_welcome: false,
            connection: 0,
            fate: Fate::Living,
            shown: Vec::new(),
            lines: Vec::new(),
            switches: Vec::new(),
            statuses: Vec::new(),
            refusals: 0,
            confirmed: 0,
        }
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    /// Reports that it drew, in the order in which they came.
    pub(crate) fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Log entries that it lists, those of histories included.
    pub(crate) fn lines(&self) -> &[Value] {
        &self.lines
    }

    /// The switches as the last list of what was done has them.
    pub(crate) fn switches(&self) -> &[(String, bool)] {
        &self.switches
    }

    /// The `status` of every status that it was told.
    pub(crate) fn statuses(&self) -> &[Value] {
        &self.statuses
    }

    /// How often it was told that its credentials are wrong.
    pub(crate) fn refusals(&self) -> u32 {
        self.refusals
    }

    /// How many of its commands were confirmed.
    pub(crate) fn confirmed(&self) -> u32 {
        self.confirmed
    }

    fn ask(&self, kind: &str) -> Effect {
        Effect::Send(self.credentials.frame(kind, json!({})))
    }

    fn open(&mut self) -> Vec<Effect> {
        self.is_open = true;
        self.connection += 1;
        let mut effects = vec![self.ask("auth"), self.ask("check_status")];
        for every in STATUS_EVERY {
            effects.push(Effect::Wake(Alarm::Status { connection: self.connection, every }, every));
        }
        // The page of figures asks for them by a command that no service knows.
        let asked = json!({"type": "get_metrics", "data": {"timeRange": "day"}});
        effects.push(Effect::Send(self.credentials.frame("command", asked)));
        effects
    }

    fn come_back(&mut self) -> Vec<Effect> {
        self.is_open = false;
        self.is_welcome = false;
        vec![Effect::Wake(Alarm::Reconnect, RECONNECT_AFTER)]
    }

    fn ring(&self, alarm: Alarm) -> Vec<Effect> {
        match alarm {
            Alarm::Reconnect => vec![Effect::Connect],
            Alarm::Status { connection, every } if connection == self.connection && self.is_open => {
                vec![self.ask("check_status"), Effect::Wake(alarm, every)]
            }
            Alarm::StatusOnce { connection } if connection == self.connection && self.is_open => {
                vec![self.ask("check_status")]
            }
            _ => Vec::new(),
        }
    }

    fn wish(&self, wish: &Wish) -> Vec<Effect> {
        match wish {
            _ if !self.is_open => Vec::new(),
            Wish::Toggle { kind, enabled } => {
                let command = json!({"type": kind, "data": {"enabled": enabled}});
                vec![Effect::Send(self.credentials.frame("command", command))]
            }
            Wish::History => vec![self.ask("history")],
            Wish::Clear => vec![Effect::Send(json!({"type": "clear"}))],
            Wish::Filter => vec![Effect::Send(self.credentials.frame("filter", json!({"level": ["error"]})))],
            Wish::Log(_) => Vec::new(),
        }
    }

    /// What a frame makes it do, or what it throws.
    fn read(&mut self, text: &str) -> Result<Vec<Effect>, Thrown> {
        let (message, kind) = message(text)?;
        match kind.as_str() {
            "auth_success" => {
                self.is_welcome = true;
                Ok(vec![Effect::Send(json!({"type": "get_last_actions"})), self.ask("check_status")])
            }
            "auth_error" => {
                self.is_welcome = false;
                path(&message, &["payload", "message"])?;
                self.refusals += 1;
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
                self.confirmed += u32::from(is_done);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn read_status(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let is_well = path(message, &["payload", "success"])? == Some(&Value::Bool(true));
        let is_set = |name: &str| -> Result<bool, Thrown> {
            Ok(path(message, &["payload", "status", name])? == Some(&Value::Bool(true)))
        };
        let reached = is_set("userExists")? && is_set("appExists")? && is_set("userHasAccess")?;
        let is_active = is_set("appIsActive")?;
        self.statuses.push(message["payload"]["status"].clone());
        if is_well {
            return Ok(vec![self.ask("auth")]);
        }
        let once = Effect::Wake(Alarm::StatusOnce { connection: self.connection }, INACTIVE_AGAIN);
        Ok(if reached && !is_active { vec![once] } else { Vec::new() })
    }

    /// It reads the payload flat, and draws zeros for what is not there.
    fn draw(&mut self, message: &Value) -> Result<Vec<Effect>, Thrown> {
        let payload = property(Some(message), "payload")?;
        property(payload, "cpu")?;
        let payload = payload.cloned().unwrap_or_default();
        let number = |pointer: &str| payload.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
        let interfaces = payload.pointer("/network/interfaces").and_then(Value::as_object);
        self.shown.push(Shown {
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

    /// Of each kind it keeps the last that the list names.
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
    fn hear(&mut self, input: Input, _now_ms: i64) -> Vec<Effect> {
        if self.fate != Fate::Living {
            return Vec::new();
        }
        match input {
            Input::Started => vec![Effect::Connect],
            Input::Opened => self.open(),
            Input::HandshakeFailed | Input::Closed => self.come_back(),
            Input::Rang(alarm) => self.ring(alarm),
            Input::Wished(wish) => self.wish(&wish),
            Input::Received(text) => self.read(&text).unwrap_or_else(|thrown| {
                self.fate = Fate::Threw(thrown);
                Vec::new()
            }),
        }
    }

    fn fate(&self) -> &Fate {
        &self.fate
    }

    fn party(&self) -> Party {
        Party::Dashboard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELCOME: &str = r#"{"type":"auth_success","payload":{"appId":"shop","userId":"nehonix_1"}}"#;

    fn tab() -> Dashboard {
        let mut tab = Dashboard::new(Credentials::new("nehonix_1", "shop"));
        tab.hear(Input::Started, 0);
        tab.hear(Input::Opened, 0);
        tab
    }

    /// The types of what it sends at once upon a frame.
    fn sends_upon(tab: &mut Dashboard, frame: &Value) -> Vec<String> {
        types(&tab.hear(Input::Received(frame.to_string()), 0))
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
    fn it_authenticates_and_asks_for_its_status_when_it_opens_and_then_for_ever() {
        let mut tab = Dashboard::new(Credentials::new("nehonix_1", "shop"));
        let opened = tab.hear(Input::Opened, 0);
        assert_eq!(types(&opened), ["auth", "check_status", "command"]);
        let timers: Vec<&Effect> =
            opened.iter().filter(|effect| matches!(effect, Effect::Wake(..))).collect();
        assert_eq!(timers.len(), 2);
        for timer in timers {
            let Effect::Wake(alarm, after) = timer else { panic!("a timer") };
            let rung = tab.hear(Input::Rang(*alarm), 0);
            assert_eq!(types(&rung), ["check_status"]);
            assert_eq!(rung[1], Effect::Wake(*alarm, *after));
        }
    }

    #[test]
    fn a_welcome_makes_it_ask_twice_more() {
        let welcome = serde_json::from_str(WELCOME).unwrap();
        assert_eq!(sends_upon(&mut tab(), &welcome), ["get_last_actions", "check_status"]);
    }

    #[test]
    fn it_authenticates_again_at_once_after_a_refusal_and_after_every_success() {
        let refusal = json!({"type": "auth_error", "payload": {"message": "m"}});
        let mut tab = tab();
        for _ in 0..3 {
            assert_eq!(sends_upon(&mut tab, &refusal), ["auth"]);
            assert_eq!(sends_upon(&mut tab, &status(true, true)), ["auth"]);
        }
        assert_eq!(tab.refusals(), 3);
    }

    #[test]
    fn it_asks_again_two_seconds_after_an_inactive_application_and_only_then() {
        let mut tab = tab();
        let effects = tab.hear(Input::Received(status(false, false).to_string()), 0);
        let [Effect::Wake(alarm, after)] = effects[..] else { panic!("one timer: {effects:?}") };
        assert_eq!(after, Duration::from_secs(2));
        assert_eq!(types(&tab.hear(Input::Rang(alarm), 0)), ["check_status"]);
        let unknown = json!({"type": "status_response", "payload": {"success": false, "message": "m", "status":
            {"userExists": true, "appExists": false, "userHasAccess": false, "appIsActive": false}}});
        assert_eq!(tab.hear(Input::Received(unknown.to_string()), 0), []);
    }

    #[test]
    fn the_timers_of_a_lost_connection_ring_for_nobody() {
        let mut tab = tab();
        let old = Alarm::Status { connection: 1, every: STATUS_EVERY[0] };
        assert_eq!(tab.hear(Input::Closed, 0), [Effect::Wake(Alarm::Reconnect, RECONNECT_AFTER)]);
        assert_eq!(tab.hear(Input::Rang(old), 0), []);
        tab.hear(Input::Opened, 0);
        assert_eq!(tab.hear(Input::Rang(old), 0), []);
    }

    #[test]
    fn it_reads_a_report_flat_and_draws_zeros_for_a_nested_one() {
        let mut tab = tab();
        let metrics = json!({"cpu": {"usage": 61.5}, "memory": {"used": 2, "total": 4},
            "process": {"uptime": 9}, "network": {"interfaces": {"lo": {"bytesReceived": 0}}}});
        let mut flat = metrics.clone();
        flat["id"] = json!("i");
        tab.hear(Input::Received(json!({"type": "metrics", "payload": flat}).to_string()), 0);
        let nested = json!({"type": "metrics", "payload": {"metrics": metrics}});
        tab.hear(Input::Received(nested.to_string()), 0);
        let [drawn, zeros] = tab.shown() else { panic!("two reports") };
        assert_eq!((drawn.cpu_usage, drawn.memory_used, drawn.memory_total), (61.5, 2.0, 4.0));
        assert!(drawn.has_network && drawn.uptime == 9 && drawn.id == "i");
        assert_eq!((zeros.cpu_usage, zeros.memory_total, zeros.has_network), (0.0, 0.0, false));
    }

    #[test]
    fn it_throws_at_what_the_table_says_and_at_nothing_else() {
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
            (WELCOME, false),
            ("{}", false),
            (r#"{"type":"history","payload":[]}"#, false),
            (r#"{"type":"get_last_actions","payload":[]}"#, false),
            (r#"{"type":"metrics","payload":{}}"#, false),
            (r#"{"type":"error","payload":{"code":"unavailable"}}"#, false),
            (r#"{"message":"Internal server error","connectionId":"x=","requestId":"y="}"#, false),
        ] {
            let mut tab = tab();
            tab.hear(Input::Received(text.to_owned()), 0);
            assert_eq!(matches!(tab.fate(), Fate::Threw(_)), is_thrown, "{text}");
        }
    }

    #[test]
    fn of_each_switch_the_last_in_the_list_counts() {
        let mut tab = tab();
        let action =
            |kind: &str, enabled: bool| json!({"data": {"type": kind, "data": {"enabled": enabled}}});
        let list = [
            action("console_toggle", false),
            action("encryption_toggle", true),
            action("console_toggle", true),
        ];
        tab.hear(Input::Received(json!({"type": "get_last_actions", "payload": list}).to_string()), 0);
        assert_eq!(tab.switches(), [("encryption_toggle".into(), true), ("console_toggle".into(), true)]);
    }

    #[test]
    fn a_command_names_its_kind_beside_the_application() {
        let mut tab = tab();
        let effects = tab.hear(Input::Wished(Wish::Toggle { kind: "console_toggle", enabled: false }), 0);
        let command = json!({"type": "command", "data": {"userId": "nehonix_1", "appId": "shop",
            "type": "console_toggle", "data": {"enabled": false}}});
        assert_eq!(effects, [Effect::Send(command)]);
    }
}
