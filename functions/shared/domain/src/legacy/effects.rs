//! The effects that only the library's dialect needs.

use std::sync::Arc;

use super::command::IssuedCommand;
use super::ids::LibraryIds;
use super::notice::Notice;
use super::session::{Claim, LegacySession, ReplyKind};
use crate::app::App;
use crate::conversation::effects::{BaseEffects, Effects};
use crate::frame::control::Credential;
use crate::grant::Grant;
use crate::ids::AppId;
use crate::rejection::Code;
use crate::report::Report;

/// What credentials in the library's dialect prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The grant.
    pub grant: Grant,
    /// Whether its app is active.
    pub is_active: bool,
}

/// The outcome of storing the grant of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored, by this frame.
    Done,
    /// Another frame was faster.
    Overtaken,
    /// The connection has ended.
    Gone,
}

/// What admitting a program by the ids of its frames may do.
#[expect(async_fn_in_trait, reason = "the runtime of a function is single-threaded and needs no `Send`")]
pub trait AdmissionEffects: BaseEffects {
    /// Reads the session row; `None` if the connection is gone.
    async fn find_session(&self) -> Result<Option<LegacySession>, Self::Fault>;

    /// What `ids` prove; `None` if they open no app.
    async fn prove_ids(&self, ids: &LibraryIds) -> Result<Option<Proved>, Self::Fault>;

    /// Stores that the ids of a frame were checked and not accepted, and whether they are wrong.
    async fn note_check(&self, is_wrong: bool) -> Result<(), Self::Fault>;

    /// Stores the grant of a frame and its publisher row, unless the session row has another grant than `earlier` by now.
    async fn store_frame_grant(&self, grant: &Grant, earlier: Option<&Grant>) -> Result<Stored, Self::Fault>;

    /// Claims a notice, which the connection gets once; whether it may be sent.
    async fn claim_notice(&self, notice: Notice) -> Result<bool, Self::Fault>;

    /// Why `app` rejects the grant of the connection, if this function instance knows that it does. No call.
    fn known_refusal(&self, app: &AppId) -> Option<Code>;

    /// Notes that `app` rejects the grant of the connection. No call.
    fn note_refused(&self, app: &AppId, code: Code);
}

/// What the conversation of a connection in the library's dialect may do in addition.
#[expect(async_fn_in_trait, reason = "the runtime of a function is single-threaded and needs no `Send`")]
pub trait LegacyEffects: Effects + AdmissionEffects {
    /// What the credential of an `auth` in this dialect proves; `None` if nothing.
    async fn prove_library(
        &self,
        app: &AppId,
        credential: &Credential,
    ) -> Result<Option<Proved>, Self::Fault>;

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
