//! What an application may set of its own, as arguments: limits, and how long its data is kept.
//!
//! Each takes a figure or `default`. Whether the figures may be is the domain's matter.

use anyhow::Context as _;
use nsl_domain::app::App;
use std::str::FromStr;

/// What takes an application's own figure back.
const DEFAULT: &str = "default";

/// Hours of a day and of a week.
const DAY_HOURS: i64 = 24;
const WEEK_HOURS: i64 = 7 * DAY_HOURS;

/// A figure of an application's own, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own<T> {
    /// By default.
    Default,
    /// This one.
    Is(T),
}

/// A span in whole hours, such as `48h`, `8d` or `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hours(i64);

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct OwnTerms {
    /// Reports a second, all shards together; by default 1,000 for each shard.
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_reports: Option<Own<u32>>,

    /// Bytes of metrics a second, all shards together; by default 1,000,000 for each shard.
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_bytes: Option<Own<u32>>,

    /// Connections, those that report and those that watch counted together; by default 2,500.
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_connections: Option<Own<u32>>,

    /// Connections that watch; by default as many as there may be connections.
    #[arg(long, value_name = "N|default", help_heading = "Limits")]
    max_subscriptions: Option<Own<u32>>,

    /// How long raw reports are kept, such as 72h or 5d; by default as the service is deployed, 2d.
    #[arg(long, value_name = "SPAN|default", help_heading = "Retention")]
    retention_raw: Option<Own<Hours>>,

    /// How long rollups of a minute are kept; by default 8d.
    #[arg(long, value_name = "SPAN|default", help_heading = "Retention")]
    retention_1m: Option<Own<Hours>>,

    /// How long rollups of ten minutes are kept; by default 35d.
    #[arg(long, value_name = "SPAN|default", help_heading = "Retention")]
    retention_10m: Option<Own<Hours>>,

    /// How long rollups of an hour are kept; by default 400d.
    #[arg(long, value_name = "SPAN|default", help_heading = "Retention")]
    retention_1h: Option<Own<Hours>>,

    /// How long rollups of a day are kept; by default 1826d, five years.
    #[arg(long, value_name = "SPAN|default", help_heading = "Retention")]
    retention_1d: Option<Own<Hours>>,
}

impl OwnTerms {
    /// Sets what is given. Other limits than before end a refusal under the old ones.
    pub(crate) fn apply(&self, app: &mut App) -> anyhow::Result<()> {
        let was = app.limits;
        let limits = &mut app.limits;
        set(&mut limits.reports, self.max_reports);
        set(&mut limits.bytes, self.max_bytes);
        set(&mut limits.connections, self.max_connections);
        set(&mut limits.subscriptions, self.max_subscriptions);
        limits.check(app.shards).context("the limits cannot be set; each of --shards adds 1000 reports")?;
        if *limits != was {
            app.limited_until = None;
        }
        let kept = &mut app.retention;
        set(&mut kept.raw, hours(self.retention_raw));
        set(&mut kept.minute, hours(self.retention_1m));
        set(&mut kept.ten_minutes, hours(self.retention_10m));
        set(&mut kept.hour, hours(self.retention_1h));
        set(&mut kept.day, hours(self.retention_1d));
        kept.check().context("the retention cannot be set")
    }
}

fn set<T>(figure: &mut Option<T>, asked: Option<Own<T>>) {
    match asked {
        Some(Own::Is(own)) => *figure = Some(own),
        Some(Own::Default) => *figure = None,
        None => {}
    }
}

fn hours(asked: Option<Own<Hours>>) -> Option<Own<i64>> {
    asked.map(|asked| match asked {
        Own::Is(Hours(hours)) => Own::Is(hours),
        Own::Default => Own::Default,
    })
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Own<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == DEFAULT {
            return Ok(Self::Default);
        }
        text.parse().map(Self::Is).map_err(|error| format!("{error}; or say {DEFAULT:?}"))
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DEMAND: &str = "a span is a whole number and h, d or w, such as 48h or 8d";
        let unit = text.chars().next_back().ok_or(DEMAND)?;
        let hours_of_one = match unit {
            'h' => 1,
            'd' => DAY_HOURS,
            'w' => WEEK_HOURS,
            _ => return Err(DEMAND),
        };
        let number: u16 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or(DEMAND)?;
        Ok(Self(i64::from(number) * hours_of_one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_hours_days_or_weeks() {
        let hours = |text: &str| text.parse::<Hours>().ok().map(|span| span.0);
        assert_eq!(["48h", "8d", "2w", "0h"].map(hours), [Some(48), Some(192), Some(336), Some(0)]);
        for text in ["", "h", "8", "-1d", "1.5d", "8y", "8 d", "99999d", "8é"] {
            assert_eq!(hours(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_figure_is_set_taken_back_or_left() {
        let mut figure = Some(1);
        set(&mut figure, None);
        assert_eq!(figure, Some(1));
        set(&mut figure, Some("7".parse::<Own<u32>>().unwrap()));
        assert_eq!(figure, Some(7));
        set(&mut figure, Some("default".parse::<Own<u32>>().unwrap()));
        assert_eq!(figure, None);
        assert!("many".parse::<Own<u32>>().unwrap_err().ends_with("or say \"default\""));
    }
}
