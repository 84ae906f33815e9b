//! One application in a test environment that many tests share: its reports, its stream, its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use nsl_aws::compute::{Clock, RollupComputer};
use nsl_aws::rollups::StoredRollup;
use nsl_aws::stream::StreamEvent;
use nsl_domain::app::App;
use nsl_domain::ids::Source;
use nsl_domain::report::{Document, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::AppShard;
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;
use nsl_rollup::handler::RollupHandler;
use nsl_rollup::settings::Settings;
use nsl_test_support::{TestEnvironment, fixtures};
use serde_json::{Value, json};

/// 2026-11-22T09:00:00Z: offset 0 of the tests.
pub(crate) const START_MS: i64 = 1_795_338_000_000;

static APPS: AtomicU64 = AtomicU64::new(0);

/// A test environment and an instance of the function.
pub(crate) struct World {
    pub(crate) env: TestEnvironment,
    handler: RollupHandler,
    /// Computes for `nsl repair`.
    pub(crate) computer: RollupComputer,
    clock: Arc<AtomicI64>,
}

/// An application and its reports.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) reports: Vec<Report>,
    sequence: u64,
}

/// The instant `offset_ms` after the start.
pub(crate) fn at(offset_ms: i64) -> TimestampMs {
    TimestampMs::clamped(START_MS + offset_ms)
}

