//! All connections of a run: opened a few at a time, and closed together.

use crate::failure::{Failure, Failures};
use crate::load::Load;
use crate::plan::Plan;
use crate::publisher::Publisher;
use crate::run::Run;
use crate::subscriber;
use crate::target::{App, Target};
use anyhow::{Context as _, bail};
use futures_util::future::{join, join_all, try_join_all};
use futures_util::{StreamExt as _, stream};
use nsl_client::socket::Sender;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Concurrent handshakes, few enough that they are not the load themselves.
const CONCURRENT_HANDSHAKES: usize = 16;

/// Longest wait until all publishers, or all subscribers, are connected.
const OPENING_LIMIT: Duration = Duration::from_secs(300);

/// Failed connections after which no more are opened.
const MAX_FAILED: u64 = 16;

/// The open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    run: Arc<Run>,
    publishers: Vec<Publisher>,
    subscribers: Vec<Sender>,
}

impl Connections {
    /// Opens all connections, subscribers first, so that they receive every report.
    pub(crate) async fn open(run: Arc<Run>, plan: &Plan, target: &Target) -> anyhow::Result<Self> {
        let subscribers = open_each("subscribers", &plan.subscribers, &target.apps, |index, app| {
            subscriber::open(Arc::clone(&run), index, &target.ws, app)
        });
        let subscribers = subscribers.await.with_context(|| format!("cannot load {}", target.ws))?;
        let publishers = open_each("publishers", &plan.publishers, &target.apps, |index, app| {
            Publisher::open(Arc::clone(&run), index, &target.ws, app)
        });
        let publishers = publishers.await.with_context(|| format!("cannot load {}", target.ws))?;
        Ok(Self { run, publishers, subscribers })
    }

    /// Sends the reports of one stage.
    pub(crate) async fn publish(&mut self, load: Load) -> anyhow::Result<()> {
        let all = self.publishers.iter_mut().map(|publisher| publisher.publish(load));
        try_join_all(all).await.map(|_| ())
    }

    /// Closes all connections.
    pub(crate) async fn close(mut self) {
        self.run.end();
        let publishers = join_all(self.publishers.iter_mut().map(Publisher::close));
        let subscribers = join_all(self.subscribers.iter_mut().map(Sender::close));
        join(publishers, subscribers).await;
    }
}

/// Opens a connection for each app index in `apps_of`, in order.
async fn open_each<'a, T, F>(
    role: &str,
    apps_of: &[usize],
    apps: &'a [App],
    open: impl Fn(usize, &'a App) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = Result<T, Failure>>,
{
    let pairs = apps_of.iter().enumerate().filter_map(|(index, app)| Some((index, apps.get(*app)?)));
    let openings: Vec<F> = pairs.map(|(index, app)| open(index, app)).collect();
    let mut outcomes = stream::iter(openings).buffered(CONCURRENT_HANDSHAKES);
    let mut opened = Vec::new();
    let mut failures = Failures::default();
    let limit = Instant::now() + OPENING_LIMIT;
    while failures.total() < MAX_FAILED {
        match timeout_at(limit, outcomes.next()).await {
            Ok(Some(Ok(connection))) => opened.push(connection),
            Ok(Some(Err(failure))) => failures.add(failure),
            Ok(None) => break,
            Err(_) => {
                bail!("only {} of {} {role} connected within {OPENING_LIMIT:?}", opened.len(), apps_of.len())
            }
        }
    }
    if failures.total() > 0 {
        let shown: Vec<String> = failures.counts().iter().map(ToString::to_string).collect();
        bail!("{} of {} {role} could not connect ({})", failures.total(), apps_of.len(), shown.join("; "));
    }
    Ok(opened)
}
