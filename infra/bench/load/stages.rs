//! A run from beginning to end: connect, warm up, measure in one or several stages, close, summarise.

use crate::args::Args;
use crate::connections::Connections;
use crate::delivery_log::StageProgress;
use crate::history_probe::HistoryProbe;
use crate::load::{Load, Pace};
use crate::plan::Plan;
use crate::ramp::Ramp;
use crate::results::{Knee, RunResults, StageResults};
use crate::run::Run;
use crate::target::Target;
use anyhow::ensure;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::progress::Progress;
use nsl_client::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Interval at which it is checked whether everything has arrived.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Interval at which the progress is drawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// Longest wait for the reports of a stage, even if some still arrive.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);

/// Time after the last delivery in which a repeated one is still noticed.
const LINGER: Duration = Duration::from_millis(500);

/// Runs what the arguments describe.
pub(crate) async fn run(args: &Args, settings: &Settings, console: &Console) -> anyhow::Result<RunResults> {
    ensure!(!args.too_many_connections(), "more than 10000 connections requested");
    let target = Target::resolve(args, settings)?;
    let plan = Plan::spread(args.publishers, args.subscribers, target.apps.len());
    let timeout = Duration::from_secs(u64::from(args.timeout));
    let name = format!("{:x}.{:x}", clock::now().ms(), std::process::id());
    let run = Arc::new(Run::new(plan.clone(), &target, &name, timeout));
    let connections = Connections::open(Arc::clone(&run), &plan, &target).await?;
    let probe = HistoryProbe::new(&target, Duration::from_secs(u64::from(args.history_every)), timeout)?;
    let mut stages = Stages { args, run: Arc::clone(&run), connections, console };
    let sampling = async {
        match &probe {
            Some(probe) => probe.sample(&run, &plan, &target.apps).await,
            None => std::future::pending().await,
        }
    };
    let measured = tokio::select! {
        outcome = stages.run() => outcome?,
        () = sampling => anyhow::bail!("the history probe ended before the run"),
    };
    stages.connections.close().await;
    let results = RunResults::of(args, &target, &run.log(), measured.stages, measured.knee);
    Ok(results)
}

/// The results of a run's stages.
struct Measured {
    stages: Vec<StageResults>,
    /// Of a ramp.
    knee: Option<Knee>,
}

/// How the wait for the reports of a stage ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Every report was carried or rejected.
    Complete,
    /// Some reports were still open.
    TimedOut,
}

struct Stages<'a> {
    args: &'a Args,
    run: Arc<Run>,
    connections: Connections,
    console: &'a Console,
}

impl Stages<'_> {
    async fn run(&mut self) -> anyhow::Result<Measured> {
        let pace = Pace::of(self.args);
        if self.args.warm_up > 0 {
            self.stage("warm-up", Load::warm_up(self.args, pace, Instant::now())).await?;
        }
        match pace {
            Pace::Rate(rate) if self.args.ramp => self.ramp(rate).await,
            Pace::Rate(_) | Pace::AsAnswered { .. } => {
                let load = Load::measured(self.args, pace, Instant::now());
                self.stage("measuring", load).await?;
                sleep(LINGER).await;
                Ok(Measured { stages: self.results(&load).into_iter().collect(), knee: None })
            }
        }
    }

    async fn ramp(&mut self, rate: f64) -> anyhow::Result<Measured> {
        let mut ramp = Ramp::from_rate(rate, f64::from(self.args.p99_limit));
        let mut stages = Vec::new();
        let mut failures_before = self.run.log().failures().total();
        loop {
            let load = Load::measured(self.args, Pace::Rate(ramp.rate()), Instant::now());
            let settled = self.stage(&format!("{:.0}/s", ramp.rate()), load).await?;
            sleep(LINGER).await;
            let failures = self.run.log().failures().total();
            let Some(results) = self.results(&load) else { break };
            let step = results.step(ramp.rate(), failures - failures_before);
            failures_before = failures;
            stages.push(results);
            // Reports that are still open would count against the next step.
            if !ramp.next(&step) || settled == Settled::TimedOut {
                break;
            }
        }
        let knee = Knee { held_per_second: ramp.held(), p99_limit_ms: self.args.p99_limit };
        Ok(Measured { stages, knee: Some(knee) })
    }

    /// Runs one stage and waits for its reports.
    async fn stage(&mut self, name: &str, load: Load) -> anyhow::Result<Settled> {
        self.run.log().begin_stage(load.began);
        let run = Arc::clone(&self.run);
        let drawing = draw_progress(self.console, name, &self.run, load);
        let work = async {
            self.connections.publish(load).await?;
            Ok(settle(&run).await)
        };
        tokio::select! {
            outcome = work => outcome,
            () = drawing => Ok(Settled::TimedOut),
        }
    }

    /// The results of the last stage.
    fn results(&self, load: &Load) -> Option<StageResults> {
        let stages = self.run.log().stages();
        let by_count = load.reports.is_some();
        stages.last().map(|stage| StageResults::of(stage, load.pace, load.duration, by_count))
    }
}

/// Draws the progress of a stage until it is dropped.
async fn draw_progress(console: &Console, name: &str, run: &Run, load: Load) {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let progress = Progress::start(console, name, load.reports.unwrap_or(millis(load.duration)));
    loop {
        let StageProgress { sent, carried } = run.log().progress();
        let failures = run.log().failures().total();
        let elapsed = Instant::now().saturating_duration_since(load.began);
        let done = if load.reports.is_some() { sent } else { millis(elapsed) };
        progress.set(
            done,
            &format!("{} s, {sent} sent, {carried} carried, {failures} failures", elapsed.as_secs()),
        );
        sleep(REDRAW_INTERVAL).await;
    }
}

/// Waits until every report is carried or rejected, nothing arrives for the run's timeout, or the limit is reached.
async fn settle(run: &Run) -> Settled {
    let mut open = run.log().open();
    let limit = Instant::now() + SETTLE_LIMIT;
    let mut progressed_at = Instant::now();
    while open > 0 {
        sleep(POLL_INTERVAL).await;
        let open_before = std::mem::replace(&mut open, run.log().open());
        if open < open_before {
            progressed_at = Instant::now();
        }
        if progressed_at.elapsed() >= run.timeout || Instant::now() >= limit {
            return Settled::TimedOut;
        }
    }
    Settled::Complete
}
