//! The effects that only the library's dialect needs.

use std::sync::Arc;

use super::command::IssuedCommand;
use super::session::{Claim, LegacySession, ReplyKind};
use crate::app::App;
use crate::conversation::effects::Effects;
use crate::grant::Grant;
use crate::ids::AppId;
use crate::report::Report;

/// What the conversation of a connection in the library's dialect may do in addition.
#[expect(async_fn_in_trait, reason = "the runtime of a function is single-threaded and needs no `Send`")]
pub trait LegacyEffects: Effects {
    /// Reads the session row; `None` if the connection is gone.
    async fn find_session(&self) -> Result<Option<LegacySession>, Self::Fault>;

    /// Claims the one reply of this kind that the connection gets within [`ReplyKind::every_ms`].
    async fn claim_reply(&self, kind: ReplyKind) -> Result<Claim, Self::Fault>;

    /// Stores a legacy grant; false if it is stored already or the connection is gone.
    async fn store_legacy_grant(&self, grant: &Grant) -> Result<bool, Self::Fault>;

    /// Ends an earlier legacy grant for `app`: deletes the subscription of a page, or the publisher row of a program.
    async fn end_legacy_grant(&self, app: &AppId) -> Result<(), Self::Fault>;

    /// The app whose status is requested.
    async fn find_app(&self, app: &AppId) -> Result<Option<Arc<App>>, Self::Fault>;

    /// The last known report of an app.
    async fn last_report(&self, app: &AppId) -> Result<Option<Report>, Self::Fault>;

    /// The newest log entries of an app, oldest first.
    async fn log_entries(&self, app: &AppId) -> Result<Vec<String>, Self::Fault>;

    /// Stores log entries, each a JSON object.
    async fn store_log_entries(&self, app: &AppId, entries: &[String]) -> Result<(), Self::Fault>;

    /// Posts frames, the same in both dialects, to the subscribers of an app.
    async fn post_to_subscribers(&self, app: &AppId, frames: &[String]) -> Result<(), Self::Fault>;

    /// The last command of each switch of an app, oldest first.
    async fn commands(&self, app: &AppId) -> Result<Vec<IssuedCommand>, Self::Fault>;

    /// Stores a command in place of the last one of its switch.
    async fn store_command(&self, app: &AppId, command: &IssuedCommand) -> Result<(), Self::Fault>;

    /// Posts a frame to the publishers of an app.
    async fn post_to_publishers(&self, app: &AppId, frame: String) -> Result<(), Self::Fault>;
}
