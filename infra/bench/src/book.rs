//! The account of a run: what was sent, what was acknowledged, who received what, and how long it took.
//!
//! Pure: it is told what happened and when. A report is *carried* once it is acknowledged and has reached every
//! subscriber of its application. An acknowledged report that a subscriber did not get is a loss, one that a
//! subscriber got again is a double. Figures are kept by stage; a report belongs to the stage it was sent in.

mod stage;
#[cfg(test)]
mod tests;

pub(crate) use stage::{StageBook, Times};

use crate::clock::RunTime;
use crate::plan::Plan;
use crate::trouble::{Trouble, Troubles};
use crate::wire::{Live, Span};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What became of a report at its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unanswered,
    Acknowledged,
    Rejected,
}

#[derive(Debug, Clone)]
struct Entry {
    stage: usize,
    sent: RunTime,
    fate: Fate,
    receivers: u32,
    /// Hash of the name that subscribers were given for it.
    name: Option<u64>,
}

/// The account of one run.
#[derive(Debug)]
pub(crate) struct Book {
    plan: Plan,
    app_ids: Vec<String>,
    /// What the sources of this run begin with; a publisher's number follows.
    source_prefix: String,
    /// By publisher, then by sequence number.
    reports: Vec<Vec<Entry>>,
    /// By subscriber and publisher: which sequence numbers arrived.
    seen: Vec<HashMap<usize, Vec<bool>>>,
    names: HashSet<u64>,
    stages: Vec<StageBook>,
    last_acknowledged: HashMap<usize, (u64, RunTime)>,
    /// Reports whose story is not over.
    open: u64,
    /// Live reports of somebody else.
    foreign: u64,
    troubles: Troubles,
}

impl Book {
    /// An empty account. Publishers report as `source_prefix` and their number.
    pub(crate) fn new(plan: Plan, app_ids: Vec<String>, source_prefix: String) -> Self {
        Self {
            reports: vec![Vec::new(); plan.publishers.len()],
            seen: vec![HashMap::new(); plan.subscribers.len()],
            plan,
            app_ids,
            source_prefix,
            names: HashSet::new(),
            stages: Vec::new(),
            last_acknowledged: HashMap::new(),
            open: 0,
            foreign: 0,
            troubles: Troubles::default(),
        }
    }

    /// Begins a stage: what is sent from here on is counted there.
    pub(crate) fn begin_stage(&mut self, at: RunTime) {
        self.stages.push(StageBook::begun(at));
    }

    /// Notes reports of `publisher` that are about to be sent, due `at`, and numbers them.
    pub(crate) fn send(&mut self, publisher: usize, count: u64, at: RunTime) -> Span {
        let stage = self.stages.len().saturating_sub(1);
        let entry = Entry { stage, sent: at, fate: Fate::Unanswered, receivers: 0, name: None };
        let Some(reports) = self.reports.get_mut(publisher) else { return Span { first: 0, count: 0 } };
        let first = reports.len() as u64;
        reports.extend(std::iter::repeat_n(entry, count as usize));
        self.open += count;
        if let Some(stage) = self.stages.get_mut(stage) {
            stage.sent += count;
        }
        Span { first, count }
    }

    /// Notes that the frame with `span` was acknowledged, but for the reports at these places in it.
    pub(crate) fn acknowledge(
        &mut self,
        publisher: usize,
        span: Span,
        rejected: &[(u64, String)],
        at: RunTime,
    ) {
        for (_, code) in rejected {
            self.trouble(Trouble::Refused(format!("a report with {code}")));
        }
        for index in 0..span.count {
            let is_rejected = rejected.iter().any(|(place, _)| *place == index);
            let fate = if is_rejected { Fate::Rejected } else { Fate::Acknowledged };
            self.judge(publisher, span.first + index, fate, at);
        }
    }

    /// Notes that a frame was rejected with `code`, as a whole where its `span` is known.
    pub(crate) fn reject(&mut self, publisher: usize, span: Option<Span>, code: &str, at: RunTime) {
        self.trouble(Trouble::Refused(format!("a frame with {code}")));
        let Some(span) = span else { return };
        for index in 0..span.count {
            self.judge(publisher, span.first + index, Fate::Rejected, at);
        }
    }

    fn judge(&mut self, publisher: usize, sequence: u64, fate: Fate, at: RunTime) {
        let audience = self.plan.audience(publisher);
        let Some(entry) = entry_mut(&mut self.reports, publisher, sequence) else {
            return self.trouble(Trouble::Wrong("an answer about a report that was never sent".to_owned()));
        };
        if entry.fate != Fate::Unanswered {
            return self.trouble(Trouble::Wrong("two answers about one report".to_owned()));
        }
        entry.fate = fate;
        let (sent, received_by_all) = (entry.sent, entry.receivers == audience);
        let was_delivered = entry.receivers > 0;
        let Some(stage) = self.stages.get_mut(entry.stage) else { return };
        if fate == Fate::Rejected {
            stage.rejected += 1;
            self.open -= 1;
            if was_delivered {
                self.trouble(Trouble::Wrong("a refused report was delivered".to_owned()));
            }
            return;
        }
        stage.acknowledge(at.micros_since(sent));
        self.last_acknowledged.insert(publisher, (sequence, sent));
        if received_by_all {
            stage.carry(at);
            self.open -= 1;
        }
    }

