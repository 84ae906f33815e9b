//! The probe of history: how long after its sending a report is in `GET /apps/{appId}/metrics/latest`.
//!
//! One question at a time, about one publisher in turn, and a pause after each, so that asking does not become the load.

use crate::fleet::Run;
use crate::plan::Plan;
use crate::target::{App, Target};
use crate::trouble::{Trouble, words};
use crate::wire::latest_sequence;
use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Time between two looks at the account, and least time between two questions about one report.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The pause between two questions about one report, in times of what the last one took: asking takes a fifth of the
/// time at most. An answer of a busy application reads a megabyte.
const PAUSE_TIMES: u32 = 4;

/// The probe of one run.
#[derive(Debug)]
pub(crate) struct Probe {
    client: reqwest::Client,
    http: String,
    every: Duration,
}

impl Probe {
    /// A probe that asks once `every` so often; none where the target has no HTTP address or no sample is wanted.
    pub(crate) fn of(target: &Target, every: Duration, patience: Duration) -> anyhow::Result<Option<Self>> {
        let Some(http) = target.http.as_ref().filter(|_| !every.is_zero()) else { return Ok(None) };
        // No proxy and no redirection: the load generator goes where it was told, and nowhere else.
        let client = reqwest::Client::builder()
            .timeout(patience)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Some(Self { client, http: http.trim_end_matches('/').to_owned(), every }))
    }

    /// Takes samples until it is dropped.
    pub(crate) async fn sample(&self, run: &Arc<Run>, plan: &Plan, apps: &[App]) {
        for publisher in (0..plan.publishers.len()).cycle() {
            sleep(self.every).await;
            let app = plan.publishers.get(publisher).and_then(|app| apps.get(*app));
            let Some(app) = app else { return };
            match self.sample_one(run, publisher, app).await {
                Ok(Some(micros)) => run.book().find_in_history(micros),
                Ok(None) => {}
                Err(trouble) => run.book().trouble(trouble),
            }
        }
    }

    /// Waits for the publisher's next acknowledgement, then for that report in history. Nothing where the publisher
    /// is silent.
    async fn sample_one(&self, run: &Arc<Run>, publisher: usize, app: &App) -> Result<Option<u64>, Trouble> {
        let limit = Instant::now() + run.patience;
        let before = run.book().last_acknowledged(publisher);
        let (sequence, sent) = loop {
            let last = run.book().last_acknowledged(publisher);
            match last {
                Some(last) if Some(last) != before => break last,
                _ if Instant::now() >= limit => return Ok(None),
                _ => sleep(LOOK_AGAIN).await,
            }
        };
        let source = run.source(publisher);
        let limit = Instant::now() + run.patience;
        while Instant::now() < limit {
            let asked = Instant::now();
            let answer = timeout_at(limit, self.ask(app)).await;
            let answer = answer.map_err(|_| Trouble::no_answer("answer of history", run.patience))??;
            if latest_sequence(&answer, &source).is_some_and(|last| last >= sequence) {
                return Ok(Some(run.clock.now().micros_since(sent)));
            }
            sleep(LOOK_AGAIN.max(asked.elapsed() * PAUSE_TIMES)).await;
        }
        Err(Trouble::no_answer("acknowledged report in history", run.patience))
    }

    async fn ask(&self, app: &App) -> Result<String, Trouble> {
        let address = format!("{}/apps/{}/metrics/latest", self.http, app.app_id);
        let request = self.client.get(address).bearer_auth(&app.api_key);
        let response = request.send().await.map_err(|error| trouble_of(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Trouble::Refused(format!("history answered with {}", status.as_u16())));
        }
        response.text().await.map_err(|error| trouble_of(&error))
    }
}

fn trouble_of(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::TimedOut("history did not answer".to_owned());
    }
    if error.is_connect() {
        return Trouble::Refused("history cannot be reached".to_owned());
    }
    Trouble::Closed(format!("history: {}", words(&error.to_string())))
}
