//! The published library and its dashboard as state machines, modelled on their sources, with their crashes, retries and
//! doubled reports. They use no socket and no clock; `driver` runs one on a real connection.
//! See docs/PROTOCOL.md, "The library and its dashboard".

mod client_compatibility;
mod dashboard;
mod driver;
mod frame_counts;
mod javascript;
mod library;
mod properties;
mod tests;
mod traffic_simulation;

pub(crate) use client_compatibility::{ClientKind, why_incompatible};
pub(crate) use dashboard::Dashboard;
pub(crate) use driver::{Endpoint, RunningModel};
pub(crate) use frame_counts::FrameCounts;
pub(crate) use library::{Copies, Library};

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

/// A random element of `from`, which is not empty.
pub(crate) fn one_of<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

/// The identity that a model sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) app: String,
    /// The key that an upgraded library adds to its `auth`.
    pub(crate) api_key: Option<String>,
}

impl Credentials {
    pub(crate) fn new(user: &str, app: &str) -> Self {
        Self { user: user.to_owned(), app: app.to_owned(), api_key: None }
    }

    pub(crate) fn with_key(self, api_key: &str) -> Self {
        Self { api_key: Some(api_key.to_owned()), ..self }
    }

    /// The first frame of a connection.
    pub(crate) fn auth(&self) -> Value {
        let key = self.api_key.as_ref();
        self.frame("auth", key.map_or_else(|| json!({}), |key| json!({ "apiKey": key })))
    }

    /// A frame of type `kind` whose `data` has the credentials and the fields of `more`.
    pub(crate) fn frame(&self, kind: &str, more: Value) -> Value {
        let mut fields = json!({"userId": self.user, "appId": self.app});
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        json!({"type": kind, "data": fields})
    }
}

/// An event that a model reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Started,
    Opened,
    HandshakeFailed,
    Closed,
    Received(String),
    TimerFired(Timer),
    Action(UserAction),
}

/// An action of the user or of the host application.
#[derive(Clone, Debug)]
pub(crate) enum UserAction {
    /// The application logs this many lines at once.
    Log(u32),
    /// The user toggles a switch.
    Toggle { kind: &'static str, enabled: bool },
    /// The user opens the log page.
    History,
    /// The user clears the log page.
    Clear,
    /// The user filters by level.
    Filter,
}

/// A timer of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Reconnect,
    Report,
    SecondCopy,
    /// A status check of this connection, repeated after `every`.
    Status {
        connection: u32,
        every: Duration,
    },
    /// One status check of this connection.
    StatusOnce {
        connection: u32,
    },
}

/// What a model does in reaction to an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    Connect,
    Send(Value),
    /// After this much of the model's time, which the driver may shorten.
    SetTimer(Timer, Duration),
    /// After this much real time.
    SetExactTimer(Timer, Duration),
}

/// Whether a model still runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ModelState {
    #[default]
    Running,
    /// The process of the host application has ended.
    Crashed(String),
    /// The page threw while it handled a frame.
    Threw(String),
    /// It does not connect again.
    GaveUp,
}

/// A client of the service.
pub(crate) trait Model: Send + 'static {
    /// The effects of `input` at `now_ms`.
    fn handle(&mut self, input: Input, now_ms: i64) -> Vec<Effect>;
    fn state(&self) -> &ModelState;
    fn kind(&self) -> ClientKind;
}
