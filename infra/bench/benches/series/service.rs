//! The tables in an embedded engine, and the history function.

use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_http::Body;
use nsl_aws::rollups::Rollups;
use nsl_domain::app::App;
use nsl_domain::ids::Scope;
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, Retention, Rollup};
use nsl_domain::time::TimestampMs;
use nsl_history::handler::History;
use nsl_test_support::{ConsumedCapacity, TestEnvironment, events, fixtures};
use serde_json::json;

/// Concurrent calls of the engine.
const CONCURRENT_CALLS: usize = 8;

/// The service with one app.
pub(crate) struct Service {
    pub(crate) env: TestEnvironment,
    pub(crate) app: App,
    rollups: Rollups,
}

impl Service {
    /// A service without a stream of reports, because the engine searches all stream records at each write.
    pub(crate) async fn open(name: &str) -> Self {
        let env = TestEnvironment::start().await;
        let no_stream = json!({"StreamSpecification": {"StreamEnabled": false}});
        env.dynamodb.direct("UpdateTable", "ReportsTable", no_stream).await;
        let app = fixtures::app(name);
        env.register(&app).await;
        let rollups = env.rollups();
        Self { env, app, rollups }
    }

    /// A new instance of the history function.
    pub(crate) fn history(&self) -> History {
        let settings = nsl_history::settings::Settings::read(|name| self.env.variable(name)).unwrap();
        History::new(&self.env.clients, &settings)
    }

    pub(crate) async fn put(&self, rollups: &[Rollup]) {
        let shard = &AppShard { app: self.app.id.clone(), shard: 0 };
        let puts = rollups.iter().map(|rollup| async move {
            let mut rollup = rollup.clone();
            let bytes = rollup.to_bytes().unwrap();
            self.rollups.put(shard, &rollup, bytes, None).await
        });
        let puts = stream::iter(puts).buffer_unordered(CONCURRENT_CALLS);
        puts.try_collect::<Vec<_>>().await.unwrap();
        self.env.forget_calls();
    }

    pub(crate) async fn put_raw(&self, raw: &[Report]) {
        let reports = &self.env.reports();
        let kept_ms = Retention::default().raw_ms;
        let puts = raw.iter().map(|report| reports.store(report, &self.app, kept_ms));
        stream::iter(puts).buffer_unordered(CONCURRENT_CALLS).try_collect::<Vec<_>>().await.unwrap();
    }

    /// The write units since the last call.
    pub(crate) fn take_writes(&self) -> f64 {
        self.env.take_calls();
        self.env.take_consumed().iter().filter(|one| !one.is_read()).map(|one| one.units).sum()
    }

    /// The body of a response.
    pub(crate) async fn ask(&self, history: &History, query: &str, now: TimestampMs) -> String {
        let grant = fixtures::grant(self.app.id.as_str(), Scope::VIEW).to_text();
        let path = format!("/apps/{}/metrics", self.app.id);
        let event = events::http_call(
            "GET /apps/{appId}/metrics",
            (&path, query),
            &[("appId", self.app.id.as_str())],
            &[],
            Some(&[("grant", &grant)]),
        );
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let response = history.answer(&request, now).await;
        assert_eq!(response.status().as_u16(), 200);
        let Body::Text(text) = response.into_body() else { unreachable!("the answer is text") };
        text
    }

    /// Read calls and units since the last call, of rollups and of raw reports.
    pub(crate) fn take_reads(&self) -> [(usize, f64); 2] {
        self.env.take_calls();
        let spent = self.env.take_consumed();
        ["RollupsTable", "ReportsTable"].map(|table| {
            let of_table: Vec<&ConsumedCapacity> =
                spent.iter().filter(|one| one.target == table && one.is_read()).collect();
            (of_table.len(), of_table.iter().map(|one| one.units).sum())
        })
    }
}
