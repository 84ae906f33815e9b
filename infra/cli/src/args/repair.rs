//! The arguments of `nsl repair`.

use nsl_domain::time::TimestampMs;

#[derive(Debug, clap::Args)]
pub(crate) struct Repair {
    /// Id of the application. Without it, --list shows the records without an application.
    #[arg(value_name = "APP", required_unless_present = "list")]
    pub(crate) app: Option<String>,

    /// Start of the time range, ISO 8601 or epoch milliseconds.
    #[arg(long, value_name = "TIME", value_parser = instant, required_unless_present = "list")]
    pub(crate) from: Option<TimestampMs>,

    /// End of the time range, exclusive [default: now].
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "from")]
    pub(crate) to: Option<TimestampMs>,

    /// List the quarantined stream records, which could not be read; nothing is changed.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) list: bool,

    /// Name of the applications table [default: that of the ready file or the stack].
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

fn instant(text: &str) -> Result<TimestampMs, String> {
    let parsed = match text.parse::<i64>() {
        Ok(ms) => TimestampMs::try_from(ms),
        Err(_) => TimestampMs::from_iso(text),
    };
    parsed.map_err(|malformed| malformed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_iso_with_a_zone_or_epoch_milliseconds() {
        assert_eq!(instant("2026-11-22T13:00:00+01:00").unwrap().ms(), 1_795_348_800_000);
        assert_eq!(instant("1795348800000").unwrap().ms(), 1_795_348_800_000);
        for text in ["yesterday", "-1", "2026-11-22T13:00:00"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
