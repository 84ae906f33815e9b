//! Frames for others than the one who speaks: log entries to viewers, commands to publishers.
//!
//! Owns concurrency and patience, as ingest's fan-out does: one connection that is slow or gone delays nobody else.

use std::time::Duration;

use nsl_aws::audience::Subscribers;
use nsl_aws::fault::Fault;
use nsl_domain::ids::AppId;
use nsl_domain::time::TimestampMs;

use crate::handler::Session;

/// Longest time that one invocation spends on others, below the function's timeout of 10 s.
const RELAY_PATIENCE: Duration = Duration::from_secs(6);

impl Session {
    /// Posts `frames` to everyone who watches `app`, and parts from those who may no longer.
    pub(crate) async fn tell_viewers(
        &self,
        app: &AppId,
        frames: &[String],
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let Subscribers { active, expired } = self.audience.of_app(app, &self.app_cache, now).await?;
        let posts = self.fan_out.to_subscribers(app, &active, |_| frames, &self.counters);
        within_patience(async { futures_util::join!(posts, self.audience.expire(app, &expired)) }).await;
        Ok(())
    }

    /// Posts `frame` to everyone who may report for `app`.
    pub(crate) async fn tell_publishers(
        &self,
        app: &AppId,
        frame: String,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let publishers = self.publishers.of_app(app, now).await?;
        within_patience(self.fan_out.to_publishers(app, &publishers, &frame, &self.counters)).await;
        Ok(())
    }
}

async fn within_patience<T>(posts: impl Future<Output = T>) {
    if tokio::time::timeout(RELAY_PATIENCE, posts).await.is_err() {
        tracing::error!("fan-out cut short");
    }
}
