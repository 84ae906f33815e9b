//! Everything that a stream may do to the function, at random, and all that an application may do to the stream.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::LazyLock;

use nsl_domain::rollup::AppShard;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use nsl_test_support::Call;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::naive::assert_agrees;
use crate::world::{Shop, World};

/// Stories that are told at least; each has up to nineteen steps with up to five reports and two deliveries.
const STORIES: u32 = 24;

/// As many stories as `PROPTEST_CASES` asks for, where that is more.
fn stories() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a longer run is asked for as of every property test")]
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(STORIES).max(STORIES)
}

/// Most calls after which an instance is killed.
const MAX_CALLS: usize = 40;

/// What happens next.
#[derive(Debug, Clone)]
struct Step {
    /// The clock goes on.
    pause_ms: i64,
    /// Reports that are stored: how old they are by then, who sends them, what they say.
    reports: Vec<(i64, u8, Value)>,
    deliveries: Vec<Delivery>,
}

/// Some records of one shard of the stream are delivered.
#[derive(Debug, Clone)]
struct Delivery {
    /// Which shard, and how many records.
    lane: usize,
    records: usize,
    /// How many records that were dealt with before come along.
    replayed: usize,
    accident: Accident,
}

#[derive(Debug, Clone, Copy)]
enum Accident {
    None,
    /// The instance is killed at its n-th call.
    Killed(usize),
    /// The batch is delivered to two instances at once.
    Doubled,
    /// The instance stalls after its n-th call, while another one deals with a report that comes in meanwhile.
    Stalled(usize),
    /// It is dealt with, and the answer is lost, so that it will be delivered again.
    Unheard,
}

fn any_value() -> impl Strategy<Value = Value> {
    let wide = (-3.0..12.0_f64).prop_map(|exponent| 10_f64.powf(exponent));
    prop_oneof![
        3 => wide.clone().prop_map(Value::from),
        1 => wide.prop_map(|value| Value::from(-value)),
        3 => (0..4_i64).prop_map(Value::from),
    ]
}

fn any_document() -> impl Strategy<Value = Value> {
    let group = prop::collection::btree_map("[abc]", any_value(), 0..3);
    (group, prop::option::of(any_value())).prop_map(|(group, cpu)| match cpu {
        Some(cpu) => json!({"cpu": {"usage": cpu}, "group": group, "note": "text"}),
        None => json!({ "group": group }),
    })
}

/// Ages of reports: mostly fresh, some late by minutes or hours, some ahead of the clock.
fn any_age_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0..90 * SECOND_MS,
        2 => 0..30 * MINUTE_MS,
        1 => 0..40 * HOUR_MS,
        1 => -4 * MINUTE_MS..0,
    ]
}

fn any_pause_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        5 => 0..70 * SECOND_MS,
        3 => 0..10 * MINUTE_MS,
        1 => 0..3 * HOUR_MS,
        // Up to the very end of a span, and a little beyond it.
        2 => (0..4_i64).prop_map(|seconds| MINUTE_MS + seconds * SECOND_MS),
    ]
}