    /// Notes that `subscriber` received a live report.
    pub(crate) fn receive(&mut self, subscriber: usize, live: &Live, at: RunTime) {
        let Some(publisher) = live.source.strip_prefix(&self.source_prefix) else {
            self.foreign += 1;
            return;
        };
        if let Err(wrong) = self.try_receive(subscriber, publisher, live, at) {
            self.trouble(Trouble::Wrong(wrong.to_owned()));
        }
    }

    fn try_receive(
        &mut self,
        subscriber: usize,
        publisher: &str,
        live: &Live,
        at: RunTime,
    ) -> Result<(), &'static str> {
        let publisher: usize = publisher.parse().map_err(|_| "a report of a source that does not exist")?;
        let sequence = live.sequence.ok_or("a report without its number")?;
        let app = self.plan.subscribers.get(subscriber);
        if app != self.plan.publishers.get(publisher)
            || app.and_then(|app| self.app_ids.get(*app)) != Some(&live.app_id)
        {
            return Err("a report of an application that was not subscribed to");
        }
        let audience = self.plan.audience(publisher);
        let entry =
            entry_mut(&mut self.reports, publisher, sequence).ok_or("a report that was never sent")?;
        let name = hash(&live.app_id, &live.id);
        match entry.name {
            None if !self.names.insert(name) => return Err("two reports under one id"),
            None => entry.name = Some(name),
            Some(known) if known != name => return Err("one report under two ids"),
            Some(_) => {}
        }
        let stage = self.stages.get_mut(entry.stage).ok_or("a report before the first stage")?;
        if !mark(self.seen.get_mut(subscriber), publisher, sequence) {
            stage.doubled += 1;
            return Ok(());
        }
        entry.receivers += 1;
        if entry.fate == Fate::Rejected {
            return Err("a refused report was delivered");
        }
        if entry.receivers == audience {
            stage.reach_last(at.micros_since(entry.sent));
            if entry.fate == Fate::Acknowledged {
                stage.carry(at);
                self.open -= 1;
            }
        }
        Ok(())
    }

    /// Notes how long after its sending a report was found in history.
    pub(crate) fn find_in_history(&mut self, micros: u64) {
        if let Some(stage) = self.stages.last_mut() {
            stage.find_in_history(micros);
        }
    }

    /// Notes a trouble.
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.troubles.add(trouble);
    }

    /// The troubles so far.
    pub(crate) fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// Live reports that were somebody else's.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Reports that are neither refused nor carried yet.
    pub(crate) fn open(&self) -> u64 {
        self.open
    }

    /// The last acknowledged report of `publisher`: its number, and when it was sent.
    pub(crate) fn last_acknowledged(&self, publisher: usize) -> Option<(u64, RunTime)> {
        self.last_acknowledged.get(&publisher).copied()
    }

    /// The stages, each with its losses as of this moment.
    pub(crate) fn stages(&self) -> Vec<StageBook> {
        let mut stages = self.stages.clone();
        for (publisher, reports) in self.reports.iter().enumerate() {
            let audience = self.plan.audience(publisher);
            for entry in reports {
                let Some(stage) = stages.get_mut(entry.stage) else { continue };
                match entry.fate {
                    Fate::Unanswered => stage.unanswered += 1,
                    Fate::Acknowledged => stage.lost += u64::from(audience - entry.receivers),
                    Fate::Rejected => {}
                }
            }
        }
        stages
    }

    /// Reports sent and carried in the present stage.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        self.stages.last().map_or((0, 0), |stage| (stage.sent, stage.carried))
    }
}

fn entry_mut(reports: &mut [Vec<Entry>], publisher: usize, sequence: u64) -> Option<&mut Entry> {
    reports.get_mut(publisher)?.get_mut(usize::try_from(sequence).ok()?)
}

/// Marks a report as seen by a subscriber; false where it was already.
fn mark(seen: Option<&mut HashMap<usize, Vec<bool>>>, publisher: usize, sequence: u64) -> bool {
    let (Some(seen), Ok(sequence)) = (seen, usize::try_from(sequence)) else { return false };
    let seen = seen.entry(publisher).or_default();
    if seen.len() <= sequence {
        seen.resize(sequence + 1, false);
    }
    seen.get_mut(sequence).is_some_and(|mark| !std::mem::replace(mark, true))
}

fn hash(app_id: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (app_id, id).hash(&mut hasher);
    hasher.finish()
}
