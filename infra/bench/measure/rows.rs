//! The rows of the fake tables: one app with its history, as DynamoDB JSON.
//!
//! Keys and attributes are those of docs/DATA_MODEL.md. Reports and rollups are computed by the domain, so that functions
//! read what they would read on AWS.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsl_domain::app::KeyRecord;
use nsl_domain::ids::Scope;
use nsl_domain::report::{Report, sortable};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Rollup, RollupSpan};
use nsl_domain::time::{DAY_MS, MINUTE_MS, SECOND_MS, TimestampMs};
use serde_json::{Value, json};

use nsl_bench::{APP, report_item, reports, rollup};

/// A well-formed key, valid for the fake tables only.
pub(crate) const API_KEY: &str =
    "nehonix@00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.nsl";
/// Number of rollups by resolution: what a query over a week reads.
const KEPT: [(Resolution, i64); 3] =
    [(Resolution::Hour, 8 * 24), (Resolution::TenMinutes, 26 * 6), (Resolution::Minute, 70)];
/// Reports in each rollup.
const REPORTS_PER_ROLLUP: i64 = 60;
/// Seconds of raw reports, one per second.
const RAW_SECONDS: i64 = 300;

/// Rows as JSON, by table and partition, then by sort key.
#[derive(Debug, Default)]
pub(crate) struct Rows(BTreeMap<(String, String), BTreeMap<String, Arc<str>>>);

impl Rows {
    /// The app at `now` without subscribers.
    pub(crate) fn new(now: TimestampMs) -> anyhow::Result<Self> {
        let mut rows = Self::default();
        rows.put_app();
        let mut reports = reports(now.plus_ms(-RAW_SECONDS * SECOND_MS), RAW_SECONDS)?;
        reports.iter().for_each(|report| rows.put("ReportsTable", report_item(report)));
        if let Some(last) = reports.pop() {
            rows.put("RollupsTable", last_report(&last));
        }
        for (resolution, count) in KEPT {
            for index in 0..count {
                let span = RollupSpan::containing(resolution, now.plus_ms(-index * resolution.ms()));
                rows.put("RollupsTable", rollup_item(span, now)?);
            }
        }
        Ok(rows)
    }

    /// Adds subscriptions of these connections.
    pub(crate) fn subscribe(&mut self, names: impl IntoIterator<Item = String>, now: TimestampMs) {
        let hold = format!("key {}", KeyRecord::of(API_KEY, Scope::BOTH).id);
        for name in names {
            self.put(
                "ConnectionsTable",
                json!({
                    "pk": text(&format!("app#{APP}")), "sk": text(&format!("s#{name}")),
                    "minInterval": number(0), "dialect": text("modern"), "hold": text(&hold),
                    "expiresAt": number(now.plus_ms(DAY_MS).seconds()),
                }),
            );
        }
    }

    /// The row with these keys.
    pub(crate) fn find(&self, table: &str, pk: &str, sk: &str) -> Option<Arc<str>> {
        self.0.get(&(table.to_owned(), pk.to_owned()))?.get(sk).cloned()
    }

    /// The rows of a partition whose sort key matches.
    pub(crate) fn matching(&self, table: &str, pk: &str, matches: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let partition = self.0.get(&(table.to_owned(), pk.to_owned()));
        let rows = partition.into_iter().flatten().filter(|(sk, _)| matches(sk));
        rows.map(|(_, row)| Arc::clone(row)).collect()
    }

    fn put(&mut self, table: &str, item: Value) {
        // The apps table has no sort key.
        let key =
            |name: &str| item.pointer(&format!("/{name}/S")).and_then(Value::as_str).unwrap_or_default();
        let pk = if table == "AppsTable" { key("appId") } else { key("pk") };
        let place = (table.to_owned(), pk.to_owned());
        self.0.entry(place).or_default().insert(key("sk").to_owned(), item.to_string().into());
    }

    fn put_app(&mut self) {
        let key = KeyRecord::of(API_KEY, Scope::BOTH);
        let hash = key.hash.to_hex();
        let record = json!({"id": text(key.id.as_str()), "hash": text(&hash), "scope": text("both")});
        let app = json!({
            "appId": text(APP), "owner": text("ann"), "name": text("Shop"), "status": text("active"),
            "keys": {"L": [{"M": record}]}, "legacy": {"BOOL": false}, "shards": number(1),
        });
        self.put("AppsTable", app);
        self.put("AppsTable", json!({"appId": text(&format!("key#{hash}")), "opens": text(APP)}));
    }
}

fn last_report(report: &Report) -> Value {
    json!({
        "pk": text(&format!("{APP}#sources")), "sk": text(report.source.as_str()), "report": text(&report.id()),
        "timestamp": number(report.timestamp.ms()), "document": text(report.document.as_str()),
        "expiresAt": number(report.timestamp.plus_ms(8 * DAY_MS).seconds()),
    })
}

fn rollup_item(span: RollupSpan, now: TimestampMs) -> anyhow::Result<Value> {
    let mut rollup = spread_rollup(span)?;
    let through = rollup.through().min(now.aligned_to(MINUTE_MS)).max(span.start());
    let width = match span.resolution() {
        Resolution::Minute => "1m",
        Resolution::TenMinutes => "10m",
        Resolution::Hour => "1h",
        Resolution::Day => "1d",
    };
    Ok(json!({
        "pk": text(&format!("{APP}#{width}#0")), "sk": text(&sortable(span.start())), "version": number(1),
        "through": number(through.ms()), "buckets": {"B": STANDARD.encode(rollup.to_bytes()?)},
        "expiresAt": number(span.end().plus_ms(40 * DAY_MS).seconds()),
    }))
}

/// A rollup of evenly spread reports.
fn spread_rollup(span: RollupSpan) -> anyhow::Result<Rollup> {
    let between_ms = span.resolution().ms() / REPORTS_PER_ROLLUP;
    let mut reports = reports(span.start(), REPORTS_PER_ROLLUP)?;
    for (index, report) in (0..).zip(&mut reports) {
        report.timestamp = span.start().plus_ms(index * between_ms);
    }
    rollup(span, &reports)
}

fn text(value: &str) -> Value {
    json!({ "S": value })
}

fn number(value: i64) -> Value {
    json!({ "N": value.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_has_a_key_subscribers_reports_and_a_week_of_rollups() {
        let now = TimestampMs::clamped(1_795_352_461_387);
        let mut rows = Rows::new(now).unwrap();
        rows.subscribe(["a=".to_owned(), "b=".to_owned()], now);
        assert!(rows.find("AppsTable", APP, "").unwrap().contains("active"));
        assert_eq!(rows.matching("ConnectionsTable", "app#shop", |sk| sk.starts_with("s#")).len(), 2);
        assert!(rows.matching("RollupsTable", "shop#1h#0", |_| true).len() >= 7 * 24);
        assert!(!rows.matching("ReportsTable", "shop#2026-11-22T13#0", |_| true).is_empty());
    }
}
