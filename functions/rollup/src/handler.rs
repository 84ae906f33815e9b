//! From a batch of stream records to rollups, last reports and an answer.
//!
//! Owns what a batch means: which minutes it touches, what above them is due, and from which record on it must come
//! again. A malformed record is set aside and blocks nothing, one of an application that is not registered is passed
//! over; only our own faults bring records back. Ruled by design.md §6.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use nsl_aws::boot::Clients;
use nsl_aws::compute::{Clock, RollupComputer};
use nsl_aws::stream::{BatchResponse, FailedItem, MalformedRecord, StoredReport, StreamEvent, read_record};
use nsl_domain::ids::{AppId, Source};
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, DirtyMinutes, RollupSpan};
use tokio::sync::Semaphore;

use crate::settings::Settings;
use crate::spans::{CONCURRENT_SHARDS, CONCURRENT_SPANS, OutOfDate, RolledUp};
use crate::terms::{Term, Terms};

/// Applications that are read or held at a time.
const CONCURRENT_APPS: usize = 8;

/// Last reports and records in quarantine that are written at a time.
const CONCURRENT_WRITES: usize = 16;

/// The function, with its clients.
#[derive(Debug)]
pub struct RollupHandler {
    computer: RollupComputer,
    terms: Terms,
}

/// What was done for a batch, for its line in the log.
#[derive(Debug, Default)]
struct Done {
    written: usize,
    unchanged: usize,
    sources: usize,
    quarantined: usize,
    /// Records of applications that are not registered.
    unregistered: usize,
    /// Places in the batch of records that have to come again.
    failed: BTreeSet<usize>,
}

/// A readable record and its place in the batch.
type Placed = (usize, StoredReport);

/// What each application of a batch sets of its own. There is none for one that is not registered, or not read.
type TermsOf = BTreeMap<AppId, Term>;

impl Done {
    /// Notes that the records of `spans` have to come again.
    fn fail<'s>(&mut self, stored: &[Placed], shard: &AppShard, spans: impl Iterator<Item = &'s RollupSpan>) {
        for span in spans {
            let lost = |one: &StoredReport| one.shard == *shard && span.contains(one.report.timestamp);
            self.failed.extend(stored.iter().filter(|(_, one)| lost(one)).map(|(place, _)| place));
        }
    }
}

impl RollupHandler {
    /// The function with its own clients, told the time by `clock`.
    pub fn new(clients: &Clients, settings: &Settings, clock: Clock) -> Self {
        let reports = clients.reports(&settings.reports_table);
        let rollups = clients.rollups(&settings.rollups_table, settings.retention);
        let terms = Terms::new(clients.apps(&settings.apps_table));
        Self { computer: RollupComputer::new(reports, rollups, clock), terms }
    }

    /// Deals with one batch.
    ///
    /// # Errors
    /// Where a record has to come again that has no sequence number to say so with: then the whole batch does.
    pub async fn handle(&self, event: StreamEvent) -> Result<BatchResponse, lambda_runtime::Error> {
        let mut stored: Vec<Placed> = Vec::new();
        let mut malformed = Vec::new();
        for (place, record) in event.records.iter().enumerate() {
            match read_record(record) {
                Ok(one) => stored.push((place, one)),
                Err(bad) => malformed.push((place, bad)),
            }
        }
        let mut done = Done::default();
        self.set_aside(&malformed, &mut done).await;
        let terms = self.terms_of(&stored, &mut done).await;
        self.roll_up(&stored, &terms, &mut done).await;
        self.note_last(&stored, &terms, &mut done).await;
        let held = terms.values().map(|term| self.terms.hold(term, self.computer.now()));
        stream::iter(held).buffer_unordered(CONCURRENT_APPS).collect::<()>().await;
        tracing::info!(
            records = event.records.len(),
            written = done.written,
            unchanged = done.unchanged,
            sources = done.sources,
            quarantined = done.quarantined,
            unregistered = done.unregistered,
            failed = done.failed.len(),
            "batch rolled up"
        );
        answer(&stored, &malformed, &done)
    }

