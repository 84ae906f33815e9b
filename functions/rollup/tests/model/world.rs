//! One application in a test environment that many share: its reports, its stream, its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use nsl_aws::compute::{Clock, RollupComputer};
use nsl_aws::rollups::{Rollups, StoredRollup};
use nsl_aws::stream::{BatchResponse, StreamEvent};
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

/// 2026-11-22T09:00:00Z: where the stories of these tests begin.
pub(crate) const START_MS: i64 = 1_795_338_000_000;

static APPS: AtomicU64 = AtomicU64::new(0);

/// A bed and an instance of the function.
pub(crate) struct World {
    pub(crate) env: TestEnvironment,
    pub(crate) rolling: RollupHandler,
    /// What an operator's repair computes with.
    pub(crate) computer: RollupComputer,
    pub(crate) rollups: Rollups,
    clock: Arc<AtomicI64>,
}

/// An application and what it reported.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) reports: Vec<Report>,
    sequence: u64,
}

impl World {
    pub(crate) async fn start() -> Self {
        let env = TestEnvironment::start().await;
        let settings = Settings::read(|name| env.variable(name));
        let clock = Arc::new(AtomicI64::new(START_MS));
        let told = Arc::clone(&clock);
        let tell = move || TimestampMs::clamped(told.load(Ordering::SeqCst));
        let tell: Clock = Arc::new(tell);
        let rolling = RollupHandler::new(&env.clients, &settings.unwrap(), Arc::clone(&tell));
        let rollups = env.rollups();
        let computer = RollupComputer::new(env.reports(), rollups.clone(), tell);
        Self { env, rolling, computer, rollups, clock }
    }

    pub(crate) fn set_clock(&self, offset_ms: i64) {
        self.clock.store(START_MS + offset_ms, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> TimestampMs {
        TimestampMs::clamped(self.clock.load(Ordering::SeqCst))
    }

    /// An application that is registered and that no other test has.
    pub(crate) async fn open(&self, shards: u16) -> Shop {
        let shop = Shop::open(shards);
        self.env.register(&shop.app).await;
        shop
    }

    /// Stores a report and gives its stream record.
    pub(crate) async fn store(&self, shop: &mut Shop, report: Report) -> Value {
        self.env.reports().store(&report, &shop.app, 2 * DAY_MS).await.unwrap();
        let record = shop.record(&report);
        shop.reports.push(report);
        record
    }

    pub(crate) async fn deliver(&self, records: &[Value]) -> BatchResponse {
        self.rolling.handle(event(records)).await.unwrap()
    }

    /// Every stored rollup of one resolution and shard, oldest first.
    pub(crate) async fn stored(&self, shard: &AppShard, resolution: Resolution) -> Vec<StoredRollup> {
        let span = TimeSpan::new(
            TimestampMs::clamped(START_MS - 10 * DAY_MS),
            TimestampMs::clamped(START_MS + 10 * DAY_MS),
        );
        self.rollups.between(shard, resolution, span, self.now()).await.unwrap()
    }
}

impl Shop {
    /// An application that is not registered and that no other test has.
    pub(crate) fn open(shards: u16) -> Self {
        let name = format!("shop-{}", APPS.fetch_add(1, Ordering::Relaxed));
        let app = App { keys: Vec::new(), shards, ..fixtures::app(&name) };
        Self { app, reports: Vec::new(), sequence: 99 }
    }

    pub(crate) fn report(&self, offset_ms: i64, source: &str, document: &Value) -> Report {
        Report {
            app: self.app.id.clone(),
            source: Source::new(source).unwrap(),
            timestamp: TimestampMs::clamped(START_MS + offset_ms),
            document: Document::accept(&document.to_string()).unwrap(),
        }
    }

    /// A report of the same source and minute as that of `record`, a moment later.
    pub(crate) fn one_more_like(&self, record: &Value) -> Report {
        let image = &record["dynamodb"]["NewImage"];
        let ms: i64 = image["timestamp"]["N"].as_str().unwrap().parse().unwrap();
        let within_minute = ms - ms % MINUTE_MS + (ms + 1) % MINUTE_MS;
        let said = json!({"more": self.reports.len(), "cpu": {"usage": 1}});
        self.report(within_minute - START_MS, image["source"]["S"].as_str().unwrap(), &said)
    }

    pub(crate) fn shard_of(&self, report: &Report) -> AppShard {
        AppShard { app: self.app.id.clone(), shard: self.app.shard_of(&report.source) }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = AppShard> + use<> {
        let id = self.app.id.clone();
        (0..self.app.shards).map(move |shard| AppShard { app: id.clone(), shard })
    }

    fn record(&mut self, report: &Report) -> Value {
        self.sequence += 1;
        let hour = report.timestamp.aligned_to(HOUR_MS).to_string();
        let pk = format!("{}#{}#{}", report.app, &hour[..13], self.app.shard_of(&report.source));
        let key = json!({ "pk": {"S": pk}, "sk": {"S": report.id()} });
        let mut image = json!({
            "appId": {"S": report.app.as_str()}, "source": {"S": report.source.as_str()},
            "timestamp": {"N": report.timestamp.ms().to_string()}, "document": {"S": report.document.as_str()},
        });
        image["pk"] = key["pk"].clone();
        image["sk"] = key["sk"].clone();
        let sequence = self.sequence.to_string();
        json!({ "eventName": "INSERT", "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": sequence} })
    }
}

/// The event of these records, through its text as Lambda sends it.
pub(crate) fn event(records: &[Value]) -> StreamEvent {
    serde_json::from_str(&json!({ "Records": records }).to_string()).unwrap()
}
