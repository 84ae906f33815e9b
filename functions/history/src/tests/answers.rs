//! Successful answers of history, summary, series, latest reports and health.

use nsl_domain::time::DAY_MS;
use serde_json::json;

use super::*;

#[tokio::test]
async fn hour_has_sixty_minutes_of_what_was_reported() {
    let service = TestService::start().await;
    for (offset_ms, usage) in [(-2 * MINUTE_MS, 10), (-2 * MINUTE_MS + 1_000, 30), (-500, 50)] {
        service.store("shop", "web-1", offset_ms, &format!(r#"{{"cpu":{{"usage":{usage}}}}}"#)).await;
    }
    let answer = service.get(metrics("timeRange=hour&agg=avg,max,count")).await;
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
    for (aggregate, last_three) in [
        ("avg", [json!(20), json!(null), json!(50)]),
        ("max", [json!(30), json!(null), json!(50)]),
        ("count", [json!(2), json!(0), json!(1)]),
    ] {
        assert_eq!(answer.column("cpu.usage", aggregate)[57..], last_three);
    }
    assert_eq!(history["cpu"]["usage"], 30);
}

#[tokio::test]
async fn each_time_range_has_its_step_and_points_without_reports() {
    let service = TestService::start().await;
    for (time_range, step, points) in [("hour", 60, 60), ("day", 600, 144), ("week", 3_600, 168)] {
        let history = service.get(metrics(&format!("timeRange={time_range}"))).await.json();
        assert_eq!(history["step"], step);
        assert_eq!(history["timestamps"].as_array().unwrap().len(), points);
        assert_eq!((&history["series"], &history["sources"]), (&json!({}), &json!([])));
    }
}

#[tokio::test]
async fn span_of_two_instants_has_the_requested_step() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -30 * MINUTE_MS, r#"{"a":1,"b":2,"c":{"d":3}}"#).await;
    let query = "from=2026-11-22T12:00:00Z&to=2026-11-22T13:00:00Z&step=600&series=a,c.*";
    let answer = service.get(metrics(query)).await;
    assert_eq!(answer.json().get("timeRange"), None);
    assert_eq!(answer.json()["timestamps"].as_array().unwrap().len(), 6);
    assert_eq!(answer.series_names(), ["a", "c.d"]);
}

#[tokio::test]
async fn other_apps_and_expired_rollups_are_not_answered() {
    let service = TestService::start().await;
    service.store("bank", "web-1", -MINUTE_MS, r#"{"money":1}"#).await;
    service.store("shop", "web-1", -MINUTE_MS, r#"{"a":1}"#).await;
    // Minutes are kept for eight days, hours longer. DynamoDB deletes expired rows days later, so both are there.
    service.store("shop", "web-1", -8 * DAY_MS - MINUTE_MS, r#"{"old":1}"#).await;
    let day = "from=2026-11-14T00:00:00Z&to=2026-11-15T00:00:00Z";
    for (query, names) in [
        ("timeRange=week", &["a"][..]),
        (&format!("{day}&step=3600"), &["old"]),
        // The window begins where minutes are still kept; the expired one in it is left out.
        ("from=2026-11-14T13:01:30Z&to=2026-11-14T14:00:00Z&step=60", &[]),
    ] {
        assert_eq!(service.get(metrics(query)).await.series_names(), names, "{query}");
    }
}

#[tokio::test]
async fn window_has_the_finest_step_that_is_kept() {
    let service = TestService::start().await;
    let ages = [(3, 60), (9, 600), (40, 3_600), (401, 86_400)];
    for (days, _) in ages {
        service.store("shop", "web-1", -days * DAY_MS, &format!(r#"{{"n":{days}}}"#)).await;
    }
    for (days, kept) in ages {
        let from = NOW_MS - days * DAY_MS - 30 * MINUTE_MS;
        let hour = format!("from={from}&to={}&agg=sum", from + HOUR_MS);
        // Without a step, with one that is finer than what is kept, and with a coarser one, which is used.
        for (parameter, step) in [("", kept), ("&step=1", kept), ("&step=86400", 86_400)] {
            let answer = service.get(metrics(&format!("{hour}{parameter}"))).await;
            assert_eq!(answer.json()["step"], step, "{days} days{parameter}");
            assert_eq!(answer.total("n", "sum"), days as f64, "{days} days{parameter}");
        }
    }
}

#[tokio::test]
async fn unreadable_row_fails_no_answer() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -MINUTE_MS, r#"{"a":1}"#).await;
    for (n, document) in [(1, "no json"), (2, r#"{"b":2}"#)] {
        let ms = NOW_MS - n;
        let row = json!({"pk": {"S": "shop#2026-11-22T13#0"}, "sk": {"S": format!("{ms:015}#x#{n}")},
            "appId": {"S": "shop"}, "source": {"S": "x"}, "timestamp": {"N": ms.to_string()},
            "document": {"S": document}, "expiresAt": {"N": (NOW_MS / 1000 + 48 * 3_600).to_string()}});
        service.env.put("ReportsTable", row).await;
    }
    assert_eq!(service.get(call(LATEST)).await.status, 200);
    assert_eq!(service.get(call(METRICS)).await.series_names(), ["a", "b"]);
}

#[tokio::test]
async fn csv_is_answered_if_accepted() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5}}"#).await;
    for accept in ["text/csv", "text/csv, */*;q=0.1"] {
        let answer = service.get(Call { accept, ..metrics("agg=avg,count") }).await;
        assert_eq!((answer.status, answer.media_type.as_str()), (200, "text/csv; charset=utf-8"));
        let lines: Vec<_> = answer.text.split("\r\n").collect();
        assert_eq!(lines[0], "time,cpu.usage.avg,cpu.usage.count");
        assert_eq!(lines[1], "2026-11-22T12:02:00.000Z,,0");
        assert_eq!(lines[60], "2026-11-22T13:01:00.000Z,61.5,1");
        assert_eq!(lines[61..], [""]);
    }
}

#[tokio::test]
async fn latest_has_the_last_report_of_each_source() {
    let service = TestService::start().await;
    for (source, offset_ms, n) in
        [("a", -3_000, 1), ("a", -2_000, 2), ("b", -9_000, 3), ("c", -61 * MINUTE_MS, 4)]
    {
        service.store("shop", source, offset_ms, &format!(r#"{{"n":{n}}}"#)).await;
    }
    let latest = service.get(call(LATEST)).await.json();
    let reports = latest["reports"].as_array().unwrap();
    assert_eq!(latest["appId"], "shop");
    let last: Vec<_> = reports.iter().map(|report| (&report["source"], &report["metrics"]["n"])).collect();
    assert_eq!(last, [(&json!("a"), &json!(2)), (&json!("b"), &json!(3)), (&json!("c"), &json!(4))]);
    assert_eq!(reports[0]["timestamp"], "2026-11-22T13:00:59.387Z");
}

#[tokio::test]
async fn health_needs_neither_grant_nor_store() {
    let service = TestService::start().await;
    service.env.dynamodb.go_offline();
    let answer = service.get(Call { grant: None, ..call("GET /health") }).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
    assert!(answer.json()["version"].is_string());
}

#[tokio::test]
async fn summary_compares_each_series_with_the_window_before() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -90 * MINUTE_MS, r#"{"cpu":{"usage":10}}"#).await;
    service.store("shop", "web-1", -20 * MINUTE_MS, r#"{"cpu":{"usage":10},"n":1}"#).await;
    service.store("shop", "web-1", -1_000, r#"{"cpu":{"usage":14}}"#).await;
    let summary = service.get(call(SUMMARY)).await.json();
    let rows = summary["series"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let cpu = &rows[0];
    assert_eq!((&cpu["name"], &cpu["count"]), (&json!("cpu.usage"), &json!(2)));
    assert_eq!([&cpu["avg"], &cpu["min"], &cpu["max"], &cpu["last"]], [12, 10, 14, 14]);
    assert_eq!(cpu["change"], 0.2);
    assert_eq!(rows[1]["change"], Value::Null);
}

#[tokio::test]
async fn series_are_listed_with_unit_and_last_value() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -3 * HOUR_MS, r#"{"memory":{"used":1}}"#).await;
    service.store("shop", "web-2", -1_000, r#"{"cpu":{"usage":14}}"#).await;
    assert_eq!(
        service.get(call(SERIES)).await.json()["series"],
        json!([
            {"name": "cpu.usage", "unit": "percent", "last": 14},
            {"name": "memory.used", "unit": "bytes", "last": 1},
        ])
    );
}

#[tokio::test]
async fn stored_rows_past_the_retention_of_their_app_are_not_answered() {
    let service = TestService::start().await;
    let mut brief = app("brief");
    brief.retention.minute = Some(96);
    brief.retention.ten_minutes = Some(96);
    brief.retention.hour = Some(96);
    service.env.register(&brief).await;
    for (name, sum, sources) in [("shop", 3.0, 2), ("brief", 2.0, 1)] {
        service.store(name, "old-1", -5 * DAY_MS, r#"{"a":1}"#).await;
        service.store(name, "new-1", -3 * DAY_MS, r#"{"a":2}"#).await;
        let of_app = |call| Call { app: name, grant: Some(grant(name, Scope::View)), ..call };
        let history = service.get(of_app(metrics("timeRange=week&agg=sum"))).await;
        assert_eq!(history.total("a", "sum"), sum, "{name}");
        let latest = service.get(of_app(call(LATEST))).await.json();
        assert_eq!(latest["reports"].as_array().unwrap().len(), sources, "{name}");
    }
}
