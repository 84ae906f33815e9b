//! What is answered to those who may ask.

use serde_json::json;

use super::*;

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn an_hour_is_sixty_minutes_of_what_was_reported() {
    let world = World::start().await;
    for (offset_ms, usage) in [(-2 * MINUTE_MS, 10), (-2 * MINUTE_MS + 1_000, 30), (-500, 50)] {
        world.store("shop", "web-1", offset_ms, &format!(r#"{{"cpu":{{"usage":{usage}}}}}"#)).await;
    }
    let answer = world.ask(Call { query: "timeRange=hour&agg=avg,max,count", ..Call::default() }).await;
    assert_eq!(answer.status, 200);
    let history = answer.json();
    assert_eq!(history["appId"], "shop");
    assert_eq!((&history["timeRange"], &history["step"]), (&json!("hour"), &json!(60)));
    assert_eq!(history["from"], "2026-11-22T12:02:00.000Z");
    assert_eq!(history["to"], "2026-11-22T13:02:00.000Z");
    assert_eq!(history["completeTo"], "2026-11-22T13:01:01.387Z");
    assert_eq!(history["sources"], json!(["web-1"]));
    let timestamps = history["timestamps"].as_array().unwrap();
    assert_eq!((timestamps.len(), &timestamps[0]), (60, &json!(1_795_348_920)));
    let usage = &history["series"]["cpu.usage"];
    let last_three = |aggregate: &str| usage[aggregate].as_array().unwrap()[57..].to_vec();
    assert_eq!(last_three("avg"), [json!(20), json!(null), json!(50)]);
    assert_eq!(last_three("max"), [json!(30), json!(null), json!(50)]);
    assert_eq!(last_three("count"), [json!(2), json!(0), json!(1)]);
    assert_eq!(history["cpu"]["usage"], 30);
}

#[tokio::test]
async fn days_and_weeks_have_their_own_steps() {
    let world = World::start().await;
    for (time_range, step, points) in [("day", 600, 144), ("week", 3_600, 168)] {
        let query = format!("timeRange={time_range}");
        let history = world.ask(Call { query: &query, ..Call::default() }).await.json();
        assert_eq!(history["step"], step);
        assert_eq!(history["timestamps"].as_array().unwrap().len(), points);
    }
}

#[tokio::test]
async fn a_span_between_two_instants_is_answered_at_the_step_that_was_asked_for() {
    let world = World::start().await;
    world.store("shop", "web-1", -30 * MINUTE_MS, r#"{"a":1,"b":2,"c":{"d":3}}"#).await;
    let query = "from=2026-11-22T12:00:00Z&to=2026-11-22T13:00:00Z&step=600&series=a,c.*";
    let history = world.ask(Call { query, ..Call::default() }).await.json();
    assert_eq!(history.get("timeRange"), None);
    assert_eq!(history["timestamps"].as_array().unwrap().len(), 6);
    assert_eq!(history["series"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "c.d"]);
}

#[tokio::test]
async fn other_apps_and_rollups_past_their_age_are_not_in_it() {
    let world = World::start().await;
    world.store("bank", "web-1", -MINUTE_MS, r#"{"money":1}"#).await;
    world.store("shop", "web-1", -MINUTE_MS, r#"{"a":1}"#).await;
    // Minutes are kept for eight days, and hours for longer. Deletion by age is days late, so the rows are there.
    world.store("shop", "web-1", -8 * 24 * 60 * MINUTE_MS - 60_000, r#"{"old":1}"#).await;
    let names = async |query: &str| {
        let history = world.ask(Call { query, ..Call::default() }).await.json();
        history["series"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("timeRange=week").await, ["a"]);
    let day = "from=2026-11-14T00:00:00Z&to=2026-11-15T00:00:00Z";
    assert_eq!(names(&format!("{day}&step=3600")).await, ["old"]);
    // A window that begins where minutes are kept shows none that are not, though they lie in it.
    assert_eq!(
        names("from=2026-11-14T13:01:30Z&to=2026-11-14T14:00:00Z&step=60").await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_window_is_answered_at_the_finest_step_that_is_kept_of_it() {
    let world = World::start().await;
    let days_ago = |days: i64| -days * 24 * 60 * MINUTE_MS;
    for (days, n) in [(3, 3), (9, 9), (40, 40), (401, 401)] {
        world.store("shop", "web-1", days_ago(days), &format!(r#"{{"n":{n}}}"#)).await;
    }
    for (days, step) in [(3, 60), (9, 600), (40, 3_600), (401, 86_400)] {
        let from = NOW_MS + days_ago(days) - 30 * MINUTE_MS;
        let hour = format!("from={from}&to={}&agg=sum", from + 60 * MINUTE_MS);
        // Without a step, with one that is finer than what is kept, and with a coarser one, which is taken.
        for (words, step) in [("", step), ("&step=1", step), ("&step=86400", 86_400)] {
            let history =
                world.ask(Call { query: &format!("{hour}{words}"), ..Call::default() }).await.json();
            assert_eq!(history["step"], step, "{days} days{words}");
            let sums = history["series"]["n"]["sum"].as_array().unwrap();
            assert_eq!(sums.iter().filter_map(Value::as_i64).sum::<i64>(), days, "{days} days{words}");
        }
    }
}

#[tokio::test]
async fn an_app_without_reports_has_a_history_of_gaps() {
    let world = World::start().await;
    let history = world.ask(Call::default()).await.json();
    assert_eq!((&history["series"], &history["sources"]), (&json!({}), &json!([])));
    assert_eq!(history["timestamps"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_spoils_nothing() {
    let world = World::start().await;
    world.store("shop", "web-1", -MINUTE_MS, r#"{"a":1}"#).await;
    let row = |n: i64, document: &str| {
        json!({"pk": {"S": "shop#2026-11-22T13#0"}, "sk": {"S": format!("{:015}#x#{n}", NOW_MS - n)},
            "appId": {"S": "shop"}, "source": {"S": "x"}, "timestamp": {"N": (NOW_MS - n).to_string()},
            "document": {"S": document}, "expiresAt": {"N": (NOW_MS / 1000 + 48 * 3_600).to_string()}})
    };
    world.env.put("ReportsTable", row(1, "no json")).await;
    world.env.put("ReportsTable", row(2, r#"{"b":2}"#)).await;
    for route in [METRICS, LATEST] {
        assert_eq!(world.ask(Call { route, ..Call::default() }).await.status, 200);
    }
    let history = world.ask(Call::default()).await.json();
    assert_eq!(history["series"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn a_spreadsheet_gets_csv() {
    let world = World::start().await;
    world.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5}}"#).await;
    for accept in ["text/csv", "text/csv, */*;q=0.1"] {
        let answer = world.ask(Call { query: "agg=avg,count", accept, ..Call::default() }).await;
        assert_eq!((answer.status, answer.media_type.as_str()), (200, "text/csv; charset=utf-8"));
        let lines: Vec<_> = answer.text.split("\r\n").collect();
        assert_eq!(lines[0], "time,cpu.usage.avg,cpu.usage.count");
        assert_eq!(lines[1], "2026-11-22T12:02:00.000Z,,0");
        assert_eq!(lines[60], "2026-11-22T13:01:00.000Z,61.5,1");
        assert_eq!(lines[61..], [""]);
    }
}

#[tokio::test]
async fn the_last_report_of_each_source_is_told() {
    let world = World::start().await;
    for (source, offset_ms, n) in
        [("a", -3_000, 1), ("a", -2_000, 2), ("b", -9_000, 3), ("c", -61 * MINUTE_MS, 4)]
    {
        world.store("shop", source, offset_ms, &format!(r#"{{"n":{n}}}"#)).await;
    }
    let latest = world.ask(Call { route: LATEST, ..Call::default() }).await.json();
    let reports = latest["reports"].as_array().unwrap();
    assert_eq!(latest["appId"], "shop");
    let told: Vec<_> = reports.iter().map(|report| (&report["source"], &report["metrics"]["n"])).collect();
    assert_eq!(told, [(&json!("a"), &json!(2)), (&json!("b"), &json!(3)), (&json!("c"), &json!(4))]);
    assert_eq!(reports[0]["timestamp"], "2026-11-22T13:00:59.387Z");
}

#[tokio::test]
async fn health_needs_neither_grant_nor_store() {
    let world = World::start().await;
    world.env.dynamodb.go_offline();
    let answer = world.ask(Call { route: "GET /health", grant: None, ..Call::default() }).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
    assert!(answer.json()["version"].is_string());
}

#[tokio::test]
async fn a_summary_has_a_row_for_each_series_and_the_change_since_the_window_before() {
    let world = World::start().await;
    world.store("shop", "web-1", -90 * MINUTE_MS, r#"{"cpu":{"usage":10}}"#).await;
    world.store("shop", "web-1", -20 * MINUTE_MS, r#"{"cpu":{"usage":10},"n":1}"#).await;
    world.store("shop", "web-1", -1_000, r#"{"cpu":{"usage":14}}"#).await;
    let summary = world.ask(Call { route: SUMMARY, ..Call::default() }).await.json();
    let rows = summary["series"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let cpu = &rows[0];
    assert_eq!((&cpu["name"], &cpu["count"]), (&json!("cpu.usage"), &json!(2)));
    assert_eq!([&cpu["avg"], &cpu["min"], &cpu["max"], &cpu["last"]], [12, 10, 14, 14]);
    assert_eq!(cpu["change"], 0.2);
    assert_eq!(rows[1]["change"], Value::Null);
}

#[tokio::test]
async fn the_known_series_are_told_with_unit_and_last_value() {
    let world = World::start().await;
    world.store("shop", "web-1", -3 * 60 * MINUTE_MS, r#"{"memory":{"used":1}}"#).await;
    world.store("shop", "web-2", -1_000, r#"{"cpu":{"usage":14}}"#).await;
    let answer = world.ask(Call { route: SERIES, ..Call::default() }).await.json();
    assert_eq!(
        answer["series"],
        json!([
            {"name": "cpu.usage", "unit": "percent", "last": 14},
            {"name": "memory.used", "unit": "bytes", "last": 1},
        ])
    );
}

#[tokio::test]
async fn what_is_older_than_its_app_keeps_it_is_not_shown_though_it_is_stored() {
    let world = World::start().await;
    let mut brief = app("brief");
    brief.retention.minute = Some(96);
    brief.retention.ten_minutes = Some(96);
    brief.retention.hour = Some(96);
    world.env.register(&brief).await;
    for name in ["shop", "brief"] {
        world.store(name, "old-1", -5 * 24 * 60 * MINUTE_MS, r#"{"a":1}"#).await;
        world.store(name, "new-1", -3 * 24 * 60 * MINUTE_MS, r#"{"a":2}"#).await;
    }
    for (name, sum, sources) in [("shop", 3.0, 2), ("brief", 2.0, 1)] {
        let ask = |route, query| {
            world.ask(Call {
                app: name,
                route,
                query,
                grant: Some(grant(name, Scope::View)),
                ..Call::default()
            })
        };
        let history = ask(METRICS, "timeRange=week&agg=sum").await.json();
        let sums = history["series"]["a"]["sum"].as_array().unwrap();
        assert_eq!(sums.iter().filter_map(serde_json::Value::as_f64).sum::<f64>(), sum, "{name}");
        let latest = ask(LATEST, "").await.json();
        assert_eq!(latest["reports"].as_array().unwrap().len(), sources, "{name}");
    }
}