fn any_accident() -> impl Strategy<Value = Accident> {
    prop_oneof![
        4 => Just(Accident::None),
        3 => (1..MAX_CALLS).prop_map(Accident::Killed),
        2 => Just(Accident::Doubled),
        3 => (1..MAX_CALLS).prop_map(Accident::Stalled),
        1 => Just(Accident::Unheard),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let delivery = (0..4_usize, 1..8_usize, 0..3_usize, any_accident())
        .prop_map(|(lane, records, replayed, accident)| Delivery { lane, records, replayed, accident });
    let reports = prop::collection::vec((any_age_ms(), 0..5_u8, any_document()), 0..6);
    (any_pause_ms(), reports, prop::collection::vec(delivery, 0..3))
        .prop_map(|(pause_ms, reports, deliveries)| Step { pause_ms, reports, deliveries })
}

/// The stream: what waits in each of its shards, and what was dealt with.
#[derive(Default)]
struct Stream {
    waiting: BTreeMap<AppShard, VecDeque<Value>>,
    past: Vec<Value>,
}

impl Stream {
    /// The first records that wait in a lane and some that were delivered before, the newest first.
    fn batch(&self, delivery: &Delivery) -> Vec<Value> {
        let lane = self.waiting.values().nth(delivery.lane % self.waiting.len().max(1));
        let fresh = lane.into_iter().flatten().take(delivery.records).cloned();
        self.past.iter().rev().take(delivery.replayed).cloned().chain(fresh).collect()
    }

    /// Takes out what a batch has dealt with.
    fn advance(&mut self, delivery: &Delivery) {
        let count = self.waiting.len().max(1);
        if let Some(lane) = self.waiting.values_mut().nth(delivery.lane % count) {
            let done = delivery.records.min(lane.len());
            self.past.extend(lane.drain(..done));
        }
    }
}

async fn deliver(world: &World, shop: &mut Shop, stream: &mut Stream, delivery: &Delivery) {
    let batch = stream.batch(delivery);
    if batch.is_empty() {
        return;
    }
    world.env.take_calls();
    let heard = match delivery.accident {
        Accident::None => world.deliver(&batch).await.failures.is_empty(),
        Accident::Unheard => {
            world.deliver(&batch).await;
            false
        }
        Accident::Killed(calls) => {
            let enough = |made: &[Call]| made.len() >= calls;
            tokio::select! {
                answer = world.deliver(&batch) => answer.failures.is_empty(),
                () = world.env.wait(enough) => false,
            }
        }
        Accident::Stalled(calls) => {
            let mut stalled = pin!(world.deliver(&batch));
            let ended = tokio::select! {
                answer = &mut stalled => Some(answer),
                () = world.env.wait(|made| made.len() >= calls) => None,
            };
            let meanwhile = shop.one_more_like(&batch[0]);
            let record = world.store(shop, meanwhile).await;
            let dealt_with = world.deliver(std::slice::from_ref(&record)).await.failures.is_empty();
            assert!(dealt_with, "nothing fails here");
            match ended {
                Some(answer) => answer.failures.is_empty(),
                None => stalled.await.failures.is_empty(),
            }
        }
        Accident::Doubled => {
            let (one, other) = tokio::join!(world.deliver(&batch), world.deliver(&batch));
            one.failures.is_empty() && other.failures.is_empty()
        }
    };
    if heard {
        stream.advance(delivery);
    }
}

/// Delivers everything that waits, without an accident.
async fn drain(world: &World, shop: &mut Shop, stream: &mut Stream) {
    while let Some(lane) = stream.waiting.values().position(|lane| !lane.is_empty()) {
        let delivery = Delivery { lane, records: 5, replayed: 0, accident: Accident::None };
        deliver(world, shop, stream, &delivery).await;
    }
}

async fn store(
    world: &World,
    shop: &mut Shop,
    stream: &mut Stream,
    offset_ms: i64,
    source: u8,
    said: &Value,
) {
    let report = shop.report(offset_ms, &format!("source-{source}"), said);
    let shard = shop.shard_of(&report);
    let record = world.store(shop, report).await;
    stream.waiting.entry(shard).or_default().push_back(record);
}

async fn tell(world: &World, shards: u16, story: Vec<Step>) {
    let mut shop = world.open(shards).await;
    let mut stream = Stream::default();
    let mut clock_ms = 0;
    for step in story {
        clock_ms += step.pause_ms;
        world.set_clock(clock_ms);
        for (age_ms, source, said) in &step.reports {
            store(world, &mut shop, &mut stream, clock_ms - age_ms, *source, said).await;
        }
        for delivery in &step.deliveries {
            deliver(world, &mut shop, &mut stream, delivery).await;
        }
    }
    drain(world, &mut shop, &mut stream).await;
    assert_agrees(world, &shop).await;

    // It comes back after days: whatever it left unfinished is finished by then.
    clock_ms += 2 * DAY_MS;
    world.set_clock(clock_ms);
    for source in 0..5 {
        store(world, &mut shop, &mut stream, clock_ms, source, &json!({"back": source})).await;
    }
    world.set_clock(clock_ms + 2 * DAY_MS);
    drain(world, &mut shop, &mut stream).await;
    let unfinished = assert_agrees(world, &shop).await;
    assert_eq!(unfinished, 0);
}

/// An application whose minute and everything above it is stored, with a report more that waits, delivered with
/// `accident`.
async fn tell_one(world: &World, clock_ms: i64, accident: Accident) {
    let mut shop = world.open(1).await;
    let mut stream = Stream::default();
    world.set_clock(clock_ms);
    for (offset_ms, value) in [(0, 1), (MINUTE_MS, 2), (20 * MINUTE_MS, 3)] {
        store(world, &mut shop, &mut stream, offset_ms, 0, &json!({"cpu": {"usage": value}})).await;
    }
    drain(world, &mut shop, &mut stream).await;
    store(world, &mut shop, &mut stream, 10 * SECOND_MS, 1, &json!({"cpu": {"usage": 4}})).await;
    deliver(world, &mut shop, &mut stream, &Delivery { lane: 0, records: 1, replayed: 0, accident }).await;
    drain(world, &mut shop, &mut stream).await;
    assert_agrees(world, &shop).await;
}

#[tokio::test]
async fn an_instance_that_stalls_or_dies_at_any_call_does_no_harm() {
    let world = World::start().await;
    for call in 1..20 {
        // While the hour runs, and when the day is over.
        for clock_ms in [30 * MINUTE_MS, 40 * HOUR_MS] {
            tell_one(&world, clock_ms, Accident::Stalled(call)).await;
            tell_one(&world, clock_ms, Accident::Killed(call)).await;
        }
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// One bed for all stories: each has an application of its own.
static WORLD: LazyLock<World> = LazyLock::new(|| RUNTIME.block_on(World::start()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(stories()))]

    #[test]
    fn whatever_happens_the_rollups_say_what_the_reports_say(
        shards in 1..4_u16, story in prop::collection::vec(any_step(), 1..20),
    ) {
        RUNTIME.block_on(tell(&WORLD, shards, story));
    }
}
