//! Limits and retention of an application as arguments. Each takes a value or `default`; the domain checks the values.

use super::duration::seconds;
use anyhow::Context as _;
use nsl_domain::app::App;
use std::str::FromStr;

/// The argument that resets a setting.
const DEFAULT: &str = "default";

/// A new value of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting<T> {
    /// The service's default.
    Default,
    /// This value.
    Value(T),
}

/// A duration in whole hours, such as `48h`, `8d` or `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hours(i64);

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct AppSettings {
    /// Reports per second, of all shards together [default: 1,000 per shard].
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_reports: Option<Setting<u32>>,

    /// Bytes of metrics per second, of all shards together [default: 1,000,000 per shard].
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_bytes: Option<Setting<u32>>,

    /// Connections of publishers and viewers together [default: 2,500].
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_connections: Option<Setting<u32>>,

    /// Connections of viewers [default: the limit of connections].
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_subscriptions: Option<Setting<u32>>,

    /// How long raw reports are kept, such as 72h or 5d [default: that of the deployment, usually 2d].
    #[arg(long, value_name = "TIME|default", help_heading = "Retention")]
    retention_raw: Option<Setting<Hours>>,

    /// How long 1-minute rollups are kept [default: 8d].
    #[arg(long, value_name = "TIME|default", help_heading = "Retention")]
    retention_1m: Option<Setting<Hours>>,

    /// How long 10-minute rollups are kept [default: 35d].
    #[arg(long, value_name = "TIME|default", help_heading = "Retention")]
    retention_10m: Option<Setting<Hours>>,

    /// How long 1-hour rollups are kept [default: 400d].
    #[arg(long, value_name = "TIME|default", help_heading = "Retention")]
    retention_1h: Option<Setting<Hours>>,

    /// How long 1-day rollups are kept [default: 1826d, five years].
    #[arg(long, value_name = "TIME|default", help_heading = "Retention")]
    retention_1d: Option<Setting<Hours>>,
}

impl AppSettings {
    /// Applies the given settings to `app`. Changed limits lift a rejection because of the old ones.
    pub(crate) fn apply(&self, app: &mut App) -> anyhow::Result<()> {
        let before = app.limits;
        let limits = &mut app.limits;
        set(&mut limits.reports, self.max_reports);
        set(&mut limits.bytes, self.max_bytes);
        set(&mut limits.connections, self.max_connections);
        set(&mut limits.subscriptions, self.max_subscriptions);
        limits.check(app.shards).context("invalid limits; each shard adds 1000 reports per second")?;
        if *limits != before {
            app.limited_until = None;
        }
        let kept = &mut app.retention;
        set(&mut kept.raw, hours(self.retention_raw));
        set(&mut kept.minute, hours(self.retention_1m));
        set(&mut kept.ten_minutes, hours(self.retention_10m));
        set(&mut kept.hour, hours(self.retention_1h));
        set(&mut kept.day, hours(self.retention_1d));
        kept.check().context("invalid retention")
    }
}

fn set<T>(setting: &mut Option<T>, argument: Option<Setting<T>>) {
    match argument {
        Some(Setting::Value(value)) => *setting = Some(value),
        Some(Setting::Default) => *setting = None,
        None => {}
    }
}

fn hours(argument: Option<Setting<Hours>>) -> Option<Setting<i64>> {
    argument.map(|setting| match setting {
        Setting::Value(Hours(hours)) => Setting::Value(hours),
        Setting::Default => Setting::Default,
    })
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Setting<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == DEFAULT {
            return Ok(Self::Default);
        }
        text.parse().map(Self::Value).map_err(|error| format!("{error}, or {DEFAULT:?}"))
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be a whole number and h, d or w, such as 48h or 8d";
        let hours = seconds(text, "hdw").and_then(|seconds| i64::try_from(seconds / 3_600).ok());
        hours.map(Self).ok_or(EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_in_hours_days_or_weeks() {
        let hours = |text: &str| text.parse::<Hours>().ok().map(|duration| duration.0);
        assert_eq!(["48h", "8d", "2w", "0h"].map(hours), [Some(48), Some(192), Some(336), Some(0)]);
        for text in ["", "h", "8", "-1d", "1.5d", "8y", "8 d", "9999999999d", "8é"] {
            assert_eq!(hours(text), None, "{text:?}");
        }
    }

    #[test]
    fn setting_is_set_reset_or_left_unchanged() {
        let mut setting = Some(1);
        set(&mut setting, None);
        assert_eq!(setting, Some(1));
        set(&mut setting, Some("7".parse::<Setting<u32>>().unwrap()));
        assert_eq!(setting, Some(7));
        set(&mut setting, Some("default".parse::<Setting<u32>>().unwrap()));
        assert_eq!(setting, None);
        assert!("many".parse::<Setting<u32>>().unwrap_err().ends_with("or \"default\""));
    }
}
