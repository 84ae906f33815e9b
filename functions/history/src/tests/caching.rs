//! The rollup cache of an instance, entity tags and `Cache-Control`.

use nsl_domain::time::DAY_MS;

use super::*;

const WEEK: &str = "timeRange=week&series=cpu.usage";

/// A report of every fourth hour of the last eight days, each of so many series that the hours cost units.
async fn eight_days() -> TestService {
    let service = TestService::start().await;
    for hour in (1..8 * 24).step_by(4) {
        let others: Vec<i64> = (0..120).map(|index| hour * 7_919 * index % 1_000_003).collect();
        let document = format!(r#"{{"cpu":{{"usage":{hour}}},"others":{others:?}}}"#);
        service.store("shop", "web-1", -hour * HOUR_MS, &document).await;
    }
    service.env.forget_calls();
    service
}

fn count(answer: &Answer) -> f64 {
    answer.total("cpu.usage", "count")
}

#[tokio::test]
async fn repeated_week_reads_only_what_can_still_change() {
    let service = eight_days().await;
    let history = service.instance();
    let first = get(&history, metrics(WEEK)).await;
    let first_units = service.env.take_read_units("RollupsTable");
    service.env.take_calls();
    let second = get(&history, metrics(WEEK)).await;
    let second_units = service.env.take_read_units("RollupsTable");
    assert_eq!((count(&first), &second.text), (42.0, &first.text));
    assert!(second_units < 0.6 * first_units, "{second_units} of {first_units}");
    // Hours are read from the end of the last one that cannot change.
    let calls = service.env.take_calls();
    let hours = calls.iter().find(|call| call.text("/ExpressionAttributeValues/:pk/S") == "shop#1h#0");
    let cached_to = NOW_MS - NOW_MS % HOUR_MS - 69 * HOUR_MS;
    assert_eq!(hours.unwrap().text("/ExpressionAttributeValues/:first/S"), format!("{cached_to:015}"));
    // Another instance reads everything.
    assert_eq!(service.get(metrics(WEEK)).await.text, first.text);
    assert_eq!(service.env.take_read_units("RollupsTable"), first_units);
}

#[tokio::test]
async fn tag_changes_with_the_points_of_the_window() {
    let service = TestService::start().await;
    let history = service.instance();
    let open_ended = metrics("from=2026-11-22T12:00:00Z");
    let first = get(&history, open_ended.clone()).await;
    let again = Call { if_none_match: &first.tag, ..open_ended };
    assert_eq!(get(&history, again.clone()).await.status, 304);
    let later = call_at(&history, again, now().plus_ms(MINUTE_MS)).await;
    assert_eq!((later.status, later.json()["timestamps"].as_array().unwrap().len()), (200, 63));
    // An hour later, only steps of ten minutes of this hour are kept.
    let hour = metrics("from=2026-11-14T14:00:00Z&to=2026-11-14T15:00:00Z");
    let minutes = get(&history, hour.clone()).await;
    let again = Call { if_none_match: &minutes.tag, ..hour };
    let ten_minutes = call_at(&history, again, now().plus_ms(HOUR_MS)).await;
    assert_eq!((ten_minutes.status, &ten_minutes.json()["step"]), (200, &600.into()));
}

#[tokio::test]
async fn window_that_cannot_change_is_read_once() {
    let service = eight_days().await;
    let history = service.instance();
    let window = metrics("from=2026-11-15T00:00:00Z&to=2026-11-18T00:00:00Z&step=3600&series=cpu.usage");
    let first = get(&history, window.clone()).await;
    assert_eq!(service.take_counts([READ_APP, READ_ROLLUPS]), [1, 1]);
    assert_eq!(first.cache_control, "private, max-age=600");
    let second = get(&history, window.clone()).await;
    let third = get(&history, Call { if_none_match: &first.tag, ..window }).await;
    assert_eq!((count(&first), &second.text, third.status), (18.0, &first.text, 304));
    assert!(service.env.take_lines().is_empty());
}

#[tokio::test]
async fn late_report_is_answered_despite_the_cache() {
    let service = eight_days().await;
    let history = service.instance();
    let first = get(&history, metrics(WEEK)).await;
    service.store("shop", "web-1", -2 * DAY_MS, r#"{"cpu":{"usage":1}}"#).await;
    let second = get(&history, Call { if_none_match: &first.tag, ..metrics(WEEK) }).await;
    assert_eq!((second.status, count(&second)), (200, count(&first) + 1.0));
    // A report whose batch was in the stream for its whole age limit.
    service.store("shop", "web-1", -2 * DAY_MS - 20 * HOUR_MS, r#"{"cpu":{"usage":1}}"#).await;
    assert_eq!(count(&get(&history, metrics(WEEK)).await), count(&first) + 2.0);
}

#[tokio::test]
async fn every_answer_has_a_tag_that_holds_until_a_report() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -MINUTE_MS * 10, r#"{"a":1}"#).await;
    let calls = [METRICS, SUMMARY, LATEST, SERIES, APPS].map(call);
    let calls = calls
        .into_iter()
        .flat_map(|call| ["application/json", "text/csv"].map(|accept| Call { accept, ..call.clone() }));
    let mut answered = Vec::new();
    for call in calls {
        let first = service.get(call.clone()).await;
        assert_eq!(first.status, 200);
        for tags in [first.tag.clone(), format!("\"other\", {}", first.tag), "*".to_owned()] {
            let again = service.get(Call { if_none_match: &tags, ..call.clone() }).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{} {tags}", call.route);
            assert_eq!((&again.tag, &again.media_type), (&first.tag, &String::new()));
            assert_eq!(again.cache_control, first.cache_control);
        }
        for tags in ["W/\"other\"", "\"*\"", &first.tag.replace("W/", "W/W/"), &first.tag.replace('"', "")] {
            assert_eq!(service.get(Call { if_none_match: tags, ..call.clone() }).await.status, 200, "{tags}");
        }
        answered.push((call, first.tag));
    }
    assert_ne!(answered[0].1, answered[1].1, "JSON and CSV of the same history");
    let day = Call { if_none_match: &answered[0].1, ..metrics("timeRange=day") };
    assert_eq!(service.get(day).await.status, 200);
    service.store("shop", "web-1", -500, r#"{"a":2}"#).await;
    for (call, tag) in &answered {
        let again = service.get(Call { if_none_match: tag, ..call.clone() }).await;
        assert_eq!(again.status, 200, "{}", call.route);
    }
}

#[tokio::test]
async fn max_age_ends_with_the_running_point() {
    let service = TestService::start().await;
    // Now is 58.613 seconds before the end of its minute.
    for (query, max_age_s) in [
        ("timeRange=hour", 58),
        ("timeRange=week", 60),
        ("from=2026-11-22T11:00:00Z&to=2026-11-22T12:00:00Z", 60),
        ("from=2026-11-10T11:00:00Z&to=2026-11-10T12:00:00Z", 600),
    ] {
        for route in [METRICS, SUMMARY] {
            let answer = service.get(Call { query, ..call(route) }).await;
            assert_eq!(answer.cache_control, format!("private, max-age={max_age_s}"), "{route} {query}");
        }
    }
    for route in [LATEST, SERIES, APPS] {
        assert_eq!(service.get(call(route)).await.cache_control, "private, no-cache", "{route}");
    }
    let rejected = service.get(metrics("timeRange=year")).await;
    assert_eq!((rejected.cache_control.as_str(), rejected.tag.as_str()), ("private, no-cache", ""));
}
