//! Random sequences of reports, deliveries and failures: in the end all rollups match the reference model.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::LazyLock;

use nsl_domain::rollup::AppShard;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::reference::assert_agrees;
use crate::world::{Shop, World};

/// Least cases; each has up to nineteen steps with up to five reports and two deliveries.
const MIN_CASES: u32 = 24;

/// The cases of `PROPTEST_CASES`, at least [`MIN_CASES`].
fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "the variable of every property test")]
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(MIN_CASES).max(MIN_CASES)
}

/// Instances are killed or stalled within this many calls.
const MAX_CALLS: usize = 40;

/// One step of a sequence.
#[derive(Debug, Clone)]
struct Step {
    pause_ms: i64,
    reports: Vec<NewReport>,
    deliveries: Vec<Delivery>,
}

/// A report to store.
#[derive(Debug, Clone)]
struct NewReport {
    age_ms: i64,
    source: u8,
    document: Value,
}

/// A batch from one shard of the stream.
#[derive(Debug, Clone)]
struct Delivery {
    shard: usize,
    records: usize,
    /// How many records of earlier batches are repeated.
    replayed: usize,
    failure: Failure,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    None,
    /// The instance is killed at its n-th call.
    Killed(usize),
    /// The batch is delivered to two instances at once.
    Concurrent,
    /// The instance stalls after its n-th call while another one handles a new report.
    Stalled(usize),
    /// The response is lost, so that the batch is delivered again.
    ResponseLost,
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
        // Up to the end of a span and a little past it.
        2 => (0..4_i64).prop_map(|seconds| MINUTE_MS + seconds * SECOND_MS),
    ]
}

fn any_failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        4 => Just(Failure::None),
        3 => (1..MAX_CALLS).prop_map(Failure::Killed),
        2 => Just(Failure::Concurrent),
        3 => (1..MAX_CALLS).prop_map(Failure::Stalled),
        1 => Just(Failure::ResponseLost),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let delivery = (0..4_usize, 1..8_usize, 0..3_usize, any_failure())
        .prop_map(|(shard, records, replayed, failure)| Delivery { shard, records, replayed, failure });
    let report = (any_age_ms(), 0..5_u8, any_document()).prop_map(|(age_ms, source, document)| NewReport {
        age_ms,
        source,
        document,
    });
    let reports = prop::collection::vec(report, 0..6);
    (any_pause_ms(), reports, prop::collection::vec(delivery, 0..3))
        .prop_map(|(pause_ms, reports, deliveries)| Step { pause_ms, reports, deliveries })
}

/// An application whose reports wait in the shards of a stream.
struct Scenario<'w> {
    world: &'w World,
    shop: Shop,
    waiting: BTreeMap<AppShard, VecDeque<Value>>,
    handled: Vec<Value>,
}

impl<'w> Scenario<'w> {
    async fn start(world: &'w World, shards: u16) -> Self {
        let shop = world.register_shop(shards).await;
        Self { world, shop, waiting: BTreeMap::new(), handled: Vec::new() }
    }

    async fn store(&mut self, offset_ms: i64, source: u8, document: &Value) {
        let report = self.shop.report(offset_ms, &format!("source-{source}"), document);
        let shard = self.shop.shard_of(&report);
        let record = self.world.store(&mut self.shop, report).await;
        self.waiting.entry(shard).or_default().push_back(record);
    }

    /// Some handled records, newest first, and the first waiting records of a shard.
    fn batch(&self, delivery: &Delivery) -> Vec<Value> {
        let shard = self.waiting.values().nth(delivery.shard % self.waiting.len().max(1));
        let waiting = shard.into_iter().flatten().take(delivery.records).cloned();
        self.handled.iter().rev().take(delivery.replayed).cloned().chain(waiting).collect()
    }

    async fn deliver(&mut self, delivery: &Delivery) {
        let batch = self.batch(delivery);
        if batch.is_empty() || !self.deliver_with(delivery.failure, &batch).await {
            return;
        }
        let count = self.waiting.len().max(1);
        if let Some(shard) = self.waiting.values_mut().nth(delivery.shard % count) {
            let done = delivery.records.min(shard.len());
            self.handled.extend(shard.drain(..done));
        }
    }

