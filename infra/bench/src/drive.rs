//! One run from beginning to end: open, warm up, measure, settle, close, account.

use crate::args::Args;
use crate::clock::epoch_ms;
use crate::console::Console;
use crate::figures::{Knee, RunFigures, StageFigures};
use crate::fleet::{Fleet, Run};
use crate::history::Probe;
use crate::load::{Load, Pace};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::ramp::Ramp;
use crate::settings::Settings;
use crate::target::Target;
use anyhow::ensure;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time between two looks at whether everything has arrived.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Longest wait for what a stage sent, even where it still trickles in.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);

/// Time after the last delivery in which a double may still come.
const LINGER: Duration = Duration::from_millis(500);

/// Runs what the arguments ask for.
pub(crate) async fn run(args: &Args, settings: &Settings, console: &Console) -> anyhow::Result<RunFigures> {
    ensure!(!args.too_many_connections(), "more than 10000 connections are asked for");
    let target = Target::resolve(args, settings)?;
    let plan = Plan::spread(args.publishers, args.subscribers, target.apps.len());
    let patience = Duration::from_secs(u64::from(args.patience));
    let name = format!("{:x}.{:x}", epoch_ms(), std::process::id());
    let run = Arc::new(Run::new(plan.clone(), &target, &name, patience));
    let fleet = Fleet::open(Arc::clone(&run), &plan, &target).await?;
    let probe = Probe::of(&target, Duration::from_secs(u64::from(args.history_every)), patience)?;
    let mut session = Session { args, run: Arc::clone(&run), fleet, is_watched: console.is_watched() };
    let sampling = async {
        match &probe {
            Some(probe) => probe.sample(&run, &plan, &target.apps).await,
            None => std::future::pending().await,
        }
    };
    let (stages, knee) = tokio::select! {
        outcome = session.stages() => outcome?,
        () = sampling => anyhow::bail!("the probe of history ended before the run"),
    };
    session.fleet.close().await;
    let figures = RunFigures::of(args, &target, &run.book(), stages, knee);
    Ok(figures)
}

struct Session<'a> {
    args: &'a Args,
    run: Arc<Run>,
    fleet: Fleet,
    is_watched: bool,
}

impl Session<'_> {
    async fn stages(&mut self) -> anyhow::Result<(Vec<StageFigures>, Option<Knee>)> {
        let pace = Pace::of(self.args);
        if self.args.warm_up > 0 {
            self.stage("warm-up", Load::warm_up(self.args, pace, Instant::now())).await?;
        }
        let outcome = match pace {
            Pace::Rate(rate) if self.args.ramp => self.ramp(rate).await?,
            _ => {
                let load = Load::measured(self.args, pace, Instant::now());
                self.stage("measuring", load).await?;
                sleep(LINGER).await;
                (self.figures(&load).into_iter().collect(), None)
            }
        };
        Ok(outcome)
    }

    async fn ramp(&mut self, rate: f64) -> anyhow::Result<(Vec<StageFigures>, Option<Knee>)> {
        let mut ramp = Ramp::from_rate(rate, f64::from(self.args.p99_limit));
        let mut stages = Vec::new();
        let mut troubles_before = self.run.book().troubles().count();
        loop {
            let load = Load::measured(self.args, Pace::Rate(ramp.rate()), Instant::now());
            let has_settled = self.stage(&format!("{:.0}/s", ramp.rate()), load).await?;
            sleep(LINGER).await;
            let troubles = self.run.book().troubles().count();
            let Some(figures) = self.figures(&load) else { break };
            let step = figures.step(ramp.rate(), troubles - troubles_before);
            troubles_before = troubles;
            stages.push(figures);
            // What a step left behind would be counted against the next one.
            if !ramp.take(&step) || !has_settled {
                break;
            }
        }
        let knee = Knee { held_per_second: ramp.held(), p99_limit_ms: self.args.p99_limit };
        Ok((stages, Some(knee)))
    }

    /// Runs one stage and waits for what it sent; false where some of it did not arrive.
    async fn stage(&mut self, name: &str, load: Load) -> anyhow::Result<bool> {
        self.run.book().begin_stage(self.run.clock.at(load.began));
        let progress = Progress::of_stage(name, &load, self.is_watched);
        let run = Arc::clone(&self.run);
        let work = async {
            self.fleet.publish(load).await?;
            Ok(settle(&run).await)
        };
        tokio::select! {
            outcome = work => outcome,
            () = progress.show(&self.run, &load) => Ok(false),
        }
    }

    /// The figures of the last stage.
    fn figures(&self, load: &Load) -> Option<StageFigures> {
        let stages = self.run.book().stages();
        let by_count = load.reports.is_some();
        stages.last().map(|stage| StageFigures::of(stage, load.pace, load.duration, by_count))
    }
}

/// Waits until every report is carried or refused; false where patience ran out without any progress, or the limit.
async fn settle(run: &Run) -> bool {
    let mut open = run.book().open();
    let limit = Instant::now() + SETTLE_LIMIT;
    let mut progressed_at = Instant::now();
    while open > 0 {
        sleep(LOOK_AGAIN).await;
        let open_before = std::mem::replace(&mut open, run.book().open());
        if open < open_before {
            progressed_at = Instant::now();
        }
        if progressed_at.elapsed() >= run.patience || Instant::now() >= limit {
            return false;
        }
    }
    true
}
