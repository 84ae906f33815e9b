//! Measures how long after its sending a report appears in `GET /apps/{appId}/metrics/latest`.
//!
//! One request at a time, about one publisher after the other, with pauses, so that the requests are not the load.

use crate::failure::Failure;
use crate::plan::Plan;
use crate::reports::latest_sequence;
use crate::run::Run;
use crate::target::{App, Target};
use anyhow::Context as _;
use nsl_client::credential::Credential;
use nsl_client::http::HttpClient;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Interval at which the delivery log is read, and shortest pause between two requests.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Pause between two requests, as a multiple of the last response time: requests take at most a fifth of the time,
/// because the response of a busy app reads a megabyte.
const PAUSE_FACTOR: u32 = 4;

/// The probe of one run.
#[derive(Debug)]
pub(crate) struct HistoryProbe {
    http: HttpClient,
    interval: Duration,
}

impl HistoryProbe {
    /// A probe that takes a sample every `interval`; `None` without an HTTP address, or if the interval is zero.
    pub(crate) fn new(
        target: &Target,
        interval: Duration,
        timeout: Duration,
    ) -> anyhow::Result<Option<Self>> {
        let Some(address) = target.http.as_ref().filter(|_| !interval.is_zero()) else { return Ok(None) };
        let http = HttpClient::direct(address, timeout).context("cannot create an HTTP client")?;
        Ok(Some(Self { http, interval }))
    }

    /// Takes samples until it is dropped.
    pub(crate) async fn sample(&self, run: &Arc<Run>, plan: &Plan, apps: &[App]) {
        for publisher in (0..plan.publishers.len()).cycle() {
            sleep(self.interval).await;
            let app = plan.publishers.get(publisher).and_then(|app| apps.get(*app));
            let Some(app) = app else { return };
            match self.sample_one(run, publisher, app).await {
                Ok(Some(latency)) => run.log().find_in_history(latency),
                Ok(None) => {}
                Err(failure) => run.log().fail(failure),
            }
        }
    }

    /// Waits for the publisher's next acknowledgement, then for that report in history. `None` if there is no
    /// acknowledgement.
    async fn sample_one(
        &self,
        run: &Arc<Run>,
        publisher: usize,
        app: &App,
    ) -> Result<Option<Duration>, Failure> {
        let limit = Instant::now() + run.timeout;
        let before = run.log().last_acknowledged(publisher);
        let reported = loop {
            let last = run.log().last_acknowledged(publisher);
            match last {
                Some(last) if Some(last) != before => break last,
                Some(_) | None if Instant::now() >= limit => return Ok(None),
                Some(_) | None => sleep(POLL_INTERVAL).await,
            }
        };
        let source = run.source(publisher);
        let path = format!("/apps/{}/metrics/latest", app.app_id);
        let credential = Credential::Key(app.api_key.clone());
        let limit = Instant::now() + run.timeout;
        while Instant::now() < limit {
            let began = Instant::now();
            let body =
                timeout_at(limit, self.http.get(&path, &[], "application/json", Some(&credential))).await;
            let body = body.map_err(|_| Failure::timed_out("response of history", run.timeout))??;
            if latest_sequence(&body, &source).is_some_and(|last| last >= reported.sequence) {
                return Ok(Some(reported.sent.elapsed()));
            }
            sleep(POLL_INTERVAL.max(began.elapsed() * PAUSE_FACTOR)).await;
        }
        Err(Failure::timed_out("acknowledged report in history", run.timeout))
    }
}
