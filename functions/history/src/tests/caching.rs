//! What is not read again and what is not sent again.

use nsl_domain::time::DAY_MS;

use super::*;

const APPS: &str = "GET /apps";
const READ_ROLLUPS: &str = "Query RollupsTable eventual";

/// A report of every fourth hour of the last eight days, each of many series, so that the hours weigh something.
async fn eight_days() -> World {
    let world = World::start().await;
    for hour in (1..8 * 24).step_by(4) {
        let others: Vec<i64> = (0..120).map(|place| hour * 7_919 * place % 1_000_003).collect();
        let document = format!(r#"{{"cpu":{{"usage":{hour}}},"others":{others:?}}}"#);
        world.store("shop", "web-1", -hour * HOUR_MS, &document).await;
    }
    world.env.take_consumed();
    world
}

fn counted(answer: &Answer) -> u64 {
    let history = answer.json();
    let counts = history["series"]["cpu.usage"]["count"].as_array().unwrap();
    counts.iter().filter_map(Value::as_u64).sum()
}

#[tokio::test]
async fn a_week_that_is_asked_for_again_reads_what_may_still_change_and_nothing_else() {
    let world = eight_days().await;
    let history = world.instance();
    let week = || Call { query: "timeRange=week&series=cpu.usage", ..Call::default() };
    let first = ask(&history, week()).await;
    let first_units = world.env.take_read_units("RollupsTable");
    world.env.take_calls();
    let second = ask(&history, week()).await;
    let second_units = world.env.take_read_units("RollupsTable");
    assert_eq!((counted(&first), &second.text), (42, &first.text));
    assert!(second_units < 0.6 * first_units, "{second_units} of {first_units}");
    // The hours are asked for from the end of the last one that is closed.
    let calls = world.env.take_calls();
    let hours = calls.iter().find(|call| call.text("/ExpressionAttributeValues/:pk/S") == "shop#1h#0");
    let closed_to = NOW_MS - NOW_MS % HOUR_MS - 69 * HOUR_MS;
    assert_eq!(hours.unwrap().text("/ExpressionAttributeValues/:first/S"), format!("{closed_to:015}"));
    // Another instance reads all of it.
    assert_eq!(world.ask(week()).await.text, first.text);
    assert_eq!(world.env.take_read_units("RollupsTable"), first_units);
}

#[tokio::test]
async fn a_tag_is_of_its_points_though_nothing_was_reported() {
    let world = World::start().await;
    let history = world.instance();
    let now = TimestampMs::clamped(NOW_MS);
    let open_ended = |has| Call { query: "from=2026-11-22T12:00:00Z", has, ..Call::default() };
    let first = ask_at(&history, open_ended(""), now).await;
    assert_eq!(ask_at(&history, open_ended(&first.tag), now).await.status, 304);
    let later = ask_at(&history, open_ended(&first.tag), now.plus_ms(MINUTE_MS)).await;
    assert_eq!((later.status, later.json()["timestamps"].as_array().unwrap().len()), (200, 63));
    // Minutes of this hour are kept now, and in a while only tens.
    let hour =
        |has| Call { query: "from=2026-11-14T14:00:00Z&to=2026-11-14T15:00:00Z", has, ..Call::default() };
    let minutes = ask_at(&history, hour(""), now).await;
    let tens = ask_at(&history, hour(&minutes.tag), now.plus_ms(HOUR_MS)).await;
    assert_eq!((tens.status, &tens.json()["step"]), (200, &600.into()));
}

#[tokio::test]
async fn a_window_that_is_closed_is_read_once() {
    let world = eight_days().await;
    let history = world.instance();
    let query = "from=2026-11-15T00:00:00Z&to=2026-11-18T00:00:00Z&step=3600&series=cpu.usage";
    let call = || Call { query, ..Call::default() };
    let first = ask(&history, call()).await;
    assert_eq!(world.env.take_lines().iter().filter(|line| *line == READ_ROLLUPS).count(), 1);
    assert_eq!(first.cache_control, "private, max-age=600");
    let second = ask(&history, call()).await;
    let third = ask(&history, Call { has: &first.tag, ..call() }).await;
    assert_eq!((counted(&first), &second.text, third.status), (18, &first.text, 304));
    assert_eq!(
        world.env.take_lines(),
        Vec::<String>::new(),
        "neither the answer nor that it holds reads anything"
    );
}

#[tokio::test]
async fn a_report_as_late_as_can_be_shows_though_all_else_is_in_memory() {
    let world = eight_days().await;
    let history = world.instance();
    let week = || Call { query: "timeRange=week&series=cpu.usage", ..Call::default() };
    let first = ask(&history, week()).await;
    world.store("shop", "web-1", -2 * DAY_MS, r#"{"cpu":{"usage":1}}"#).await;
    let second = ask(&history, Call { has: &first.tag, ..week() }).await;
    assert_eq!((second.status, counted(&second)), (200, counted(&first) + 1));
    // One whose batch waited in the stream for its whole age limit.
    world.store("shop", "web-1", -2 * DAY_MS - 20 * HOUR_MS, r#"{"cpu":{"usage":1}}"#).await;
    assert_eq!(counted(&ask(&history, week()).await), counted(&first) + 2);
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again_until_something_is_reported() {
    let world = World::start().await;
    world.store("shop", "web-1", -MINUTE_MS * 10, r#"{"a":1}"#).await;
    let first = world.ask(Call::default()).await;
    assert!(!first.tag.is_empty());
    let again = world.ask(Call { has: &first.tag, ..Call::default() }).await;
    assert_eq!((again.status, again.text.as_str(), &again.tag), (304, "", &first.tag));
    let other = world.ask(Call { has: &first.tag, query: "timeRange=day", ..Call::default() }).await;
    assert_eq!(other.status, 200);
    world.store("shop", "web-1", -500, r#"{"a":2}"#).await;
    assert_eq!(world.ask(Call { has: &first.tag, ..Call::default() }).await.status, 200);
}

#[tokio::test]
async fn every_answer_has_a_tag_and_is_not_sent_to_whoever_has_it() {
    let world = World::start().await;
    world.store("shop", "web-1", -MINUTE_MS * 10, r#"{"a":1}"#).await;
    for route in [METRICS, SUMMARY, LATEST, SERIES, APPS] {
        for accept in ["application/json", "text/csv"] {
            let call = || Call { route, accept, ..Call::default() };
            let first = world.ask(call()).await;
            assert_eq!(first.status, 200);
            for has in [first.tag.clone(), format!("\"other\", {}", first.tag), "*".to_owned()] {
                let again = world.ask(Call { has: &has, ..call() }).await;
                assert_eq!((again.status, again.text.as_str()), (304, ""), "{route} {accept} {has}");
                assert_eq!((&again.tag, &again.media_type), (&first.tag, &String::new()));
                assert_eq!(again.cache_control, first.cache_control);
            }
            assert_eq!(world.ask(Call { has: "W/\"other\"", ..call() }).await.status, 200);
        }
    }
    let tags = |accept| world.ask(Call { accept, ..Call::default() });
    assert_ne!(tags("text/csv").await.tag, tags("application/json").await.tag);
    let first = world.ask(Call { route: LATEST, ..Call::default() }).await;
    world.store("shop", "web-1", -500, r#"{"a":2}"#).await;
    for route in [METRICS, SUMMARY, LATEST, SERIES, APPS] {
        let again = world.ask(Call { route, has: &first.tag, ..Call::default() }).await;
        assert_eq!(again.status, 200, "{route}");
    }
}

#[tokio::test]
async fn an_answer_is_fresh_up_to_the_end_of_its_running_point_and_a_minute_at_most() {
    let world = World::start().await;
    // The present is 58.613 seconds before the end of its minute.
    for (query, fresh_s) in [
        ("timeRange=hour", 58),
        ("timeRange=week", 60),
        ("from=2026-11-22T11:00:00Z&to=2026-11-22T12:00:00Z", 60),
        ("from=2026-11-10T11:00:00Z&to=2026-11-10T12:00:00Z", 600),
    ] {
        for route in [METRICS, SUMMARY] {
            let answer = world.ask(Call { route, query, ..Call::default() }).await;
            assert_eq!(answer.cache_control, format!("private, max-age={fresh_s}"), "{route} {query}");
        }
    }
    for route in [LATEST, SERIES, APPS] {
        let answer = world.ask(Call { route, ..Call::default() }).await;
        assert_eq!(answer.cache_control, "private, no-cache", "{route}");
    }
    let refused = world.ask(Call { query: "timeRange=year", ..Call::default() }).await;
    assert_eq!((refused.cache_control.as_str(), refused.tag.as_str()), ("private, no-cache", ""));
}
