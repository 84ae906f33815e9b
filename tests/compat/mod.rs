//! The published library and its dashboard as state machines: what happens to one goes in, what it does comes out.
//!
//! Owns their behaviour as their sources have it, dying, throwing, asking again at once and doubling included, and
//! the list of what kills them. Touches no socket and no clock; `driver` lets one live on a real connection.
//! Ruled by docs/PROTOCOL.md, "The library and its dashboard".

mod dashboard;
mod deadly;
mod dice;
mod driver;
mod hour;
mod laws;
mod library;
mod script;
mod tally;

pub(crate) use dashboard::Dashboard;
pub(crate) use deadly::{Party, why_deadly};
pub(crate) use dice::Dice;
pub(crate) use driver::{Front, Life};
pub(crate) use library::{Copies, Library};
pub(crate) use tally::Tally;

use std::time::Duration;

use serde_json::{Value, json};

/// Who a model says it is.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) app: String,
}

impl Credentials {
    pub(crate) fn new(user: &str, app: &str) -> Self {
        Self { user: user.to_owned(), app: app.to_owned() }
    }

    /// A frame of the type whose `data` names the two and whatever else stands in `more`.
    pub(crate) fn frame(&self, kind: &str, more: Value) -> Value {
        let mut fields = json!({"userId": self.user, "appId": self.app});
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        json!({"type": kind, "data": fields})
    }
}

/// What happens to a model.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Started,
    Opened,
    HandshakeFailed,
    Closed,
    Received(String),
    Rang(Alarm),
    Wished(Wish),
}

/// What its user or its host application does.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// The application writes this many lines at once.
    Log(u32),
    /// The user throws a switch.
    Toggle { kind: &'static str, enabled: bool },
    /// The user opens the page of logs.
    History,
    /// The user clears the page of logs.
    Clear,
    /// The user filters by level.
    Filter,
}

/// What a model asks to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Reconnect,
    Report,
    Echo,
    /// A status check of the connection with this number, which comes again after as long.
    Status {
        connection: u32,
        every: Duration,
    },
    /// A status check that comes once.
    StatusOnce {
        connection: u32,
    },
}

/// What a model does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    Connect,
    Send(Value),
    /// After this much of the model's time, which a driver may compress.
    Wake(Alarm, Duration),
    /// After this much time of the clock on the wall.
    WakeExactly(Alarm, Duration),
}

/// What has become of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Living,
    /// The process of the host application has ended.
    Died(String),
    /// The page threw in the middle of a frame.
    Threw(String),
    /// It will not connect again.
    GaveUp,
}

/// A party that lives on a connection.
pub(crate) trait Model: Send + 'static {
    /// What it does when this happens at `now_ms`.
    fn hear(&mut self, input: Input, now_ms: i64) -> Vec<Effect>;
    fn fate(&self) -> &Fate;
    fn party(&self) -> Party;
}