    async fn set_aside(&self, malformed: &[(usize, MalformedRecord<'_>)], done: &mut Done) {
        let now = self.computer.now();
        let written = malformed.iter().map(|(place, record)| async move {
            (*place, &record.reason, self.computer.rollups().quarantine(record, now).await)
        });
        let mut ended = stream::iter(written).buffer_unordered(CONCURRENT_WRITES);
        while let Some((place, reason, outcome)) = ended.next().await {
            match outcome {
                Ok(()) => {
                    tracing::error!(reason, "a stream record is malformed and set aside");
                    done.quarantined += 1;
                }
                Err(fault) => {
                    tracing::error!(reason = fault.chain(), "a malformed record was not set aside");
                    done.failed.insert(place);
                }
            }
        }
    }

    /// What each application of the batch sets of its own. The records of one that cannot be read have to come again;
    /// those of one that is not registered any more are passed over, for reports are stored of registered ones only.
    async fn terms_of(&self, stored: &[Placed], done: &mut Done) -> TermsOf {
        let now = self.computer.now();
        let apps: BTreeSet<&AppId> = stored.iter().map(|(_, one)| &one.shard.app).collect();
        let mut terms = TermsOf::new();
        let read =
            apps.into_iter().map(|app| async move { (app, self.terms.of(app, &self.computer, now).await) });
        let mut ended = stream::iter(read).buffer_unordered(CONCURRENT_APPS);
        while let Some((app, outcome)) = ended.next().await {
            let of_app = stored.iter().filter(|(_, one)| one.shard.app == *app);
            match outcome {
                Ok(Some(term)) => drop(terms.insert(app.clone(), term)),
                Ok(None) => {
                    let records = of_app.count();
                    tracing::warn!(%app, records, "an app is not registered and its records are passed over");
                    done.unregistered += records;
                }
                Err(fault) => {
                    tracing::error!(%app, reason = fault.chain(), "an app was not read");
                    done.failed.extend(of_app.map(|(place, _)| place));
                }
            }
        }
        terms
    }

    /// Brings the spans of each app-shard up to date, several app-shards at a time.
    async fn roll_up(&self, stored: &[Placed], terms: &TermsOf, done: &mut Done) {
        let mut touched = DirtyMinutes::default();
        for (_, one) in stored {
            touched.insert(one.shard.clone(), one.report.timestamp);
        }
        let permits = Semaphore::new(CONCURRENT_SPANS);
        let out_of_date = touched.into_minutes().filter_map(|(shard, minutes)| {
            let computer = &terms.get(&shard.app)?.computer;
            Some(OutOfDate { computer, shard, minutes }.roll_up(&permits))
        });
        let mut ended = stream::iter(out_of_date).buffer_unordered(CONCURRENT_SHARDS);
        while let Some(RolledUp { shard, written, unchanged, failed }) = ended.next().await {
            done.written += written;
            done.unchanged += unchanged;
            done.fail(stored, &shard, failed.iter());
        }
    }

    /// Notes the last report of each source of the batch.
    async fn note_last(&self, stored: &[Placed], terms: &TermsOf, done: &mut Done) {
        let mut last: BTreeMap<(&AppId, &Source), (usize, &Report)> = BTreeMap::new();
        for (place, one) in stored {
            let report = &one.report;
            let known = last.entry((&report.app, &report.source)).or_insert((*place, report));
            if known.1.id() < report.id() {
                *known = (*place, report);
            }
        }
        let kept = last.into_values().filter_map(|(place, report)| {
            let term = terms.get(&report.app)?;
            Some(async move { (place, term.computer.rollups().put_last_report(report).await) })
        });
        let written: Vec<_> = kept.collect();
        let mut ended = stream::iter(written).buffer_unordered(CONCURRENT_WRITES);
        while let Some((place, outcome)) = ended.next().await {
            match outcome {
                Ok(_) => done.sources += 1,
                Err(fault) => {
                    tracing::error!(reason = fault.chain(), "a last report was not noted");
                    done.failed.insert(place);
                }
            }
        }
    }
}

/// The answer of a batch: the first record that has to come again. Lambda brings back it and all after it.
fn answer(
    stored: &[Placed],
    malformed: &[(usize, MalformedRecord<'_>)],
    done: &Done,
) -> Result<BatchResponse, lambda_runtime::Error> {
    let readable = stored.iter().map(|(place, one)| (place, Some(one.sequence.as_str())));
    let others = malformed.iter().map(|(place, bad)| (place, bad.sequence.as_deref()));
    let failed = readable.chain(others).filter(|(place, _)| done.failed.contains(place));
    let sequences: Option<Vec<&str>> = failed.map(|(_, sequence)| sequence).collect();
    let sequences = sequences.ok_or("a record has to come again and has no sequence number")?;
    // The numbers rise within a stream's shard and have no fixed width: the shorter one is the lower.
    let lowest = sequences.into_iter().min_by_key(|sequence| (sequence.len(), *sequence));
    let failures = lowest.map(|sequence| FailedItem { sequence: sequence.to_owned() });
    Ok(BatchResponse { failures: failures.into_iter().collect() })
}
