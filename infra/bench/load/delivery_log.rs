//! The delivery log of a run: what was sent, acknowledged and received, and when.
//!
//! A report is *carried* once it is acknowledged and every subscriber of its app has received it. An acknowledged
//! report that a subscriber did not receive is *lost*, one that it received again is *doubled*. Counts are kept by stage;
//! a report belongs to the stage in which it was sent.

mod stage;
#[cfg(test)]
mod tests;

pub(crate) use stage::{Counts, Latencies, StageLog};

use crate::failure::{Failure, Failures};
use crate::plan::Plan;
use crate::reports::{Delivery, ReportRange};
use nsl_client::frame::Rejection;
use nsl_client::socket::escaped;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

/// The service's reply to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AckState {
    Unanswered,
    Acknowledged,
    Rejected,
}

#[derive(Debug, Clone)]
struct Entry {
    stage: usize,
    sent: Instant,
    state: AckState,
    receivers: u32,
    /// Hash of the id under which it was delivered.
    id_hash: Option<u64>,
}

/// A report that the service acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AcknowledgedReport {
    pub(crate) sequence: u64,
    pub(crate) sent: Instant,
}

/// Number of reports of a stage so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StageProgress {
    pub(crate) sent: u64,
    pub(crate) carried: u64,
}

/// The log of one run.
#[derive(Debug)]
pub(crate) struct DeliveryLog {
    plan: Plan,
    app_ids: Vec<String>,
    /// Prefix of the sources of this run; the publisher's number follows.
    source_prefix: String,
    /// By publisher, then by sequence number.
    reports: Vec<Vec<Entry>>,
    /// By subscriber and publisher: which sequence numbers were received.
    received: Vec<HashMap<usize, Vec<bool>>>,
    id_hashes: HashSet<u64>,
    stages: Vec<StageLog>,
    last_acknowledged: HashMap<usize, AcknowledgedReport>,
    /// Reports that are neither rejected nor carried yet.
    open: u64,
    /// Received reports that are not of this run.
    foreign: u64,
    failures: Failures,
}

impl DeliveryLog {
    /// An empty log. Publishers report as `source_prefix` and their number.
    pub(crate) fn new(plan: Plan, app_ids: Vec<String>, source_prefix: String) -> Self {
        Self {
            reports: vec![Vec::new(); plan.publishers.len()],
            received: vec![HashMap::new(); plan.subscribers.len()],
            plan,
            app_ids,
            source_prefix,
            id_hashes: HashSet::new(),
            stages: Vec::new(),
            last_acknowledged: HashMap::new(),
            open: 0,
            foreign: 0,
            failures: Failures::default(),
        }
    }

    /// Begins a stage.
    pub(crate) fn begin_stage(&mut self, at: Instant) {
        self.stages.push(StageLog::begun(at));
    }

    /// Records reports that `publisher` is about to send, due `at`, and numbers them.
    pub(crate) fn send(&mut self, publisher: usize, count: u64, at: Instant) -> ReportRange {
        let stage = self.stages.len().saturating_sub(1);
        let entry = Entry { stage, sent: at, state: AckState::Unanswered, receivers: 0, id_hash: None };
        let Some(reports) = self.reports.get_mut(publisher) else {
            return ReportRange { first: 0, count: 0 };
        };
        let first = reports.len() as u64;
        reports.extend(std::iter::repeat_n(entry, count as usize));
        self.open += count;
        if let Some(stage) = self.stages.get_mut(stage) {
            stage.counts.sent += count;
        }
        ReportRange { first, count }
    }

    /// Records the acknowledgement of the reports in `range` except those in `rejected`.
    pub(crate) fn acknowledge(
        &mut self,
        publisher: usize,
        range: ReportRange,
        rejected: &[Rejection],
        at: Instant,
    ) {
        for rejection in rejected {
            self.fail(Failure::refused(format!("a report with {}", escaped(&rejection.code))));
        }
        for index in 0..range.count {
            let is_rejected = rejected.iter().any(|rejection| rejection.index == Some(index));
            let state = if is_rejected { AckState::Rejected } else { AckState::Acknowledged };
            self.set_state(publisher, range.first + index, state, at);
        }
    }

    /// Records the rejection of a frame, and of the reports in it if they are known.
    pub(crate) fn reject(&mut self, publisher: usize, range: Option<ReportRange>, code: &str, at: Instant) {
        self.fail(Failure::refused(format!("a frame with {}", escaped(code))));
        let Some(range) = range else { return };
        for index in 0..range.count {
            self.set_state(publisher, range.first + index, AckState::Rejected, at);
        }
    }

