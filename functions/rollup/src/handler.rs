//! Handles a batch of stream records: rollups, last reports, and the first record to retry.
//!
//! Malformed records, and those whose handling panics, are quarantined and records of unregistered applications skipped.
//! Only other faults of our own cause a retry.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use nsl_aws::boot::Clients;
use nsl_aws::compute::{Clock, RollupComputer};
use nsl_aws::counters::Counters;
use nsl_aws::deadline::before_replies;
use nsl_aws::fault::{Fault, Kind};
use nsl_aws::isolation::isolated;
use nsl_aws::logging;
use nsl_aws::stream::{BatchResponse, FailedItem, MalformedRecord, StoredReport, StreamEvent, read_record};
use nsl_domain::ids::{AppId, Source};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use tokio::sync::Semaphore;

use crate::app_settings::{AppSettings, AppSettingsLoader};
use crate::deferral::{Deferral, Minutes};
use crate::settings::Settings;
use crate::shard_rollup::{CONCURRENT_SPANS, ShardOutcome, ShardRollup, repeated_if_panicked};

/// Applications read or limited at a time.
const CONCURRENT_APPS: usize = 8;

/// Write shards recomputed at a time.
const CONCURRENT_SHARDS: usize = 8;

/// Last reports and quarantined records written at a time.
const CONCURRENT_WRITES: usize = 16;

/// The reason of a record that is quarantined because its handling panicked.
const PANICKED: &str = "rolling up the report panicked";

/// The function, with its clients.
#[derive(Debug)]
pub struct RollupHandler {
    computer: RollupComputer,
    apps: AppSettingsLoader,
    deferral: Deferral,
    counters: Counters,
}

/// The records of a batch, each with its index.
#[derive(Debug)]
struct Batch<'e> {
    event: &'e StreamEvent,
    stored: BTreeMap<usize, StoredReport>,
    malformed: BTreeMap<usize, MalformedRecord<'e>>,
}

/// What was done for a batch, for its log event and its response.
#[derive(Debug, Default)]
struct Outcome {
    written: usize,
    unchanged: usize,
    sources: usize,
    quarantined: usize,
    /// Records of applications that are not registered.
    unregistered: usize,
    /// Minutes that a later batch computes.
    deferred: usize,
    /// Indexes of the records to retry.
    failed: BTreeSet<usize>,
    /// Indexes of the records whose handling panicked: they are quarantined, because a retry would delay the others.
    panicked: BTreeSet<usize>,
}

/// The settings of the batch's applications, without those that are not registered or cannot be read.
type SettingsByApp = BTreeMap<AppId, AppSettings>;

impl RollupHandler {
    /// The function with its clients; `clock` returns the current time.
    pub fn new(clients: &Clients, settings: &Settings, clock: Clock) -> Self {
        let reports = clients.reports(&settings.reports_table);
        let rollups = clients.rollups(&settings.rollups_table, settings.retention);
        let apps = AppSettingsLoader::new(clients.apps(&settings.apps_table));
        let computer = RollupComputer::new(reports, rollups, clock);
        let counters = clients.counters(&settings.metrics_namespace);
        Self { computer, apps, deferral: Deferral::default(), counters }
    }

