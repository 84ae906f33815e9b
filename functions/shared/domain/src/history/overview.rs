//! The answer of `GET /apps`: the present state of each application of a caller.

use serde::Serialize;

use super::number::Number;
use crate::app::{App, Status};
use crate::ids::AppId;
use crate::rollup::{Activity, Mean};
use crate::time::TimestampMs;

/// One application.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppOverview {
    /// Its id.
    pub app_id: AppId,
    name: String,
    status: Status,
    /// The time of its newest report, if known.
    last_report: Option<TimestampMs>,
    /// How many sources reported in one of the last minutes: the one with most.
    sources: usize,
    /// The mean of the newest values of these sources; `null` if none of them has one.
    cpu: Option<Number>,
    memory: Option<Number>,
}

/// The answer of `GET /apps`.
#[derive(Debug, Clone, Serialize)]
pub struct OverviewAnswer {
    /// The applications, by id.
    pub apps: Vec<AppOverview>,
    /// Whether these are all.
    pub complete: bool,
}

impl AppOverview {
    /// The state of `app` at `now` from what the sources of each write shard last reported, over several spans.
    pub fn new(app: &App, shards: &[Vec<Activity>], now: TimestampMs) -> Self {
        let last_report = shards.iter().flatten().map(|minute| minute.last_report).max();
        let present = shards.iter().filter_map(|minutes| fullest(minutes, now)).reduce(Activity::with_shard);
        let shown = |mean: Option<Mean>| mean.map(|mean| Number(mean.mean));
        Self {
            app_id: app.id.clone(),
            name: app.name.clone(),
            status: app.status,
            last_report,
            sources: present.map_or(0, |activity| activity.sources),
            cpu: shown(present.and_then(|activity| activity.cpu)),
            memory: shown(present.and_then(|activity| activity.memory)),
        }
    }
}

/// The active span in which most sources reported, the newer of two with as many: the running minute lacks those that
/// have not reported in it yet.
fn fullest(minutes: &[Activity], now: TimestampMs) -> Option<Activity> {
    let active = minutes.iter().filter(|minute| minute.is_active(now));
    active.max_by_key(|minute| (minute.sources, minute.last_report)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::ACTIVE_MS;
    use serde_json::{Value, json};

    /// A minute whose last report has this age.
    fn minute(age_ms: i64, sources: usize, cpu: Option<f64>) -> Activity {
        let cpu = cpu.map(|mean| Mean { mean, sources });
        Activity { sources, last_report: TimestampMs::EXAMPLE.plus_ms(-age_ms), cpu, memory: None }
    }

    fn overview(shards: &[Vec<Activity>]) -> Value {
        let app = App { name: "The shop".into(), ..App::example() };
        serde_json::to_value(AppOverview::new(&app, shards, TimestampMs::EXAMPLE)).unwrap()
    }

    #[test]
    fn fullest_active_minute_is_shown() {
        for (ages_and_sources, shown) in [
            (vec![(0, 1), (60_000, 3), (120_000, 2)], (3, 1.0)),
            (vec![(0, 3), (60_000, 3)], (3, 0.0)),
            (vec![(0, 1), (ACTIVE_MS, 2)], (2, 1.0)),
            (vec![(0, 1), (ACTIVE_MS + 1, 2)], (1, 0.0)),
            (vec![(-1_000, 1), (0, 1)], (1, 0.0)),
        ] {
            let of = |(index, (age_ms, sources)): (usize, &(i64, usize))| {
                minute(*age_ms, *sources, Some(index as f64))
            };
            let answer = overview(&[ages_and_sources.iter().enumerate().map(of).collect()]);
            let found = (answer["sources"].as_u64().unwrap(), answer["cpu"].as_f64().unwrap());
            assert_eq!(found, shown, "{ages_and_sources:?}");
        }
    }

    #[test]
    fn write_shards_are_added() {
        let answer =
            overview(&[vec![minute(2_000, 1, Some(10.0))], vec![], vec![minute(1_000, 3, Some(30.0))]]);
        let expected = json!({"appId": "shop", "name": "The shop", "status": "active",
            "lastReport": "2026-11-22T13:01:00.387Z", "sources": 4, "cpu": 25, "memory": null});
        assert_eq!(answer, expected);
    }

    #[test]
    fn silent_application_has_no_figures() {
        let answer = overview(&[vec![minute(ACTIVE_MS + 1, 2, Some(10.0))]]);
        assert_eq!((&answer["sources"], &answer["cpu"]), (&json!(0), &Value::Null));
        assert!(answer["lastReport"].is_string());
        assert_eq!(overview(&[])["lastReport"], Value::Null);
    }
}