/// The sequence number of a record.
pub(crate) fn sequence(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        let env = TestEnvironment::start().await;
        let settings = Settings::read(|name| env.variable(name));
        let clock = Arc::new(AtomicI64::new(START_MS));
        let ms = Arc::clone(&clock);
        let now: Clock = Arc::new(move || TimestampMs::clamped(ms.load(Ordering::SeqCst)));
        let handler = RollupHandler::new(&env.clients, &settings.unwrap(), Arc::clone(&now));
        let computer = RollupComputer::new(env.reports(), env.rollups(), now);
        Self { env, handler, computer, clock }
    }

    /// A world with one application of its own.
    pub(crate) async fn with_shop(shards: u16) -> (Self, Shop) {
        let world = Self::start().await;
        let shop = world.register_shop(shards).await;
        (world, shop)
    }

    pub(crate) fn set_clock(&self, offset_ms: i64) {
        self.clock.store(START_MS + offset_ms, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> TimestampMs {
        TimestampMs::clamped(self.clock.load(Ordering::SeqCst))
    }

    /// Registers an application of its own for a test.
    pub(crate) async fn register_shop(&self, shards: u16) -> Shop {
        let shop = Shop::unregistered(shards);
        self.env.register(&shop.app).await;
        shop
    }

    /// Stores a report and returns its stream record.
    pub(crate) async fn store(&self, shop: &mut Shop, report: Report) -> Value {
        self.env.reports().store(&report, &shop.app, 2 * DAY_MS).await.unwrap();
        let record = shop.record(&report);
        shop.reports.push(report);
        record
    }

    /// Stores reports and returns their stream records.
    pub(crate) async fn store_all(&self, shop: &mut Shop, reports: Vec<Report>) -> Vec<Value> {
        let mut records = Vec::new();
        for report in reports {
            records.push(self.store(shop, report).await);
        }
        records
    }

    /// Stores one report of one source at each of `seconds` and returns the stream records.
    pub(crate) async fn store_each_second(
        &self,
        shop: &mut Shop,
        seconds: impl Iterator<Item = i64>,
    ) -> Vec<Value> {
        let document = |second: i64| json!({"cpu": {"usage": second % 60, "cores": 4}});
        let reports =
            seconds.map(|second| shop.report(second * 1_000 + 387, "web-1", &document(second))).collect();
        self.store_all(shop, reports).await
    }

    /// Delivers a batch and returns the sequence numbers to retry.
    pub(crate) async fn deliver(&self, records: &[Value]) -> Vec<String> {
        // As text, as Lambda sends it.
        let event: StreamEvent = serde_json::from_str(&json!({ "Records": records }).to_string()).unwrap();
        let response = self.handler.handle(event).await.unwrap();
        response.failures.into_iter().map(|item| item.sequence).collect()
    }

    /// Every stored rollup of one resolution and shard, oldest first.
    pub(crate) async fn stored(&self, shard: &AppShard, resolution: Resolution) -> Vec<StoredRollup> {
        let span = TimeSpan::new(at(-10 * DAY_MS), at(10 * DAY_MS));
        self.env.rollups().between(shard, resolution, span, self.now()).await.unwrap()
    }

    /// Every row of `shop` in the Rollups table, ordered by its keys.
    pub(crate) async fn rows(&self, shop: &Shop) -> Vec<Value> {
        let prefix = format!("{}#", shop.app.id);
        let mut rows = self.env.rows("RollupsTable").await;
        rows.retain(|row| row["pk"]["S"].as_str().unwrap().starts_with(&prefix));
        rows.sort_by_key(|row| {
            [&row["pk"]["S"], &row["sk"]["S"]].map(|key| key.as_str().unwrap().to_owned())
        });
        rows
    }

    /// The rows of `shop` in one partition, such as `1h#0` or `sources`.
    pub(crate) async fn rows_in(&self, shop: &Shop, partition: &str) -> Vec<Value> {
        let mut rows = self.rows(shop).await;
        rows.retain(|row| row["pk"]["S"] == format!("{}#{partition}", shop.app.id));
        rows
    }
}

impl Shop {
    /// An application of its own for a test, not registered.
    pub(crate) fn unregistered(shards: u16) -> Self {
        let name = format!("shop-{}", APPS.fetch_add(1, Ordering::Relaxed));
        let app = App { keys: Vec::new(), shards, ..fixtures::app(&name) };
        Self { app, reports: Vec::new(), sequence: 99 }
    }

    pub(crate) fn report(&self, offset_ms: i64, source: &str, document: &Value) -> Report {
        Report {
            app: self.app.id.clone(),
            source: Source::new(source).unwrap(),
            timestamp: at(offset_ms),
            document: Document::accept(&document.to_string()).unwrap(),
        }
    }

    /// A report of the same source and minute as that of `record`, a millisecond later.
    pub(crate) fn next_report(&self, record: &Value) -> Report {
        let image = &record["dynamodb"]["NewImage"];
        let ms: i64 = image["timestamp"]["N"].as_str().unwrap().parse().unwrap();
        let within_minute = ms - ms % MINUTE_MS + (ms + 1) % MINUTE_MS;
        let document = json!({"more": self.reports.len(), "cpu": {"usage": 1}});
        self.report(within_minute - START_MS, image["source"]["S"].as_str().unwrap(), &document)
    }

    pub(crate) fn shard_of(&self, report: &Report) -> AppShard {
        AppShard { app: self.app.id.clone(), shard: self.app.shard_of(&report.source) }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = AppShard> + use<> {
        let id = self.app.id.clone();
        (0..self.app.shards).map(move |shard| AppShard { app: id.clone(), shard })
    }

    pub(crate) fn first_shard(&self) -> AppShard {
        AppShard { app: self.app.id.clone(), shard: 0 }
    }

    fn record(&mut self, report: &Report) -> Value {
        self.sequence += 1;
        let hour = report.timestamp.aligned_to(HOUR_MS).to_string();
        let pk = format!("{}#{}#{}", report.app, &hour[..13], self.app.shard_of(&report.source));
        stream_record(
            self.sequence,
            json!({
                "pk": {"S": pk}, "sk": {"S": report.id()}, "appId": {"S": report.app.as_str()},
                "source": {"S": report.source.as_str()}, "timestamp": {"N": report.timestamp.ms().to_string()},
                "document": {"S": report.document.as_str()},
            }),
        )
    }
}

/// The stream record of a new row.
pub(crate) fn stream_record(sequence: u64, image: Value) -> Value {
    let keys = json!({"pk": image["pk"], "sk": image["sk"]});
    let change = json!({"Keys": keys, "NewImage": image, "SequenceNumber": sequence.to_string()});
    json!({"eventName": "INSERT", "dynamodb": change})
}