    /// Handles one batch.
    ///
    /// # Errors
    /// Where a record must be retried but has no sequence number to name it by. Lambda then retries the whole batch.
    pub async fn handle(&self, event: StreamEvent) -> Result<BatchResponse, lambda_runtime::Error> {
        let batch = Batch::read(&event);
        let mut outcome = Outcome::default();
        // What is not done in time must be noted after it, or the stream would repeat it and deliver nothing new.
        let settings = before_replies(self.compute(&batch, &mut outcome)).await;
        let panicked: Vec<_> = outcome.panicked.iter().filter_map(|index| batch.panicked(*index)).collect();
        self.quarantine(panicked.into_iter(), &mut outcome).await;
        self.defer_old(&batch, &mut outcome).await;
        let limited = settings.values().map(|app| self.limit_if_exceeded(app));
        stream::iter(limited).buffer_unordered(CONCURRENT_APPS).collect::<()>().await;
        tracing::info!(
            records = event.records.len(),
            written = outcome.written,
            unchanged = outcome.unchanged,
            sources = outcome.sources,
            quarantined = outcome.quarantined,
            unregistered = outcome.unregistered,
            deferred = outcome.deferred,
            failed = outcome.failed.len(),
            "batch rolled up"
        );
        let deferred = self.deferral.compute_some(&self.apps, &self.computer);
        if let Err(fault) = isolated("compute deferred minutes", deferred).await {
            tracing::error!(reason = fault.chain(), "computing deferred minutes failed");
        }
        self.counters.emit(self.computer.now());
        batch.response(&outcome.failed)
    }

    /// Brings up to date what the batch makes out of date; returns the settings of its applications.
    async fn compute(&self, batch: &Batch<'_>, outcome: &mut Outcome) -> SettingsByApp {
        let malformed = batch.malformed.iter().map(|(index, record)| (*index, record.clone()));
        self.quarantine(malformed, outcome).await;
        let settings = self.load_settings(batch, outcome).await;
        self.roll_up(batch, &settings, outcome).await;
        self.put_last_reports(batch, &settings, outcome).await;
        settings
    }

    /// Defers the minutes of records that could not be rolled up for some minutes: until they are done the stream would
    /// repeat everything after them, and deliver nothing new.
    async fn defer_old(&self, batch: &Batch<'_>, outcome: &mut Outcome) {
        let now = self.computer.now();
        let mut old: BTreeMap<&AppShard, BTreeSet<RollupSpan>> = BTreeMap::new();
        for stored in outcome.failed.iter().filter_map(|index| batch.stored.get(index)) {
            if Deferral::is_due(stored, now) {
                let minute = RollupSpan::containing(Resolution::Minute, stored.report.timestamp);
                old.entry(&stored.shard).or_default().insert(minute);
            }
        }
        for (shard, minutes) in old {
            if self.defer(shard, &minutes, outcome).await {
                let is_deferred = |stored: &StoredReport| {
                    stored.shard == *shard
                        && Deferral::is_due(stored, now)
                        && minutes.iter().any(|minute| minute.contains(stored.report.timestamp))
                };
                let deferred: BTreeSet<usize> = batch.indexes(is_deferred).collect();
                outcome.failed = &outcome.failed - &deferred;
            }
        }
    }

    /// Defers minutes of `shard`; false if that fails.
    async fn defer(&self, shard: &AppShard, minutes: &BTreeSet<RollupSpan>, outcome: &mut Outcome) -> bool {
        let deferred = self.computer.rollups().defer(shard, minutes, self.computer.now()).await;
        match &deferred {
            Ok(()) => {
                tracing::warn!(app = %shard.app, shard = shard.shard, minutes = minutes.len(), "minutes deferred");
                outcome.deferred += minutes.len();
            }
            Err(fault) => {
                tracing::error!(app = %shard.app, reason = fault.chain(), "deferring minutes failed");
            }
        }
        deferred.is_ok()
    }

    /// Limits an app. A panic is only logged, as a fault is.
    async fn limit_if_exceeded(&self, app: &AppSettings) {
        let limited = self.apps.limit_if_exceeded(app, self.computer.now());
        if let Err(fault) = isolated("limit an app", limited).await {
            tracing::error!(reason = fault.chain(), "limiting an app failed");
        }
    }

