//! What only the library's dialect needs: its effects over the tables, and posts to the subscribers and publishers of
//! an app. What each costs is in docs/DATA_MODEL.md, and asserted by the cost tests.

use std::sync::Arc;

use nsl_aws::audience::Split;
use nsl_aws::fault::Fault;
use nsl_aws::sessions::Updated;
use nsl_domain::app::{App, Status};
use nsl_domain::frame::replay::RECENT_MS;
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::AppId;
use nsl_domain::legacy::command::IssuedCommand;
use nsl_domain::legacy::effects::LegacyEffects;
use nsl_domain::legacy::logs::LOG_RETENTION_MS;
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use nsl_domain::report::Report;

use crate::effects::FrameEffects;

impl LegacyEffects for FrameEffects<'_> {
    async fn find_session(&self) -> Result<Option<LegacySession>, Fault> {
        self.session.sessions.find_legacy(&self.event.connection).await
    }

    async fn claim_reply(&self, kind: ReplyKind) -> Result<Claim, Fault> {
        self.session.sessions.claim(&self.event.connection, kind, self.event.arrival).await
    }

    /// The session row first: it lists the publisher's row, for `$disconnect`. Once the row has the grant, the success
    /// must be sent, because repeats are ignored from then on; without its publisher row the library only gets no
    /// commands.
    async fn store_legacy_grant(&self, grant: &Grant) -> Result<bool, Fault> {
        let Self { session, event } = self;
        let (connection, now) = (&event.connection, event.arrival);
        if session.sessions.store_legacy_grant(connection, grant, now).await? == Updated::Gone {
            return Ok(false);
        }
        for app in grant.names() {
            let (role, address) = (event.role.as_str(), event.address.as_str());
            if grant.is_by_ids() {
                tracing::info!(%connection, %app, role, address, "legacy auth accepted");
            } else {
                tracing::info!(%connection, %app, role, address, "library accepted by its credential");
            }
        }
        if let Err(fault) = session.add_publisher(grant, event).await {
            tracing::error!(%connection, reason = fault.chain(), "publisher row not stored");
        }
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
