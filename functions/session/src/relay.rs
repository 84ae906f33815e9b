//! Frames for others than the one who speaks: log entries to viewers, commands to publishers.
//!
//! Owns concurrency and patience, as ingest's fan-out does: one connection that is slow or gone delays nobody else.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use nsl_aws::audience::Subscribers;
use nsl_aws::connections_api::PostOutcome;
use nsl_aws::counters::Counter;
use nsl_aws::fault::Fault;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::handler::Session;

/// Connections that are posted to at a time.
const CONCURRENT_POSTS: usize = 64;

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
        let posts = stream::iter(&active).for_each_concurrent(CONCURRENT_POSTS, |viewer| async {
            if self.reach(&viewer.connection, frames).await == PostOutcome::Gone {
                note_left_over(self.subscriptions.drop_row(app, &viewer.connection).await);
            }
        });
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
        let frames = [frame];
        let posts = stream::iter(&publishers).for_each_concurrent(CONCURRENT_POSTS, |connection| async {
            if self.reach(connection, &frames).await == PostOutcome::Gone {
                note_left_over(self.publishers.drop_row(app, connection).await);
            }
        });
        within_patience(posts).await;
        Ok(())
    }

    /// Posts `frames` to one connection as long as they arrive, and tells whether it is still there.
    async fn reach(&self, connection: &ConnectionId, frames: &[String]) -> PostOutcome {
        for frame in frames {
            match self.connections_api.post_with_timeout(connection, frame).await {
                Ok(PostOutcome::Delivered) => {}
                Ok(PostOutcome::Gone) => {
                    self.counters.add(Counter::GonePosts, 1);
                    return PostOutcome::Gone;
                }
                Err(undelivered) => {
                    undelivered.log(connection);
                    self.counters.add(Counter::UndeliveredPosts, 1);
                    break;
                }
            }
        }
        PostOutcome::Delivered
    }
}

async fn within_patience<T>(posts: impl Future<Output = T>) {
    if tokio::time::timeout(RELAY_PATIENCE, posts).await.is_err() {
        tracing::error!("telling others was cut short");
    }
}

fn note_left_over(dropped: Result<(), Fault>) {
    if let Err(fault) = dropped {
        tracing::warn!(reason = fault.chain(), "the row of a connection that is gone was not dropped");
    }
}
