//! All connections of a run: opened a few at a time, used stage by stage, closed together.

use crate::book::Book;
use crate::clock::RunClock;
use crate::connection::Mouth;
use crate::load::Load;
use crate::plan::Plan;
use crate::publisher::Publisher;
use crate::subscriber;
use crate::target::{App, Target};
use crate::trouble::{Trouble, Troubles};
use anyhow::{Context as _, bail};
use futures_util::future::{join_all, try_join_all};
use futures_util::{SinkExt as _, StreamExt as _, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Handshakes under way at a time: a crowd that comes in, not a flood that is the test itself.
const CONCURRENT_HANDSHAKES: usize = 16;

/// Longest wait for all connections of one side to open. A run is bounded in time, its beginning too.
const OPENING_LIMIT: Duration = Duration::from_secs(300);

/// Connections that are not let in before no more are tried.
const MAX_TURNED_AWAY: u64 = 16;

/// Longest wait for the network to take a close frame, and the other side to see it.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What every connection of a run shares.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) clock: RunClock,
    /// Longest wait for an answer.
    pub(crate) patience: Duration,
    source_prefix: String,
    book: Mutex<Book>,
    is_ending: AtomicBool,
}

impl Run {
    /// A run called `name`, that has not begun.
    pub(crate) fn new(plan: Plan, target: &Target, name: &str, patience: Duration) -> Self {
        let source_prefix = format!("load-{name}-");
        let app_ids = target.apps.iter().map(|app| app.app_id.clone()).collect();
        let book = Mutex::new(Book::new(plan, app_ids, source_prefix.clone()));
        Self { clock: RunClock::start(), patience, source_prefix, book, is_ending: AtomicBool::new(false) }
    }

    /// The account.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The source that publisher `index` reports as.
    pub(crate) fn source(&self, index: usize) -> String {
        format!("{}{index}", self.source_prefix)
    }

    /// Whether connections may end from here on.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }
}

/// The open connections.
#[derive(Debug)]
pub(crate) struct Fleet {
    run: Arc<Run>,
    publishers: Vec<Publisher>,
    subscribers: Vec<Mouth>,
}

impl Fleet {
    /// Opens all connections: subscribers first, so that no report is before its subscriber.
    ///
    /// # Errors
    /// What the other side said where it did not let every connection in.
    pub(crate) async fn open(run: Arc<Run>, plan: &Plan, target: &Target) -> anyhow::Result<Self> {
        let subscribers = each("subscribers", &plan.subscribers, &target.apps, |index, app| {
            subscriber::open(Arc::clone(&run), index, &target.ws, app)
        });
        let subscribers = subscribers.await.with_context(|| format!("cannot load {}", target.ws))?;
        let publishers = each("publishers", &plan.publishers, &target.apps, |index, app| {
            Publisher::open(Arc::clone(&run), index, &target.ws, app)
        });
        let publishers = publishers.await.with_context(|| format!("cannot load {}", target.ws))?;
        Ok(Self { run, publishers, subscribers })
    }

    /// Lets every publisher send what falls to it in a stage.
    pub(crate) async fn publish(&mut self, load: Load) -> anyhow::Result<()> {
        let all = self.publishers.iter_mut().map(|publisher| publisher.publish(load));
        try_join_all(all).await.map(|_| ())
    }

    /// Says goodbye on every connection, and does not wait long for anybody.
    pub(crate) async fn close(mut self) {
        self.run.is_ending.store(true, Ordering::Relaxed);
        let publishers = self.publishers.iter_mut().map(Publisher::mouth);
        let farewells =
            publishers.chain(self.subscribers.iter_mut()).map(|mouth| timeout(CLOSE_LIMIT, mouth.close()));
        // The other side may be gone; there is nothing left to do about it.
        drop(join_all(farewells).await);
    }
}

/// Opens a connection for each application index of `apps_of`, in order.
async fn each<'a, T, F>(
    who: &str,
    apps_of: &[usize],
    apps: &'a [App],
    open: impl Fn(usize, &'a App) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let pairs = apps_of.iter().enumerate().filter_map(|(index, app)| Some((index, apps.get(*app)?)));
    let openings: Vec<F> = pairs.map(|(index, app)| open(index, app)).collect();
    let mut outcomes = stream::iter(openings).buffered(CONCURRENT_HANDSHAKES);
    let mut opened = Vec::new();
    let mut troubles = Troubles::default();
    let limit = Instant::now() + OPENING_LIMIT;
    while troubles.count() < MAX_TURNED_AWAY {
        match timeout_at(limit, outcomes.next()).await {
            Ok(Some(Ok(connection))) => opened.push(connection),
            Ok(Some(Err(trouble))) => troubles.add(trouble),
            Ok(None) => break,
            Err(_) => {
                bail!("only {} of {} {who} were let in within {OPENING_LIMIT:?}", opened.len(), apps_of.len())
            }
        }
    }
    if troubles.count() > 0 {
        let told: Vec<String> = troubles
            .counts()
            .into_iter()
            .map(|trouble| format!("{} {}: {}", trouble.count, trouble.kind, trouble.what))
            .collect();
        bail!("{} of {} {who} were not let in ({})", troubles.count(), apps_of.len(), told.join("; "));
    }
    Ok(opened)
}
