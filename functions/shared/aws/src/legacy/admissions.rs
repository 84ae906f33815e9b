//! Admits programs by the ids of their frames, on the tables: the one implementation, for reports and for log entries.

use nsl_domain::app::{DEFAULT_MAX_CONNECTIONS, Status};
use nsl_domain::conversation::effects::BaseEffects;
use nsl_domain::grant::Grant;
use nsl_domain::ids::AppId;
use nsl_domain::legacy::effects::{AdmissionEffects, Proved, Stored};
use nsl_domain::legacy::ids::LibraryIds;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::refusals::Refusals;
use nsl_domain::legacy::session::LegacySession;
use nsl_domain::rejection::Code;
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

use crate::apps::AppCache;
use crate::event::SocketEvent;
use crate::fault::Fault;
use crate::publishers::Publishers;
use crate::sessions::{Sessions, Updated};

/// The rows of connections that are admitted, and what this instance knows of those that are not.
#[derive(Debug)]
pub struct Admissions {
    sessions: Sessions,
    publishers: Publishers,
    refusals: Mutex<Refusals>,
}

/// The effects of admitting the sender of one frame.
#[derive(Debug, Clone, Copy)]
pub struct FrameAdmission<'a> {
    admissions: &'a Admissions,
    app_cache: &'a AppCache,
    event: &'a SocketEvent,
}

impl Admissions {
    /// No refusal is known.
    pub fn new(sessions: Sessions, publishers: Publishers) -> Self {
        Self { sessions, publishers, refusals: Mutex::default() }
    }

    /// The effects of admitting the sender of `event`.
    pub fn of<'a>(&'a self, event: &'a SocketEvent, app_cache: &'a AppCache) -> FrameAdmission<'a> {
        FrameAdmission { admissions: self, app_cache, event }
    }
}

impl FrameAdmission<'_> {
    fn now(&self) -> TimestampMs {
        self.event.arrival
    }

    /// Stores the publisher's rows of a grant that is on the session row, which lists them for `$disconnect`. Without them
    /// the program only gets no commands, so a fault is logged.
    pub async fn add_publisher(&self, grant: &Grant) {
        let connection = &self.event.connection;
        for app in grant.names() {
            let (role, address) = (self.event.role.as_str(), self.event.address.as_str());
            if grant.is_by_ids() {
                tracing::info!(%connection, %app, role, address, "legacy auth accepted");
            } else {
                tracing::info!(%connection, %app, role, address, "library accepted by its credential");
            }
        }
        let proof = grant.stored_proof();
        let added = self.admissions.publishers.add(grant.publishes(), connection, &proof, self.now()).await;
        if let Err(fault) = added {
            tracing::error!(%connection, reason = fault.chain(), "publisher row not stored");
        }
    }
}

impl BaseEffects for FrameAdmission<'_> {
    type Fault = Fault;

    fn log_fault(&self, fault: Fault) {
        tracing::error!(connection = %self.event.connection, reason = fault.chain(), "frame failed");
    }

    async fn has_connection_room(&self, app: &AppId) -> Result<bool, Fault> {
        let known = self.app_cache.cached(app, self.now()).await?;
        let most = known.map_or(DEFAULT_MAX_CONNECTIONS, |known| known.max_connections());
        self.admissions.publishers.has_connection_room(app, most, self.now()).await
    }
}

impl AdmissionEffects for FrameAdmission<'_> {
    async fn find_session(&self) -> Result<Option<LegacySession>, Fault> {
        self.admissions.sessions.find_legacy(&self.event.connection).await
    }

    async fn prove_ids(&self, ids: &LibraryIds) -> Result<Option<Proved>, Fault> {
        let SocketEvent { connection, address, .. } = self.event;
        let app = self.app_cache.fetch(&ids.app, self.now()).await?;
        let proved = app.as_deref().and_then(|app| {
            let grant = Grant::by_ids(&ids.user, app, self.event.role)?;
            Some(Proved { grant, is_active: app.status == Status::Active })
        });
        if proved.is_none() {
            // Only registered apps are logged: any other name may be a credential in the wrong place.
            let app = app.as_deref().map(|app| app.id.as_str());
            tracing::warn!(%connection, app, address, "ids of a frame refused");
        }
        Ok(proved)
    }

    async fn note_check(&self, is_wrong: bool) -> Result<(), Fault> {
        self.admissions.sessions.note_check(&self.event.connection, is_wrong, self.now()).await
    }

    async fn store_frame_grant(&self, grant: &Grant, earlier: Option<&Grant>) -> Result<Stored, Fault> {
        let (sessions, connection) = (&self.admissions.sessions, &self.event.connection);
        Ok(match sessions.store_frame_grant(connection, grant, earlier, self.now()).await? {
            Updated::Done => {
                self.add_publisher(grant).await;
                Stored::Done
            }
            Updated::Overtaken => Stored::Overtaken,
            Updated::Gone => Stored::Gone,
        })
    }

    async fn claim_notice(&self, notice: Notice) -> Result<bool, Fault> {
        let claimed =
            self.admissions.sessions.claim_notice(&self.event.connection, notice, self.now()).await?;
        if claimed {
            tracing::info!(connection = %self.event.connection, notice = ?notice, "program notified");
        }
        Ok(claimed)
    }

    fn known_refusal(&self, app: &AppId) -> Option<Code> {
        self.admissions.refusals.lock().find(&self.event.connection, app, self.now())
    }

    fn note_refused(&self, app: &AppId, code: Code) {
        self.admissions.refusals.lock().note(&self.event.connection, app, code, self.now());
    }
}
