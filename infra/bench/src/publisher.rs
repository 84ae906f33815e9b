//! A publisher: dials, and sends reports stage by stage.
//!
//! At a rate, a report counts as sent when it was due, not when the network took it: what waits is not hidden
//! (Tene's "coordinated omission").

use crate::clock::{RunTime, epoch_ms};
use crate::connection::{Ear, Mouth, Role, dial};
use crate::document::Documents;
use crate::fleet::Run;
use crate::load::{Load, Pace};
use crate::target::App;
use crate::trouble::{Trouble, words};
use crate::wire::{metrics_frame, report};
use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message};

/// One publisher with its connection. Its documents go on from stage to stage.
#[derive(Debug)]
pub(crate) struct Publisher {
    run: Arc<Run>,
    index: usize,
    app_id: String,
    source: String,
    documents: Documents,
    mouth: Mouth,
    /// One permit for each answer that came in.
    answers: Arc<Semaphore>,
    is_gone: Arc<AtomicBool>,
}

impl Publisher {
    /// Opens publisher number `index` of an application.
    pub(crate) async fn open(run: Arc<Run>, index: usize, ws: &str, app: &App) -> Result<Self, Trouble> {
        let documents =
            Documents::new(index).map_err(|fault| Trouble::Wrong(words(&format!("{fault:#}"))))?;
        let (mouth, stream) = dial(ws, app).await?.split();
        let (answers, is_gone) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(false)));
        let role = Role::Publisher { index, answers: Arc::clone(&answers) };
        tokio::spawn(Ear { run: Arc::clone(&run), role, is_gone: Arc::clone(&is_gone) }.listen(stream));
        let source = run.source(index);
        Ok(Self { run, index, app_id: app.app_id.clone(), source, documents, mouth, answers, is_gone })
    }

    /// Sends what falls to this publisher in one stage. Returns at its end, or once the connection is of no use.
    pub(crate) async fn publish(&mut self, load: Load) -> anyhow::Result<()> {
        let mut left = load.allowance(self.index);
        let mut turns = self.turns(&load);
        while left > 0 && !self.is_gone.load(Ordering::Relaxed) {
            let Some(due) = turns.next(load.deadline(), &self.run).await else { break };
            let count = load.batch.min(left);
            left -= count;
            if !self.send(count, self.run.clock.at(due)).await? {
                break;
            }
        }
        Ok(())
    }

    /// What this publisher speaks through, to say goodbye.
    pub(crate) fn mouth(&mut self) -> &mut Mouth {
        &mut self.mouth
    }

    fn turns(&self, load: &Load) -> Turns {
        // Answers that came after the stage before are no leave to send in this one.
        self.answers.forget_permits(self.answers.available_permits());
        match load.pace {
            Pace::Rate(rate) => {
                let (first, between) = load.beat(self.index, rate);
                let mut beat = interval_at(first, between);
                beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
                Turns::Beat(beat)
            }
            Pace::AsAnswered { in_flight } => Turns::Answers(Arc::clone(&self.answers), in_flight),
        }
    }

    /// Sends one frame; false where the connection did not take it.
    async fn send(&mut self, count: u64, due: RunTime) -> anyhow::Result<bool> {
        let timestamp = epoch_ms();
        let span = self.run.book().send(self.index, count, due);
        let mut reports = Vec::new();
        for index in 0..span.count {
            let document = self.documents.of(span.first + index);
            // Milliseconds apart, so that no two reports of a batch have one time.
            let rendered = report(&self.app_id, &self.source, timestamp + index, document);
            reports.push(rendered.context("cannot render a report")?);
        }
        let frame = Message::text(metrics_frame(span, &reports));
        let trouble = match timeout(self.run.patience, self.mouth.send(frame)).await {
            Ok(Ok(())) => return Ok(true),
            // The ear tells why.
            Ok(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => {
                return Ok(false);
            }
            Ok(Err(error)) => Trouble::of_break(&error),
            Err(_) => Trouble::no_answer("room for a frame", self.run.patience),
        };
        if !self.is_gone.load(Ordering::Relaxed) {
            self.run.book().trouble(trouble);
        }
        Ok(false)
    }
}

/// When the next frame may be sent.
#[derive(Debug)]
enum Turns {
    /// At fixed times, all made up for when late.
    Beat(Interval),
    /// On each answer, after so many frames that need none.
    Answers(Arc<Semaphore>, u32),
}

impl Turns {
    /// Waits for the next turn and says when it was due; nothing at the deadline or where no answer comes.
    async fn next(&mut self, deadline: Instant, run: &Run) -> Option<Instant> {
        match self {
            Self::Beat(beat) => {
                let due = timeout_at(deadline, beat.tick()).await.ok()?;
                (due < deadline).then_some(due)
            }
            Self::Answers(_, unasked) if *unasked > 0 => {
                *unasked -= 1;
                Some(Instant::now())
            }
            Self::Answers(answers, _) => {
                let limit = deadline.min(Instant::now() + run.patience);
                match timeout_at(limit, answers.acquire()).await {
                    Ok(Ok(permit)) => permit.forget(),
                    Ok(Err(_connection_is_gone)) => return None,
                    Err(_) if limit < deadline => {
                        run.book().trouble(Trouble::no_answer("acknowledgement", run.patience));
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
