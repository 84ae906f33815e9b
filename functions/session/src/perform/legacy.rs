//! The questions of the library's dialect.
//!
//! Owns what each of them costs: docs/DATA_MODEL.md says it, and the cost tests assert it.

use std::sync::Arc;

use nsl_aws::event::SocketEvent;
use nsl_aws::fault::Fault;
use nsl_aws::sessions::{Claim, Updated};
use nsl_domain::app::{App, Status};
use nsl_domain::conversation::{Answer, Question};
use nsl_domain::frame::replay::RECENT_MS;
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::AppId;
use nsl_domain::legacy::logs::LOG_RETENTION_MS;
use nsl_domain::legacy::session::ReplyKind;
use nsl_domain::report::Report;

use crate::handler::Session;

impl Session {
    pub(super) async fn perform_legacy(
        &self,
        question: Question,
        event: &SocketEvent,
    ) -> Result<Answer, Fault> {
        let now = event.arrival;
        Ok(match question {
            Question::Recall => {
                self.sessions.find_legacy(&event.connection).await?.map_or(Answer::Gone, Answer::Recalled)
            }
            Question::Claim(kind) => self.claim(kind, event).await?,
            Question::Welcome(grant) => self.welcome(&grant, event).await?,
            Question::Leave(app) => self.leave(&app, event).await?,
            Question::FindApp(app) => Answer::App(self.app_as_told(&app, event).await?),
            Question::ReadLast(app) => Answer::Last(self.read_last(&app, event).await?),
            Question::ReadLogs(app) => {
                Answer::Logs(self.logs.newest(&app, now.plus_ms(-LOG_RETENTION_MS), now).await?.entries)
            }
            Question::KeepLogs { app, entries } => {
                self.logs.put(&app, &event.connection, &entries, now).await?;
                Answer::Done
            }
            Question::TellViewers { app, frames } => {
                self.tell_viewers(&app, &frames, now).await?;
                Answer::Done
            }
            Question::ReadCommands(app) => Answer::Commands(self.commands.of_app(&app).await?),
            Question::KeepCommand { app, given } => {
                self.commands.put(&app, &given).await?;
                Answer::Done
            }
            Question::TellPublishers { app, frame } => {
                self.tell_publishers(&app, frame, now).await?;
                Answer::Done
            }
            // The other questions are this protocol's own.
            _ => Answer::Failed,
        })
    }

    /// The application as it was at most a minute ago, or as it is where it would be refused: its page asks again
    /// until it is let in.
    async fn app_as_told(&self, app: &AppId, event: &SocketEvent) -> Result<Option<Arc<App>>, Fault> {
        let known = self.app_cache.cached(app, event.arrival).await?;
        match known.as_deref() {
            Some(known) if known.status != Status::Active || !known.legacy => {
                self.app_cache.fetch(app, event.arrival).await
            }
            _ => Ok(known),
        }
    }

    async fn claim(&self, kind: ReplyKind, event: &SocketEvent) -> Result<Answer, Fault> {
        let claim = self.sessions.claim(&event.connection, kind, event.arrival).await?;
        Ok(match claim {
            Claim::Won(remembered) => Answer::Claimed(remembered),
            Claim::Lost(remembered) => Answer::Repeated(remembered),
            Claim::Gone => Answer::Gone,
        })
    }

    /// The session row first: it names the publisher's row, for `$disconnect`. Once it says that the library is
    /// welcome the library must hear so, or its repeats would be absorbed for ever; without a row of its own it merely
    /// hears no commands.
    async fn welcome(&self, grant: &Grant, event: &SocketEvent) -> Result<Answer, Fault> {
        if self.sessions.store_legacy_grant(&event.connection, grant, event.arrival).await? == Updated::Gone {
            return Ok(Answer::Gone);
        }
        for app in grant.names() {
            tracing::info!(connection = %event.connection, app = %app, role = event.role.as_str(),
                address = event.address, "let in by ids alone");
        }
        let added = self.publishers.add(grant.publishes(), &event.connection, event.arrival).await;
        if let Err(fault) = added {
            tracing::error!(connection = %event.connection, reason = fault.chain(), "a publisher has no row");
        }
        Ok(Answer::Done)
    }

    async fn leave(&self, app: &AppId, event: &SocketEvent) -> Result<Answer, Fault> {
        match event.role {
            Role::Program => self.publishers.delete(app, &event.connection).await?,
            Role::Page | Role::ForeignPage => self.subscriptions.remove(app, &event.connection).await?,
        }
        Ok(Answer::Done)
    }

    /// The newest report of the last minute, or else the last one that the rollup function noted.
    async fn read_last(&self, app: &AppId, event: &SocketEvent) -> Result<Option<Report>, Fault> {
        let now = event.arrival;
        let Some(known) = self.app_cache.cached(app, now).await? else { return Ok(None) };
        let (recent, _) = self.reports.recent(&known, now.plus_ms(-RECENT_MS), now, 1).await?;
        if let Some(newest) = recent.into_iter().next_back() {
            return Ok(Some(newest));
        }
        let (noted, _) = self.rollups.last_reports(app, now).await?;
        Ok(noted.into_iter().max_by_key(|report| report.timestamp))
    }
}
