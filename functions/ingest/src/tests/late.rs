//! Late reports: accepted within their budget, refused with a time to try again beyond it.

use nsl_domain::time::{MINUTE_MS, SECOND_MS};

use super::*;

/// A frame of one report for each of the minutes so many minutes ago.
fn of_minutes(ages: std::ops::Range<i64>) -> String {
    let reports: Vec<Value> = ages.map(|age| report(-age * MINUTE_MS)).collect();
    metrics_with_id(&reports.into())
}

/// The answer to a frame of a publisher with a key.
async fn answer(world: &World, ingest: &Ingest, frame: &str, at_ms: i64) -> Value {
    world.env.take_calls();
    ingest.receive_by(&publishing("shop"), frame, at_ms).await;
    world.env.frames(PUBLISHER).remove(0)
}

#[tokio::test]
async fn late_reports_beyond_the_budget_are_refused() {
    let (world, ingest) = cold().await;
    // As in the attack: frames of thirty late reports, each of a minute of its own.
    for first in [30, 60, 90, 120] {
        let ack = answer(&world, &ingest, &of_minutes(first..first + 30), NOW_MS).await;
        assert_eq!(ack["payload"]["accepted"], 30, "{ack}");
    }
    let refused = answer(&world, &ingest, &of_minutes(150..180), NOW_MS).await;
    let payload = &refused["payload"];
    assert_eq!((&payload["code"], &payload["retryAfterMs"]), (&json!("rate_limited"), &json!(30_000)));
    assert_eq!((&payload["id"], &payload["retryable"]), (&json!("f1"), &json!(true)));
    assert_eq!(world.stored().await, 120, "nothing of the frame is stored");
    let on_time = answer(&world, &ingest, &of_minutes(0..5), NOW_MS).await;
    assert_eq!(on_time["payload"]["accepted"], 5, "reports of the present are not affected");
    let ack = answer(&world, &ingest, &of_minutes(150..180), NOW_MS + 30_000).await;
    assert_eq!(ack["payload"]["accepted"], 30, "after the announced time it is accepted");
}

#[tokio::test]
async fn buffered_hours_get_through_by_waiting() {
    let (world, ingest) = cold().await;
    // Three hours of a report a second, oldest first, a hundred reports a frame.
    let seconds: Vec<i64> = (0..3 * 3_600).rev().collect();
    let (mut now_ms, mut accepted) = (NOW_MS, 0);
    for chunk in seconds.chunks(100).step_by(10) {
        let reports: Vec<Value> = chunk.iter().map(|age_s| report(-age_s * SECOND_MS)).collect();
        loop {
            let reply = answer(&world, &ingest, &metrics_with_id(&reports.clone().into()), now_ms).await;
            let Some(wait_ms) = reply["payload"]["retryAfterMs"].as_i64() else {
                accepted += reply["payload"]["accepted"].as_u64().unwrap();
                break;
            };
            now_ms += wait_ms;
        }
    }
    assert_eq!(accepted, 1_100);
    assert!(now_ms - NOW_MS <= 2 * MINUTE_MS, "{} ms", now_ms - NOW_MS);
}

#[tokio::test]
async fn late_reports_of_a_counted_minute_are_free() {
    let (world, ingest) = cold().await;
    for n in 0..20 {
        let reports: Vec<Value> = (10..110).map(|age| report(-age * MINUTE_MS - n)).collect();
        let ack = answer(&world, &ingest, &metrics_with_id(&reports.into()), NOW_MS).await;
        assert_eq!(ack["payload"]["accepted"], 100, "{ack}");
    }
}

#[tokio::test]
async fn reports_that_are_rejected_anyway_count_as_none() {
    let (world, ingest) = cold().await;
    for _ in 0..3 {
        let days: Vec<Value> = (0..100).map(|n| report(-3 * 24 * 60 * MINUTE_MS - n * MINUTE_MS)).collect();
        let ack = answer(&world, &ingest, &metrics_with_id(&days.into()), NOW_MS).await;
        assert_eq!(ack["payload"]["rejected"][0]["code"], "timestamp_out_of_range");
    }
    let ack = answer(&world, &ingest, &of_minutes(20..120), NOW_MS).await;
    assert_eq!(ack["payload"]["accepted"], 100, "{ack}");
}

#[tokio::test]
async fn library_with_a_slow_clock_is_never_refused() {
    let world = World::start().await;
    let grant = Grant { proof: Proof::Legacy, ..publishing("shop") };
    world.open(PUBLISHER, Some(&grant)).await;
    let ingest = world.instance();
    for minute in 0..200 {
        ingest.receive_at(&metrics(&report(-(20 + minute) * MINUTE_MS)), NOW_MS + minute * 600).await;
    }
    assert_eq!(world.stored().await, 200);
}
