//! The progress bar: on stderr, and only where a person watches it.

use crate::fleet::Run;
use crate::load::Load;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time between two looks at the run.
const REFRESH: Duration = Duration::from_millis(200);

/// How the bar looks: stage, time, bar, and what happened in the stage so far.
const LOOKS: &str = "{prefix:<10} {elapsed:>4} [{bar:20}] {msg}";

/// The bar of one stage. Ends with its value.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for a stage called `name`; invisible unless `is_watched`.
    pub(crate) fn of_stage(name: &str, load: &Load, is_watched: bool) -> Self {
        let millis = u64::try_from(load.duration.as_millis()).unwrap_or(u64::MAX);
        let bar =
            if is_watched { ProgressBar::new(load.reports.unwrap_or(millis)) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(LOOKS) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self { bar }
    }

    /// Shows the stage's progress until it is dropped.
    pub(crate) async fn show(&self, run: &Arc<Run>, load: &Load) {
        loop {
            let (sent, carried) = run.book().so_far();
            let troubles = run.book().troubles().count();
            let elapsed = Instant::now().saturating_duration_since(load.began);
            let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.bar.set_position(if load.reports.is_some() { sent } else { millis });
            self.bar.set_message(format!("sent {sent}, carried {carried}, troubles {troubles}"));
            sleep(REFRESH).await;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
