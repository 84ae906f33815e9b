//! What only the library's dialect needs: its effects over the tables, and posts to the subscribers and publishers of
//! an app. What each costs is in docs/DATA_MODEL.md, and asserted by the cost tests.

use std::sync::Arc;

use nsl_auth::prove::prove_library;
use nsl_aws::audience::Split;
use nsl_aws::fault::Fault;
use nsl_aws::legacy::FrameAdmission;
use nsl_aws::sessions::Updated;
use nsl_domain::app::{App, Status};
use nsl_domain::frame::control::Credential;
use nsl_domain::frame::replay::RECENT_MS;
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::AppId;
use nsl_domain::legacy::command::IssuedCommand;
use nsl_domain::legacy::effects::{AdmissionEffects, LegacyEffects, Proved, Stored};
use nsl_domain::legacy::ids::LibraryIds;
use nsl_domain::legacy::logs::LOG_RETENTION_MS;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use nsl_domain::rejection::Code;
use nsl_domain::report::Report;

use crate::effects::FrameEffects;

impl FrameEffects<'_> {
    pub(crate) fn admission(&self) -> FrameAdmission<'_> {
        self.session.admissions.of(self.event, &self.session.app_cache)
    }
}

impl AdmissionEffects for FrameEffects<'_> {
    async fn find_session(&self) -> Result<Option<LegacySession>, Fault> {
        self.admission().find_session().await
    }

    async fn prove_ids(&self, ids: &LibraryIds) -> Result<Option<Proved>, Fault> {
        self.admission().prove_ids(ids).await
    }

    async fn note_check(&self, is_wrong: bool) -> Result<(), Fault> {
        self.admission().note_check(is_wrong).await
    }

    async fn store_frame_grant(&self, grant: &Grant, earlier: Option<&Grant>) -> Result<Stored, Fault> {
        self.admission().store_frame_grant(grant, earlier).await
    }

    async fn claim_notice(&self, notice: Notice) -> Result<bool, Fault> {
        self.admission().claim_notice(notice).await
    }

    fn known_refusal(&self, app: &AppId) -> Option<Code> {
        self.admission().known_refusal(app)
    }

    fn note_refused(&self, app: &AppId, code: Code) {
        self.admission().note_refused(app, code);
    }
}

impl LegacyEffects for FrameEffects<'_> {
    async fn prove_library(&self, app: &AppId, credential: &Credential) -> Result<Option<Proved>, Fault> {
        let known = self.session.app_cache.fetch(app, self.event.arrival).await?;
        let proved = prove_library(credential, known.as_deref(), self.proof_context());
        if proved.is_none() {
            self.log_refused_credential(known.as_deref());
        }
        Ok(proved)
    }

    async fn claim_reply(&self, kind: ReplyKind) -> Result<Claim, Fault> {
        self.session.sessions.claim(&self.event.connection, kind, self.event.arrival).await
    }

    /// The session row first: it lists the publisher's row, for `$disconnect`. Once the row has the grant, the success
    /// must be sent, because repeats are ignored from then on.
    async fn store_legacy_grant(&self, grant: &Grant) -> Result<bool, Fault> {
        let Self { session, event } = self;
        let stored = session.sessions.store_legacy_grant(&event.connection, grant, event.arrival).await?;
        if stored != Updated::Done {
            return Ok(false);
        }
        self.admission().add_publisher(grant).await;
        Ok(true)
    }

    async fn end_legacy_grant(&self, app: &AppId) -> Result<(), Fault> {
        let Self { session, event } = self;
        match event.role {
            Role::Program => session.publishers.delete(app, &event.connection).await,
            Role::Page | Role::ForeignPage => {
                session.subscriptions.remove(app, &event.connection, event.arrival).await
            }
        }
    }

    /// Read again unless the cached app is active and legacy, because its page asks until it is accepted.
    async fn find_app(&self, app: &AppId) -> Result<Option<Arc<App>>, Fault> {
        let (cache, now) = (&self.session.app_cache, self.event.arrival);
        let known = cache.cached(app, now).await?;
        match known.as_deref() {
            Some(known) if known.status != Status::Active || !known.legacy => cache.fetch(app, now).await,
            _ => Ok(known),
        }
    }

    /// The newest report of the last minute, or else the newest that the rollup function stored.
    async fn last_report(&self, app: &AppId) -> Result<Option<Report>, Fault> {
        let (session, now) = (self.session, self.event.arrival);
        let Some(known) = session.app_cache.cached(app, now).await? else { return Ok(None) };
        let recent = session.reports.recent(&known, now.plus_ms(-RECENT_MS), now, 1).await?.reports;
        if let Some(newest) = recent.into_iter().next_back() {
            return Ok(Some(newest));
        }
        let last = session.rollups.last_reports(app, now).await?.reports;
        Ok(last.into_iter().max_by_key(|report| report.timestamp))
    }

    async fn log_entries(&self, app: &AppId) -> Result<Vec<String>, Fault> {
        let now = self.event.arrival;
        Ok(self.session.logs.newest(app, now.plus_ms(-LOG_RETENTION_MS), now).await?.entries)
    }

    async fn store_log_entries(&self, app: &AppId, entries: &[String]) -> Result<(), Fault> {
        self.session.logs.put(app, &self.event.connection, entries, self.event.arrival).await
    }

    /// Meanwhile ends the subscriptions whose proof is no longer valid.
    async fn post_to_subscribers(&self, app: &AppId, frames: &[String]) -> Result<(), Fault> {
        let session = self.session;
        let Split { active, expired } =
            session.audience.subscribers(app, &session.app_cache, self.event.arrival).await?;
        let posts = session.fan_out.to_subscribers(app, &active, |_| frames, &session.counters);
        futures_util::join!(posts, session.audience.expire(app, &expired));
        Ok(())
    }

    async fn commands(&self, app: &AppId) -> Result<Vec<IssuedCommand>, Fault> {
        self.session.commands.of_app(app).await
    }

    async fn store_command(&self, app: &AppId, command: &IssuedCommand) -> Result<(), Fault> {
        self.session.commands.put(app, command).await
    }

    /// Only to those whose proof is valid.
    async fn post_to_publishers(&self, app: &AppId, frame: String) -> Result<(), Fault> {
        let (session, now) = (self.session, self.event.arrival);
        let publishers = session.audience.publishers(app, &session.app_cache, now).await?;
        session.fan_out.to_publishers(app, &publishers, &frame, &session.counters, now).await;
        Ok(())
    }
}
