//! The answer of `GET /apps/{appId}/logs`, with the entries as they were sent.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::AppId;
use crate::time::TimestampMs;
use crate::window::time_range::TimeRange;

/// The log entries of a time range.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsAnswer<'a> {
    app_id: &'a AppId,
    time_range: TimeRange,
    from: TimestampMs,
    logs: Vec<&'a RawValue>,
    complete: bool,
}

impl<'a> LogsAnswer<'a> {
    /// The answer with `entries`, oldest first; one that is not JSON is left out. `complete` is false if the range may
    /// have older ones.
    pub fn new(
        app: &'a AppId,
        time_range: TimeRange,
        from: TimestampMs,
        entries: &'a [String],
        complete: bool,
    ) -> Self {
        let logs = entries.iter().filter_map(|entry| serde_json::from_str(entry).ok()).collect();
        Self { app_id: app, time_range, from, logs, complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_answered_as_they_were_sent() {
        let entries = [r#"{"message":"a\\b","n":1.0}"#.to_owned(), "no json".to_owned()];
        let app = AppId::new("shop").unwrap();
        let answer = LogsAnswer::new(&app, TimeRange::Day, TimestampMs::clamped(0), &entries, true);
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            json!({"appId": "shop", "timeRange": "day", "from": "1970-01-01T00:00:00.000Z",
                "logs": [{"message": "a\\b", "n": 1.0}], "complete": true})
        );
    }
}