    /// Delivers `batch` with `failure`; whether the stream regards it as handled.
    async fn deliver_with(&mut self, failure: Failure, batch: &[Value]) -> bool {
        let world = self.world;
        world.env.take_calls();
        match failure {
            Failure::None => world.deliver(batch).await.is_empty(),
            Failure::ResponseLost => {
                world.deliver(batch).await;
                false
            }
            Failure::Killed(calls) => tokio::select! {
                retried = world.deliver(batch) => retried.is_empty(),
                () = world.env.wait(|made| made.len() >= calls) => false,
            },
            Failure::Stalled(calls) => {
                let mut stalled = pin!(world.deliver(batch));
                let finished = tokio::select! {
                    retried = &mut stalled => Some(retried),
                    () = world.env.wait(|made| made.len() >= calls) => None,
                };
                let next = self.shop.next_report(&batch[0]);
                let record = world.store(&mut self.shop, next).await;
                assert!(world.deliver(std::slice::from_ref(&record)).await.is_empty(), "nothing fails here");
                match finished {
                    Some(retried) => retried.is_empty(),
                    None => stalled.await.is_empty(),
                }
            }
            Failure::Concurrent => {
                let (one, other) = tokio::join!(world.deliver(batch), world.deliver(batch));
                one.is_empty() && other.is_empty()
            }
        }
    }

    /// Delivers all waiting records without a failure, then compares with the model; returns the incomplete rollups.
    async fn finish(&mut self) -> usize {
        while let Some(shard) = self.waiting.values().position(|shard| !shard.is_empty()) {
            self.deliver(&Delivery { shard, records: 5, replayed: 0, failure: Failure::None }).await;
        }
        assert_agrees(self.world, &self.shop).await
    }
}

async fn run(world: &World, shards: u16, steps: Vec<Step>) {
    let mut scenario = Scenario::start(world, shards).await;
    let mut clock_ms = 0;
    for step in steps {
        clock_ms += step.pause_ms;
        world.set_clock(clock_ms);
        for report in &step.reports {
            scenario.store(clock_ms - report.age_ms, report.source, &report.document).await;
        }
        for delivery in &step.deliveries {
            scenario.deliver(delivery).await;
        }
    }
    scenario.finish().await;

    // New reports days later complete every incomplete span.
    clock_ms += 2 * DAY_MS;
    world.set_clock(clock_ms);
    for source in 0..5 {
        scenario.store(clock_ms, source, &json!({"back": source})).await;
    }
    world.set_clock(clock_ms + 2 * DAY_MS);
    assert_eq!(scenario.finish().await, 0);
}

/// Delivers one more report with `failure` to an application whose rollups are all stored.
async fn run_one(world: &World, clock_ms: i64, failure: Failure) {
    let mut scenario = Scenario::start(world, 1).await;
    world.set_clock(clock_ms);
    for (offset_ms, value) in [(0, 1), (MINUTE_MS, 2), (20 * MINUTE_MS, 3)] {
        scenario.store(offset_ms, 0, &json!({"cpu": {"usage": value}})).await;
    }
    scenario.finish().await;
    scenario.store(10 * SECOND_MS, 1, &json!({"cpu": {"usage": 4}})).await;
    scenario.deliver(&Delivery { shard: 0, records: 1, replayed: 0, failure }).await;
    scenario.finish().await;
}

#[tokio::test]
async fn stalling_or_dying_at_any_call_leaves_rollups_correct() {
    let world = World::start().await;
    for call in 1..20 {
        // During the hour, and after the day.
        for clock_ms in [30 * MINUTE_MS, 40 * HOUR_MS] {
            run_one(&world, clock_ms, Failure::Stalled(call)).await;
            run_one(&world, clock_ms, Failure::Killed(call)).await;
        }
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// One environment for all cases: each has an application of its own.
static WORLD: LazyLock<World> = LazyLock::new(|| RUNTIME.block_on(World::start()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn rollups_match_the_reports_after_any_failures(
        shards in 1..4_u16, steps in prop::collection::vec(any_step(), 1..20),
    ) {
        RUNTIME.block_on(run(&WORLD, shards, steps));
    }
}