    async fn quarantine(
        &self,
        records: impl Iterator<Item = (usize, MalformedRecord<'_>)>,
        outcome: &mut Outcome,
    ) {
        let now = self.computer.now();
        let writes = records.map(|(index, record)| async move {
            let write = self.computer.rollups().quarantine(&record, now);
            let written = isolated("put a record into quarantine", write).await.flatten();
            (index, record.reason, written)
        });
        let mut finished = stream::iter(writes).buffer_unordered(CONCURRENT_WRITES);
        while let Some((index, reason, result)) = finished.next().await {
            match result {
                Ok(()) => {
                    tracing::error!(reason, "stream record quarantined");
                    outcome.quarantined += 1;
                }
                Err(fault) => {
                    tracing::error!(reason = fault.chain(), "quarantining a record failed");
                    outcome.failed.insert(index);
                }
            }
        }
    }

    /// Loads the settings of each application of the batch. The records of one that cannot be read are retried. Those
    /// of one that is not registered are skipped: it was deleted after they were stored.
    async fn load_settings(&self, batch: &Batch<'_>, outcome: &mut Outcome) -> SettingsByApp {
        let now = self.computer.now();
        let apps: BTreeSet<&AppId> = batch.stored.values().map(|stored| &stored.shard.app).collect();
        let loads = apps.into_iter().map(|app| async move {
            let load = || self.apps.load(app, &self.computer, now);
            (app, repeated_if_panicked("load the settings of an app", load).await)
        });
        let mut finished = stream::iter(loads).buffer_unordered(CONCURRENT_APPS);
        let mut settings = SettingsByApp::new();
        while let Some((app, result)) = finished.next().await {
            let of_app = batch.indexes(|stored| stored.shard.app == *app);
            match result {
                Ok(Some(loaded)) => drop(settings.insert(app.clone(), loaded)),
                Ok(None) => {
                    let records = of_app.count();
                    tracing::warn!(%app, records, "app is not registered, records skipped");
                    outcome.unregistered += records;
                }
                Err(fault) => {
                    tracing::error!(%app, reason = fault.chain(), "reading an app failed");
                    outcome.add_failed(&fault, of_app);
                }
            }
        }
        settings
    }

    /// Recomputes the rollups of each write shard, several write shards at a time.
    async fn roll_up(&self, batch: &Batch<'_>, settings: &SettingsByApp, outcome: &mut Outcome) {
        let mut touched: BTreeMap<AppShard, Minutes> = BTreeMap::new();
        for stored in batch.stored.values().filter(|stored| settings.contains_key(&stored.shard.app)) {
            touched.entry(stored.shard.clone()).or_default().add(stored);
        }
        let mut dirty: BTreeMap<AppShard, BTreeSet<RollupSpan>> = BTreeMap::new();
        for (shard, minutes) in touched {
            let (now, later) = self.deferral.split(&shard, minutes, self.computer.now());
            if !later.is_empty() && !self.defer(&shard, &later, outcome).await {
                outcome.failed.extend(batch.of_spans(&shard, &later));
            }
            dirty.insert(shard, now);
        }
        let permits = Semaphore::new(CONCURRENT_SPANS);
        let rollups = dirty.into_iter().filter_map(|(shard, minutes)| {
            let computer = &settings.get(&shard.app)?.computer;
            Some(ShardRollup { computer, shard, minutes }.run(&permits))
        });
        let mut finished = stream::iter(rollups).buffer_unordered(CONCURRENT_SHARDS);
        while let Some(ShardOutcome { shard, written, unchanged, failed, panicked }) = finished.next().await {
            outcome.written += written;
            outcome.unchanged += unchanged;
            outcome.failed.extend(batch.of_spans(&shard, &(&failed - &panicked)));
            outcome.panicked.extend(batch.of_spans(&shard, &panicked));
        }
    }

    /// Stores the last report of each source of the batch, without those of an earlier app of the id: its rollups need no
    /// such check, because they are computed from stored reports, and its own are erased.
    async fn put_last_reports(&self, batch: &Batch<'_>, settings: &SettingsByApp, outcome: &mut Outcome) {
        let mut last: BTreeMap<(&AppId, &Source), usize> = BTreeMap::new();
        for (index, stored) in &batch.stored {
            if settings.get(&stored.report.app).is_some_and(|app| app.is_of_earlier_app(stored)) {
                continue;
            }
            let newest = last.entry((&stored.report.app, &stored.report.source)).or_insert(*index);
            let is_newer = |other: &StoredReport| other.report.id() < stored.report.id();
            if batch.stored.get(newest).is_some_and(is_newer) {
                *newest = *index;
            }
        }
        let writes = last.into_iter().filter_map(|((app, _), index)| {
            let (rollups, stored) = (settings.get(app)?.computer.rollups(), batch.stored.get(&index)?);
            let put = || rollups.put_last_report(&stored.report);
            Some(async move { (index, repeated_if_panicked("put a last report", put).await) })
        });
        let writes: Vec<_> = writes.collect();
        let mut finished = stream::iter(writes).buffer_unordered(CONCURRENT_WRITES);
        while let Some((index, result)) = finished.next().await {
            match result {
                Ok(_) => outcome.sources += 1,
                Err(fault) => {
                    tracing::error!(reason = fault.chain(), "storing a last report failed");
                    outcome.add_failed(&fault, [index]);
                }
            }
        }
    }
}

impl Outcome {
    /// Records whose handling failed with `fault`.
    fn add_failed(&mut self, fault: &Fault, records: impl IntoIterator<Item = usize>) {
        match fault.kind {
            Kind::Panicked => self.panicked.extend(records),
            _ => self.failed.extend(records),
        }
    }
}

impl<'e> Batch<'e> {
    fn read(event: &'e StreamEvent) -> Self {
        let mut batch = Self { event, stored: BTreeMap::new(), malformed: BTreeMap::new() };
        for (index, record) in event.records.iter().enumerate() {
            match read_record(record) {
                Ok(stored) => drop(batch.stored.insert(index, stored)),
                Err(malformed) => drop(batch.malformed.insert(index, malformed)),
            }
        }
        batch
    }

