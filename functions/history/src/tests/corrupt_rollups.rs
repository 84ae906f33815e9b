//! Rollups that cannot be read: shown from what is below them where that is stored, and no answer fails for them.

use nsl_domain::time::DAY_MS;
use serde_json::json;

use super::*;

/// Bytes of the encoding's version whose check does not agree.
const GARBAGE: &str = "AQAAAAAAAAA=";

/// Damages every rollup of one width, and tells how many there were.
async fn damage(world: &World, width: &str) -> usize {
    let pk = format!("shop#{width}#0");
    let mut damaged = 0;
    for mut row in world.env.rows("RollupsTable").await {
        if row["pk"]["S"] == pk.as_str() {
            row["buckets"] = json!({ "B": GARBAGE });
            world.env.put("RollupsTable", row).await;
            damaged += 1;
        }
    }
    world.env.take_calls();
    damaged
}

/// The counts of all points but the gaps.
async fn counts(world: &World, query: &str) -> Vec<u64> {
    let answer = world.ask(Call { query: &format!("{query}&agg=count"), ..Call::default() }).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let history = answer.json();
    let counts = history["series"]["a"]["count"].as_array().cloned().unwrap_or_default();
    counts.iter().filter_map(Value::as_u64).filter(|count| *count > 0).collect()
}

#[tokio::test]
async fn what_cannot_be_read_is_shown_from_what_is_below_it() {
    let world = World::start().await;
    for minutes in [20, 40, 90, 200] {
        world.store("shop", "web-1", -minutes * MINUTE_MS, &format!(r#"{{"a":{minutes}}}"#)).await;
        world.store("shop", "web-2", -minutes * MINUTE_MS - 7, r#"{"a":1}"#).await;
    }
    let (week, hour) = (counts(&world, "timeRange=week").await, counts(&world, "timeRange=hour").await);
    assert_eq!((&week[..], &hour[..]), (&[2, 2, 4][..], &[2, 2][..]));
    // Each width in turn, so that in the end nothing but raw reports can be read.
    for width in ["1h", "10m", "1m"] {
        assert!(damage(&world, width).await > 0);
        assert_eq!(counts(&world, "timeRange=week").await, week, "{width}");
        assert_eq!(counts(&world, "timeRange=day").await.iter().sum::<u64>(), 8, "{width}");
    }
    assert_eq!(counts(&world, "timeRange=hour").await, hour);
    let summary = world.ask(Call { route: SUMMARY, query: "timeRange=week", ..Call::default() }).await;
    assert_eq!(summary.json()["series"][0]["count"], 8);
}

#[tokio::test]
async fn what_nothing_is_left_of_is_a_gap_and_no_failure() {
    let world = World::start().await;
    for days in [3, 4] {
        world.store("shop", "web-1", -days * DAY_MS, r#"{"a":1}"#).await;
    }
    world.store("shop", "web-1", -2 * HOUR_MS, r#"{"a":1}"#).await;
    for width in ["1h", "10m", "1m"] {
        damage(&world, width).await;
    }
    // Raw reports of the last two days are stored, and those of the days before are not.
    assert_eq!(counts(&world, "timeRange=week").await, [1]);
}

#[tokio::test]
async fn a_row_without_its_attributes_spoils_no_answer() {
    let world = World::start().await;
    world.store("shop", "web-1", -20 * MINUTE_MS, r#"{"a":1}"#).await;
    for attribute in ["version", "through", "expiresAt", "buckets"] {
        for mut row in world.env.rows("RollupsTable").await {
            if row["pk"]["S"] == "shop#1m#0" {
                row.as_object_mut().unwrap().remove(attribute);
                world.env.put("RollupsTable", row).await;
            }
        }
        assert_eq!(counts(&world, "timeRange=hour").await, [1], "{attribute}");
    }
}

#[tokio::test]
async fn a_table_that_is_damaged_all_over_costs_a_bounded_number_of_queries() {
    let world = World::start().await;
    for minutes in 2..60 {
        world.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    assert!(damage(&world, "1m").await > 50);
    let shown = counts(&world, "timeRange=hour").await.len();
    assert!((16..58).contains(&shown), "{shown}");
    let queries = world.env.take_lines().iter().filter(|line| line.starts_with("Query")).count();
    assert!(queries <= 16 + 3, "{queries}");
}
