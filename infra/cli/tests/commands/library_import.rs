//! A model of how three published versions of the library read their configuration file. What they dereference without a
//! check must be there; what they then do with it is returned.

use serde_json::Value;

/// Longest span of a timer in JavaScript; a longer or missing one fires after a millisecond.
const MAX_TIMER_MS: u64 = (1 << 31) - 1;

/// What a process does after `import()`, `enableRemoteMode()` and `initialize()`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    pub(crate) user_id: String,
    pub(crate) app_id: String,
    /// Whether each second's metrics are reported.
    pub(crate) reports_each_second: bool,
    /// Span of the timer that rotates log files, if there is one.
    pub(crate) rotation_ms: Option<u64>,
}

/// Each version's reading of the file.
pub(crate) const VERSIONS: [fn(&Value) -> Imported; 3] =
    [host_initializes, library_initializes, from_the_web];

/// The host passes `persistence` and `monitoring` to `initialize`, which obeys them unless they are absent.
fn host_initializes(config: &Value) -> Imported {
    let persistence = Some(&config["persistence"]).filter(|persistence| persistence.is_object());
    let rotation = persistence.map(|persistence| {
        assert!(persistence["maxSize"].is_number() && persistence["maxFiles"].is_number(), "{persistence}");
        timer(&persistence["interval"])
    });
    imported(config, rotation)
}

/// `initialize` reads the file's `persistence` and `monitoring`, if they are enabled.
fn library_initializes(config: &Value) -> Imported {
    let persistence = &config["persistence"];
    let rotates = persistence["enabled"] == true;
    imported(config, rotates.then(|| timer(&persistence["rotationInterval"])))
}

/// The same, after a check of what a URL returned.
fn from_the_web(config: &Value) -> Imported {
    for name in ["user", "app", "console"] {
        assert!(config[name].as_object().is_some_and(|object| !object.is_empty()), "{name}");
    }
    assert!(config.get("appId").is_none_or(Value::is_string));
    library_initializes(config)
}

fn imported(config: &Value, rotation_ms: Option<u64>) -> Imported {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).unwrap().to_owned();
    assert!(["error", "warn", "info", "log", "debug"].contains(&config["logLevel"].as_str().unwrap()));
    for name in ["enabled", "showTimestamp", "showLogLevel", "colorized"] {
        assert_eq!(config["console"][name], true, "{name}: a missing one counts as false");
    }
    assert_eq!(config["encryption"]["enabled"], false, "encrypted log entries could not be read here");
    let monitoring = &config["monitoring"];
    Imported {
        user_id: text(&config["user"]["userId"]),
        app_id: text(&config["app"]["appId"]),
        reports_each_second: monitoring["enabled"] == true
            && monitoring["samplingRate"].as_u64() == Some(100)
            && monitoring["maxEventsPerSecond"].as_u64() >= Some(1),
        rotation_ms,
    }
}

fn timer(interval: &Value) -> u64 {
    let hours = match interval.as_str() {
        Some("hourly") => 1,
        Some("daily") => 24,
        Some("weekly") => 168,
        _ => return 1,
    };
    let span = hours * 3_600_000;
    if span > MAX_TIMER_MS { 1 } else { span }
}