    /// The record `index`, whose handling panicked, to be quarantined.
    fn panicked(&self, index: usize) -> Option<(usize, MalformedRecord<'e>)> {
        let StoredReport { sequence, shard, .. } = self.stored.get(&index)?;
        let (sequence, app) = (Some(sequence.clone()), Some(shard.app.clone()));
        let record = self.event.records.get(index)?.get();
        Some((index, MalformedRecord { sequence, app, reason: PANICKED.to_owned(), record }))
    }

    /// The indexes of the readable records that `matches`.
    fn indexes(&self, matches: impl Fn(&StoredReport) -> bool) -> impl Iterator<Item = usize> {
        self.stored.iter().filter(move |(_, stored)| matches(stored)).map(|(index, _)| *index)
    }

    /// The indexes of the records of `shard` whose reports are stamped in one of `spans`.
    fn of_spans(&self, shard: &AppShard, spans: &BTreeSet<RollupSpan>) -> Vec<usize> {
        let is_of_spans = |stored: &StoredReport| {
            stored.shard == *shard && spans.iter().any(|span| span.contains(stored.report.timestamp))
        };
        self.indexes(is_of_spans).collect()
    }

    /// Names the first of the `failed` records. Lambda retries it and all after it.
    fn response(&self, failed: &BTreeSet<usize>) -> Result<BatchResponse, lambda_runtime::Error> {
        let sequence = |index| match self.stored.get(index) {
            Some(stored) => Some(stored.sequence.as_str()),
            None => self.malformed.get(index)?.sequence.as_deref(),
        };
        let sequences: Option<Vec<&str>> = failed.iter().map(sequence).collect();
        let sequences =
            sequences.ok_or_else(|| logging::failed("a record to retry has no sequence number"))?;
        // Sequence numbers rise within a shard of the stream and have no fixed width: a shorter one is lower.
        let lowest = sequences.into_iter().min_by_key(|sequence| (sequence.len(), *sequence));
        let failures = lowest.map(|sequence| FailedItem { sequence: sequence.to_owned() });
        Ok(BatchResponse { failures: failures.into_iter().collect() })
    }
}
