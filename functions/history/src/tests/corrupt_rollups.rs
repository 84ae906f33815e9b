//! Corrupt rollups: answered from what is below them if that is stored, and never a failure.

use nsl_domain::time::DAY_MS;

use super::*;

/// The version of the encoding, and a wrong checksum.
const GARBAGE: &str = "AQAAAAAAAAA=";

/// Corrupts every rollup of one width and returns how many there were.
async fn corrupt(service: &TestService, width: &str) -> usize {
    let pk = format!("shop#{width}#0");
    let rows = service.env.rows("RollupsTable").await.into_iter();
    let rows: Vec<Value> = rows.filter(|row| row["pk"]["S"] == pk.as_str()).collect();
    for row in &rows {
        let mut row = row.clone();
        row["buckets"] = json!({ "B": GARBAGE });
        service.env.put("RollupsTable", row).await;
    }
    service.env.take_calls();
    rows.len()
}

/// The counts of all points that have samples.
async fn counts(service: &TestService, time_range: &str) -> Vec<u64> {
    let answer = service.get(metrics(&format!("timeRange={time_range}&agg=count"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let counts = answer.column("a", "count");
    counts.iter().filter_map(Value::as_u64).filter(|count| *count > 0).collect()
}

#[tokio::test]
async fn corrupt_rollup_is_answered_from_what_is_below_it() {
    let service = TestService::start().await;
    for minutes in [20, 40, 90, 200] {
        service.store("shop", "web-1", -minutes * MINUTE_MS, &format!(r#"{{"a":{minutes}}}"#)).await;
        service.store("shop", "web-2", -minutes * MINUTE_MS - 7, r#"{"a":1}"#).await;
    }
    let (week, hour) = (counts(&service, "week").await, counts(&service, "hour").await);
    assert_eq!((&week[..], &hour[..]), (&[2, 2, 4][..], &[2, 2][..]));
    // One width after the other, until only raw reports are readable.
    for width in ["1h", "10m", "1m"] {
        assert!(corrupt(&service, width).await > 0);
        assert_eq!(counts(&service, "week").await, week, "{width}");
        assert_eq!(counts(&service, "day").await.iter().sum::<u64>(), 8, "{width}");
    }
    assert_eq!(counts(&service, "hour").await, hour);
    let summary = service.get(Call { query: "timeRange=week", ..call(SUMMARY) }).await;
    assert_eq!(summary.json()["series"][0]["count"], 8);
}

#[tokio::test]
async fn corrupt_rollup_with_nothing_below_it_is_a_gap() {
    let service = TestService::start().await;
    for age_ms in [3 * DAY_MS, 4 * DAY_MS, 2 * HOUR_MS] {
        service.store("shop", "web-1", -age_ms, r#"{"a":1}"#).await;
    }
    for width in ["1h", "10m", "1m"] {
        corrupt(&service, width).await;
    }
    // Raw reports are kept for two days.
    assert_eq!(counts(&service, "week").await, [1]);
}

#[tokio::test]
async fn unreadable_row_is_skipped() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -20 * MINUTE_MS, r#"{"a":1}"#).await;
    for attribute in ["version", "through", "expiresAt", "buckets"] {
        for mut row in service.env.rows("RollupsTable").await {
            if row["pk"]["S"] == "shop#1m#0" {
                row.as_object_mut().unwrap().remove(attribute);
                service.env.put("RollupsTable", row).await;
            }
        }
        assert_eq!(counts(&service, "hour").await, [1], "{attribute}");
    }
}

#[tokio::test]
async fn corrupt_table_costs_a_bounded_number_of_queries() {
    let service = TestService::start().await;
    for minutes in 2..60 {
        service.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    assert!(corrupt(&service, "1m").await > 50);
    let points = counts(&service, "hour").await.len();
    assert!((16..58).contains(&points), "{points}");
    let queries = service.env.take_lines().iter().filter(|line| line.starts_with("Query")).count();
    assert!(queries <= 16 + 3, "{queries}");
}
