//! A publisher, which sends reports in every stage.
//!
//! At a fixed rate, latency is measured from when a report was due, not from when it was sent. Otherwise a slow service
//! would delay the reports that measure it ("coordinated omission").

use crate::failure::Failure;
use crate::listener::{Listener, Role, connect};
use crate::load::{Load, Pace};
use crate::reports::ReportRange;
use crate::run::Run;
use crate::target::App;
use nsl_bench::Documents;
use nsl_client::clock;
use nsl_client::frame::{ClientFrame, Report, Reports};
use nsl_client::socket::{Sender, SocketError};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout_at};

/// One publisher. Its sequence numbers continue from stage to stage.
#[derive(Debug)]
pub(crate) struct Publisher {
    run: Arc<Run>,
    index: usize,
    app_id: String,
    source: String,
    documents: Documents,
    sender: Sender,
    /// One permit per reply; closed once the connection has ended.
    replies: Arc<Semaphore>,
}

impl Publisher {
    /// Opens publisher number `index` of an app.
    pub(crate) async fn open(run: Arc<Run>, index: usize, ws: &str, app: &App) -> Result<Self, Failure> {
        let documents = Documents::new(index).map_err(|error| Failure::wrong(error.to_string()))?;
        let (sender, receiver) = connect(ws, app).await?;
        let replies = Arc::new(Semaphore::new(0));
        let role = Role::Publisher { index, replies: Arc::clone(&replies) };
        tokio::spawn(Listener { run: Arc::clone(&run), role }.listen(receiver));
        let source = run.source(index);
        Ok(Self { run, index, app_id: app.app_id.clone(), source, documents, sender, replies })
    }

    /// Sends this publisher's reports of one stage, or fewer if the connection ends.
    pub(crate) async fn publish(&mut self, load: Load) -> anyhow::Result<()> {
        let mut left = load.allowance(self.index);
        let mut turns = self.turns(&load);
        while left > 0 && !self.replies.is_closed() {
            let Some(due) = turns.next(load.deadline(), &self.run).await else { break };
            let count = load.batch.min(left);
            left -= count;
            if !self.send(count, due).await? {
                break;
            }
        }
        Ok(())
    }

    /// Closes the connection.
    pub(crate) async fn close(&mut self) {
        self.sender.close().await;
    }

    fn turns(&self, load: &Load) -> Turns {
        // Late replies of the previous stage do not count in this one.
        self.replies.forget_permits(self.replies.available_permits());
        match load.pace {
            Pace::Rate(rate) => {
                let schedule = load.schedule(self.index, rate);
                let mut ticks = interval_at(schedule.first, schedule.period);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                Turns::Ticks(ticks)
            }
            Pace::AsAnswered { in_flight } => Turns::Replies(Arc::clone(&self.replies), in_flight),
        }
    }

    /// Sends one frame; false if the connection has ended.
    async fn send(&mut self, count: u64, due: Instant) -> anyhow::Result<bool> {
        let range = self.run.log().send(self.index, count, due);
        let text = self.frame(range)?;
        let error = match self.sender.send(text, self.run.timeout).await {
            Ok(()) => return Ok(true),
            // The listener records why.
            Err(SocketError::Closed(_)) => return Ok(false),
            Err(error) => error,
        };
        if !self.replies.is_closed() {
            self.run.log().fail(error.into());
        }
        Ok(false)
    }

    fn frame(&mut self, range: ReportRange) -> anyhow::Result<String> {
        let now = clock::now();
        let mut documents: Vec<Box<RawValue>> = Vec::new();
        for sequence in range.first..range.first + range.count {
            documents.push(to_raw_value(self.documents.of(sequence))?);
        }
        let mut reports = Vec::new();
        for (offset_ms, metrics) in (0..).zip(&documents) {
            // A millisecond apart, so that no two reports of a batch have the same timestamp.
            let timestamp = now.plus_ms(offset_ms);
            reports.push(Report { app_id: &self.app_id, metrics, timestamp, source: &self.source });
        }
        let data = if reports.len() == 1 { reports.pop().map(Reports::One) } else { None };
        let data = data.unwrap_or(Reports::Batch(reports));
        Ok(serde_json::to_string(&ClientFrame::Metrics { id: Some(range.id()), data })?)
    }
}

/// When the next frame may be sent.
#[derive(Debug)]
enum Turns {
    /// At fixed times; missed turns follow at once.
    Ticks(Interval),
    /// After each reply, except for so many first frames.
    Replies(Arc<Semaphore>, u32),
}

impl Turns {
    /// Waits for the next turn and returns when it was due; `None` at the deadline, or if no reply arrives.
    async fn next(&mut self, deadline: Instant, run: &Run) -> Option<Instant> {
        match self {
            Self::Ticks(ticks) => {
                let due = timeout_at(deadline, ticks.tick()).await.ok()?;
                (due < deadline).then_some(due)
            }
            Self::Replies(_, free) if *free > 0 => {
                *free -= 1;
                Some(Instant::now())
            }
            Self::Replies(replies, _) => {
                let limit = deadline.min(Instant::now() + run.timeout);
                match timeout_at(limit, replies.acquire()).await {
                    Ok(Ok(permit)) => permit.forget(),
                    Ok(Err(_connection_ended)) => return None,
                    Err(_) if limit < deadline => {
                        run.log().fail(Failure::timed_out("acknowledgement", run.timeout));
                        return None;
                    }
                    Err(_) => return None,
                }
                let now = Instant::now();
                (now < deadline).then_some(now)
            }
        }
    }
}
