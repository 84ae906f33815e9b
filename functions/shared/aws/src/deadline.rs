//! The deadline of an invocation. Every AWS call of it, retries and pauses between them included, ends by then, however
//! many follow each other: their own timeouts add up to more than the function's.
//!
//! A call that is cut off, or that would start later, fails as one that AWS does not answer: the caller gets the same
//! reply, and the same is counted. The deadline travels with the task, so no call can be without it.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::clock;

/// Share of an invocation's time after which no AWS call goes on: the rest is for the response itself.
const CALLS: f64 = 0.95;

/// Share of an invocation's time for what comes before the replies to the caller: the calls of a reply have the rest.
const BEFORE_REPLIES: f64 = 0.75;

/// The ends of the calls of an invocation.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    /// Of those made now.
    current: Instant,
    /// Of those before the replies.
    before_replies: Instant,
}

impl Deadline {
    /// Of an invocation that has `time`.
    fn after(time: Duration) -> Self {
        let now = Instant::now();
        Self { current: now + time.mul_f64(CALLS), before_replies: now + time.mul_f64(BEFORE_REPLIES) }
    }
}

tokio::task_local! {
    static DEADLINE: Deadline;
}

/// Completes `work`, an invocation that Lambda ends at `deadline_ms`, in milliseconds since 1970. A time that is over
/// when the invocation starts, as an emulator may send, is no deadline.
pub fn of_invocation<T>(deadline_ms: u64, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let now_ms = u64::try_from(clock::now().ms()).unwrap_or(0);
    let left = Some(deadline_ms.saturating_sub(now_ms)).filter(|left_ms| *left_ms > 0);
    scoped(left.map(|left_ms| Deadline::after(Duration::from_millis(left_ms))), work)
}

/// Completes `work`, an invocation that Lambda ends after `time`.
pub fn within<T>(time: Duration, work: impl Future<Output = T>) -> impl Future<Output = T> {
    scoped(Some(Deadline::after(time)), work)
}

/// Completes `work`, a part of an invocation, early enough that replies can be sent after it.
pub fn before_replies<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let earlier = DEADLINE.try_with(|deadline| Deadline { current: deadline.before_replies, ..*deadline });
    scoped(earlier.ok(), work)
}

/// `work` is boxed first: each future around it would contain it twice, and a handler's is large.
fn scoped<T>(deadline: Option<Deadline>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let work = Box::pin(work);
    async move {
        match deadline {
            Some(deadline) => DEADLINE.scope(deadline, work).await,
            None => work.await,
        }
    }
}

/// How long a call made now may take; `None` outside of an invocation.
fn left() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.current.saturating_duration_since(Instant::now())).ok()
}

/// Whether a call made now would fail because the time is over.
pub(crate) fn is_over() -> bool {
    left().is_some_and(|left| left.is_zero())
}

/// Gives each call no more time than is left.
#[derive(Debug)]
pub(crate) struct ObeyDeadline;

impl Intercept for ObeyDeadline {
    fn name(&self) -> &'static str {
        "ObeyDeadline"
    }

    /// The SDK reads the timeouts of a call after this.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(left) = left() else { return Ok(()) };
        if left.is_zero() {
            return Err("the time of the invocation is over".into());
        }
        let timeouts = config.load::<TimeoutConfig>().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let timeout = timeouts.operation_timeout().map_or(left, |timeout| timeout.min(left));
        let timeouts = timeouts.to_builder().operation_timeout(timeout).build();
        config.interceptor_state().store_put(timeouts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `time`, as a share.
    fn share(time: Duration) -> f64 {
        left().unwrap().div_duration_f64(time)
    }

    #[tokio::test]
    async fn replies_have_time_that_nothing_before_them_takes() {
        let hour = Duration::from_secs(3_600);
        let (before, replies) = within(hour, async {
            let before = before_replies(async { share(hour) }).await;
            (before, share(hour))
        })
        .await;
        assert!((0.7..0.8).contains(&before) && (0.9..1.0).contains(&replies), "{before} {replies}");
    }

    #[tokio::test]
    async fn only_an_invocation_has_a_deadline() {
        assert_eq!(left(), None);
        assert!(!before_replies(async { is_over() }).await);
        assert!(within(Duration::ZERO, async { is_over() }).await);
        assert_eq!(of_invocation(0, async { left() }).await, None);
        let in_a_minute = u64::try_from(clock::now().ms()).unwrap() + 60_000;
        let left = of_invocation(in_a_minute, async { left() }).await.unwrap();
        assert!(left <= Duration::from_secs(60) && !left.is_zero(), "{left:?}");
    }
}
