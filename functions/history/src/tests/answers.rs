//! Successful answers of history, summary, series, latest reports and health.

use nsl_domain::time::DAY_MS;

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
    service.put_row(1, "no json").await;
    service.put_row(2, r#"{"b":2}"#).await;
    assert_eq!(service.get(call(LATEST)).await.status, 200);
    assert_eq!(service.get(call(METRICS)).await.series_names(), ["a", "b"]);
}

#[tokio::test]
async fn repeated_lists_are_joined() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -MINUTE_MS, r#"{"a":1,"b":2,"c":3,"a,b":4}"#).await;
    for (series, names) in [
        ("series=a&series=c", &["a", "c"][..]),
        ("series[]=a&series%5B%5D=c", &["a", "c"]),
        ("series=a,b&series=c", &["a", "a,b", "b", "c"]),
        ("series=a%2Cb", &["a", "a,b", "b"]),
    ] {
        let answer = service.get(metrics(&format!("{series}&agg=max&agg=sum"))).await;
        assert_eq!(answer.series_names(), names, "{series}");
        assert_eq!(answer.json()["series"]["a"].as_object().unwrap().len(), 2, "{series}");
    }
}

#[tokio::test]
async fn fractional_milliseconds_are_cut_off() {
    let service = TestService::start().await;
    let answer = service.get(metrics("from=1795348800000.9&to=1795352400000.9")).await.json();
    assert_eq!((&answer["from"], &answer["step"]), (&json!("2026-11-22T12:00:00.000Z"), &json!(60)));
}

#[tokio::test]
async fn csv_is_answered_if_accepted() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5}}"#).await;
    for accept in ["text/csv", "text/csv, */*;q=0.1", "text/*", "application/json;q=0.5,text/csv"] {
        let answer = service.get(Call { accept, ..metrics("agg=avg,count") }).await;
        assert_eq!((answer.status, answer.media_type.as_str()), (200, "text/csv; charset=utf-8"));
        let ends = ("time,cpu.usage.avg,cpu.usage.count\r\n2026-", "\r\n2026-11-22T13:01:00.000Z,61.5,1\r\n");
        assert!(answer.text.starts_with(ends.0) && answer.text.ends_with(ends.1), "{}", answer.text);
    }
    for accept in ["text/csv;q=0, application/json", "text/csvx", "text/csv;q=0.4, */*", "image/png", ""] {
        let answer = service.get(Call { accept, ..metrics("agg=avg,count") }).await;
        assert_eq!((answer.status, answer.media_type.as_str()), (200, "application/json"), "{accept}");
    }
}

#[tokio::test]
async fn health_needs_no_grant_and_no_table() {
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
        let of_app = |call| Call { app: name, grant: Some(grant(name, Scope::VIEW)), ..call };
        let history = service.get(of_app(metrics("timeRange=week&agg=sum"))).await;
        assert_eq!(history.total("a", "sum"), sum, "{name}");
        let latest = service.get(of_app(call(LATEST))).await.json();
        assert_eq!(latest["reports"].as_array().unwrap().len(), sources, "{name}");
    }
}
