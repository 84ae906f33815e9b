//! Posts frames to the subscribers or the publishers of an app.
//!
//! The one place where a gone connection (HTTP 410) is handled: its row is deleted, so that later frames skip it.

use futures_util::{StreamExt, stream};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::connections_api::{ConnectionsApi, PostOutcome};
use crate::counters::{Counter, Counters};
use crate::deadline;
use crate::fault::Fault;
use crate::isolation::isolated;
use crate::publishers::{Publisher, Publishers};
use crate::subscriptions::{Subscriber, Subscriptions};

/// Connections that are posted to at a time, so that a slow one delays no other.
const CONCURRENT_POSTS: usize = 64;

/// Posts frames to many connections. Failures are counted and logged, never returned: a report is stored before it is
/// posted, and a subscriber that missed one gets it with its next replay.
#[derive(Debug, Clone)]
pub struct FanOut {
    pub(crate) connections_api: ConnectionsApi,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) publishers: Publishers,
}

/// What posting to a connection showed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionState {
    Gone,
    /// It got the frames, or a post failed for another reason.
    NotGone,
}

impl FanOut {
    /// Posts to each of `subscribers` of `app` the frames that `frames` returns for it, in order. One call per frame,
    /// and one write per connection that is gone.
    pub async fn to_subscribers<'s, F>(
        &self,
        app: &AppId,
        subscribers: &'s [Subscriber],
        frames: impl Fn(&'s Subscriber) -> F,
        counters: &Counters,
    ) where
        F: IntoIterator<Item = &'s String>,
    {
        let posts = stream::iter(subscribers).for_each_concurrent(CONCURRENT_POSTS, |subscriber| async {
            let connection = &subscriber.connection;
            if self.post(connection, || frames(subscriber), counters).await == ConnectionState::Gone {
                log_failure(connection, self.subscriptions.delete_gone(app, connection).await);
            }
        });
        posts.await;
        log_if_cut_short(app, subscribers.len());
    }

    /// Posts `frame` to each of `publishers` of `app` at `now`. One call, and one write for a connection that is gone.
    pub async fn to_publishers(
        &self,
        app: &AppId,
        publishers: &[Publisher],
        frame: &String,
        counters: &Counters,
        now: TimestampMs,
    ) {
        let posts = stream::iter(publishers).for_each_concurrent(CONCURRENT_POSTS, |publisher| async {
            let connection = &publisher.connection;
            if self.post(connection, || [frame], counters).await == ConnectionState::Gone {
                log_failure(connection, self.publishers.delete_gone(app, connection, now).await);
            }
        });
        posts.await;
        log_if_cut_short(app, publishers.len());
    }

    /// Posts the frames until one is not delivered. A panic costs the other connections nothing.
    async fn post<'f, F>(
        &self,
        connection: &ConnectionId,
        frames: impl FnOnce() -> F,
        counters: &Counters,
    ) -> ConnectionState
    where
        F: IntoIterator<Item = &'f String>,
    {
        let posts = async { self.post_each(connection, frames(), counters).await };
        isolated("post frames to a connection", posts).await.unwrap_or_else(|fault| {
            tracing::error!(%connection, reason = fault.chain(), "frames not posted");
            counters.add(Counter::UndeliveredPosts, 1);
            ConnectionState::NotGone
        })
    }

    async fn post_each<'f>(
        &self,
        connection: &ConnectionId,
        frames: impl IntoIterator<Item = &'f String>,
        counters: &Counters,
    ) -> ConnectionState {
        for frame in frames {
            if deadline::is_over() {
                counters.add(Counter::UndeliveredPosts, 1);
                break;
            }
            match self.connections_api.post_with_timeout(connection, frame).await {
                Ok(PostOutcome::Delivered) => {}
                Ok(PostOutcome::Gone) => {
                    counters.add(Counter::GonePosts, 1);
                    return ConnectionState::Gone;
                }
                Err(failure) => {
                    failure.log(connection);
                    counters.add(Counter::UndeliveredPosts, 1);
                    break;
                }
            }
        }
        ConnectionState::NotGone
    }
}

/// One line for all connections that the deadline left without their frames: a subscriber gets them with its next replay.
fn log_if_cut_short(app: &AppId, connections: usize) {
    if deadline::is_over() {
        tracing::error!(%app, connections, "fan-out cut short");
    }
}

fn log_failure(connection: &ConnectionId, deleted: Result<(), Fault>) {
    if let Err(fault) = deleted {
        tracing::warn!(%connection, reason = fault.chain(), "row of gone connection not deleted");
    }
}
