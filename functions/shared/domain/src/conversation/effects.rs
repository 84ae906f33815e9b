//! The effects that a conversation needs, each about the connection that sent the frame.
//!
//! The session function implements them over the AWS crate, tests over fixed results. A method that returns `Ok` has
//! taken effect; the conversation decides what a fault means to the client.

use crate::dialect::Dialect;
use crate::frame::control::Credential;
use crate::grant::{Action, Grant};
use crate::ids::AppId;
use crate::rejection::Rejection;
use crate::report::RecentReports;
use crate::time::TimestampMs;

/// Why an effect gave no result.
#[derive(Debug)]
pub enum EffectError<F> {
    /// The request is rejected.
    Rejected(Rejection),
    /// The service failed.
    Fault(F),
}

/// So that `?` turns the fault of an effect that rejects nothing into this.
impl<F> From<F> for EffectError<F> {
    fn from(fault: F) -> Self {
        Self::Fault(fault)
    }
}

/// The outcome of subscribing a connection that asks for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// It is subscribed, and its replay must be sent.
    Done,
    /// The connection is gone, or has too many subscriptions.
    Full,
    /// A replay was sent too recently; nothing is changed.
    TooSoon {
        /// Milliseconds after which it may ask again.
        wait_ms: i64,
    },
}

/// What both dialects need, in every function.
#[expect(async_fn_in_trait, reason = "the runtime of a function is single-threaded and needs no `Send`")]
pub trait BaseEffects {
    /// Why an effect failed on our side.
    type Fault;

    /// Logs a fault that ends the frame or is ignored.
    fn log_fault(&self, fault: Self::Fault);

    /// Whether `app` may have one more connection.
    async fn has_connection_room(&self, app: &AppId) -> Result<bool, Self::Fault>;
}

/// What the conversation of a connection may do.
#[expect(async_fn_in_trait, reason = "the runtime of a function is single-threaded and needs no `Send`")]
pub trait Effects: BaseEffects {
    /// The grant that `credential` proves for `app`, or the rejection.
    async fn prove(&self, app: &AppId, credential: &Credential) -> Result<Grant, EffectError<Self::Fault>>;

    /// Counts wrong credentials of the connection and returns the count; `None` if the connection is gone.
    async fn count_rejection(&self) -> Result<Option<u32>, Self::Fault>;

    /// Stores the grant for the later frames of the connection and, if it may publish, its publisher row; false if the
    /// connection is gone.
    async fn store_grant(&self, grant: &Grant) -> Result<bool, Self::Fault>;

    /// Whether `grant` allows `action` on `app`, or the rejection.
    async fn authorise(
        &self,
        grant: &Grant,
        action: Action,
        app: &AppId,
    ) -> Result<(), EffectError<Self::Fault>>;

    /// Whether `app` may have one more subscription, or this connection is already subscribed to it.
    async fn has_subscription_room(&self, app: &AppId) -> Result<bool, Self::Fault>;

    /// Stores a subscription that was made with `grant`, with at least `min_interval_ms` between two live frames in
    /// `dialect`, and claims the replay of `app` to this connection.
    async fn subscribe(
        &self,
        app: &AppId,
        grant: &Grant,
        min_interval_ms: i64,
        dialect: Dialect,
    ) -> Result<Subscribed, Self::Fault>;

    /// Milliseconds until a replay of `app` may be sent to this connection, as far as this function instance knows; 0 if
    /// it may be. No call.
    fn replay_wait_ms(&self, app: &AppId) -> i64;

    /// Stores a subscription like [`Effects::subscribe`], without a replay; false if the connection is gone or has too
    /// many.
    async fn add_subscription(
        &self,
        app: &AppId,
        grant: &Grant,
        min_interval_ms: i64,
        dialect: Dialect,
    ) -> Result<bool, Self::Fault>;

    /// Removes a subscription, whether there was one or not.
    async fn remove_subscription(&self, app: &AppId) -> Result<(), Self::Fault>;

    /// The newest reports of `app` with a timestamp of `from` or later, as many as are replayed.
    async fn recent_reports(&self, app: &AppId, from: TimestampMs) -> Result<RecentReports, Self::Fault>;
}