    fn set_state(&mut self, publisher: usize, sequence: u64, state: AckState, at: Instant) {
        let audience = self.plan.audience(publisher);
        let Some(entry) = entry_mut(&mut self.reports, publisher, sequence) else {
            return self.fail(Failure::wrong("a reply about a report that was not sent"));
        };
        if entry.state != AckState::Unanswered {
            return self.fail(Failure::wrong("two replies about one report"));
        }
        entry.state = state;
        let (sent, received_by_all) = (entry.sent, entry.receivers == audience);
        let was_delivered = entry.receivers > 0;
        let Some(stage) = self.stages.get_mut(entry.stage) else { return };
        if state == AckState::Rejected {
            stage.counts.rejected += 1;
            self.open -= 1;
            if was_delivered {
                self.fail(Failure::wrong("a rejected report was delivered"));
            }
            return;
        }
        stage.acknowledge(at.saturating_duration_since(sent));
        self.last_acknowledged.insert(publisher, AcknowledgedReport { sequence, sent });
        if received_by_all {
            stage.carry(at);
            self.open -= 1;
        }
    }

    /// Records that `subscriber` received a report.
    pub(crate) fn receive(&mut self, subscriber: usize, delivery: &Delivery, at: Instant) {
        let Some(publisher) = delivery.source.strip_prefix(&self.source_prefix) else {
            self.foreign += 1;
            return;
        };
        if let Err(violation) = self.try_receive(subscriber, publisher, delivery, at) {
            self.fail(Failure::wrong(violation));
        }
    }

    fn try_receive(
        &mut self,
        subscriber: usize,
        publisher: &str,
        delivery: &Delivery,
        at: Instant,
    ) -> Result<(), &'static str> {
        let publisher: usize = publisher.parse().map_err(|_| "a report of an unknown source")?;
        let sequence = delivery.sequence.ok_or("a report without its sequence number")?;
        let app = self.plan.subscribers.get(subscriber);
        if app != self.plan.publishers.get(publisher)
            || app.and_then(|app| self.app_ids.get(*app)) != Some(&delivery.app_id)
        {
            return Err("a report of an application without a subscription");
        }
        let audience = self.plan.audience(publisher);
        let entry = entry_mut(&mut self.reports, publisher, sequence).ok_or("a report that was not sent")?;
        let id_hash = hash(&delivery.app_id, &delivery.id);
        match entry.id_hash {
            None if !self.id_hashes.insert(id_hash) => return Err("two reports with one id"),
            None => entry.id_hash = Some(id_hash),
            Some(previous) if previous != id_hash => return Err("one report with two ids"),
            Some(_) => {}
        }
        let stage = self.stages.get_mut(entry.stage).ok_or("a report before the first stage")?;
        if !mark_received(self.received.get_mut(subscriber), publisher, sequence) {
            stage.counts.doubled += 1;
            return Ok(());
        }
        entry.receivers += 1;
        if entry.state == AckState::Rejected {
            return Err("a rejected report was delivered");
        }
        if entry.receivers == audience {
            stage.to_last.record(at.saturating_duration_since(entry.sent));
            if entry.state == AckState::Acknowledged {
                stage.carry(at);
                self.open -= 1;
            }
        }
        Ok(())
    }

    /// Records how long after its sending a report was found in history.
    pub(crate) fn find_in_history(&mut self, latency: Duration) {
        if let Some(stage) = self.stages.last_mut() {
            stage.to_history.record(latency);
        }
    }

    /// Records a failure.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failures.add(failure);
    }

    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Number of received reports that are not of this run.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Number of reports that are neither rejected nor carried yet.
    pub(crate) fn open(&self) -> u64 {
        self.open
    }

    /// The publisher's last acknowledged report.
    pub(crate) fn last_acknowledged(&self, publisher: usize) -> Option<AcknowledgedReport> {
        self.last_acknowledged.get(&publisher).copied()
    }

    /// The stages, with the reports that are unanswered or lost by now.
    pub(crate) fn stages(&self) -> Vec<StageLog> {
        let mut stages = self.stages.clone();
        for (publisher, reports) in self.reports.iter().enumerate() {
            let audience = self.plan.audience(publisher);
            for entry in reports {
                let Some(stage) = stages.get_mut(entry.stage) else { continue };
                match entry.state {
                    AckState::Unanswered => stage.counts.unanswered += 1,
                    AckState::Acknowledged => stage.counts.lost += u64::from(audience - entry.receivers),
                    AckState::Rejected => {}
                }
            }
        }
        stages
    }

    /// The progress of the current stage.
    pub(crate) fn progress(&self) -> StageProgress {
        let progress = |stage: &StageLog| StageProgress { sent: stage.counts.sent, carried: stage.carried };
        self.stages.last().map(progress).unwrap_or_default()
    }
}

fn entry_mut(reports: &mut [Vec<Entry>], publisher: usize, sequence: u64) -> Option<&mut Entry> {
    reports.get_mut(publisher)?.get_mut(usize::try_from(sequence).ok()?)
}

/// Marks a report as received; false if it was received before.
fn mark_received(received: Option<&mut HashMap<usize, Vec<bool>>>, publisher: usize, sequence: u64) -> bool {
    let (Some(received), Ok(sequence)) = (received, usize::try_from(sequence)) else { return false };
    let received = received.entry(publisher).or_default();
    if received.len() <= sequence {
        received.resize(sequence + 1, false);
    }
    received.get_mut(sequence).is_some_and(|mark| !std::mem::replace(mark, true))
}

fn hash(app_id: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (app_id, id).hash(&mut hasher);
    hasher.finish()
}
