//! Which apps the sender of a frame may report for.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsl_aws::apps::AppCache;
use nsl_aws::boot::Clients;
use nsl_aws::cache::Cache;
use nsl_aws::event::SocketEvent;
use nsl_aws::fault::Fault;
use nsl_aws::legacy::Admissions;
use nsl_domain::app::App;
use nsl_domain::bounded::BoundedMap;
use nsl_domain::conversation::Reply;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::draft::ReportSender;
use nsl_domain::frame::publish::ReportFrame;
use nsl_domain::grant::{Action, Grant, Role, authorise};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::late::late_minute;
use nsl_domain::legacy::admission::{Admission, admit_frame};
use nsl_domain::legacy::context::LegacyContext;
use nsl_domain::legacy::effects::AdmissionEffects;
use nsl_domain::legacy::session::LegacySession;
use nsl_domain::rejection::Rejection;
use nsl_domain::time::{SECOND_MS, TimestampMs};
use nsl_domain::unauthenticated::MAX_UNAUTHENTICATED_FRAMES;
use parking_lot::Mutex;

use crate::limits::Load;
use crate::settings::Settings;

/// The apps of a frame, all of which its sender may report for.
pub(crate) struct AuthorisedApps {
    pub(crate) apps: BTreeMap<AppId, Arc<App>>,
    /// What is sent because the frame admitted its connection.
    pub(crate) welcome: Vec<String>,
    /// That of the grant. Nothing else shows that a frame is the library's.
    pub(crate) dialect: Dialect,
}

/// Why a sender may not report for all apps of a frame.
pub(crate) enum NotAuthorised {
    /// The connection has no grant.
    Unauthenticated,
    Rejected(Rejection),
    /// In the library's dialect, which has no errors; what is sent instead.
    Refused {
        rejection: Rejection,
        reply: Box<Reply>,
    },
    Failed(Fault),
}

impl From<Fault> for NotAuthorised {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl AuthorisedApps {
    /// The frame's load per app.
    pub(crate) fn loads(&self, frame: &ReportFrame, sender: &ReportSender) -> BTreeMap<AppId, Load> {
        let now = sender.arrival;
        let mut loads = BTreeMap::new();
        for entry in &frame.entries {
            let Some((id, app)) = entry.app.as_ref().and_then(|id| self.apps.get_key_value(id)) else {
                continue;
            };
            let load = loads.entry(id.clone()).or_insert_with(|| Load::of(app, now));
            load.add(entry.bytes);
            // No report of the library is late: it is stamped with its arrival if its clock is off.
            let placed = entry.outcome.as_ref().ok().filter(|_| self.dialect == Dialect::Modern);
            if let Some((source, timestamp)) = placed.and_then(|draft| draft.placed(sender))
                && let Some(minute) = late_minute(timestamp, now)
            {
                load.add_late(app.shard_of(source), minute);
            }
        }
        loads
    }
}

/// Reads of the session row of a connection without a grant after which it is read once in [`REREAD_MS`] only.
const FREE_READS: u32 = MAX_UNAUTHENTICATED_FRAMES;

/// Shortest time between further reads, in milliseconds. A library that is not admitted keeps sending, and its `auth` may
/// be accepted at any moment.
const REREAD_MS: i64 = SECOND_MS;

/// The reads of a session row that had no grant.
#[derive(Debug)]
struct FruitlessReads {
    count: u32,
    last_at: TimestampMs,
}

/// Checks grants against apps, both cached.
#[derive(Debug)]
pub(crate) struct Authoriser {
    pub(crate) app_cache: AppCache,
    admissions: Admissions,
    grants: Cache<ConnectionId, Grant>,
    without_grant: Mutex<BoundedMap<ConnectionId, FruitlessReads>>,
}

impl Authoriser {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            app_cache: AppCache::new(clients.apps(&settings.apps_table)),
            admissions: clients.admissions(&settings.connections_table),
            grants: Cache::default(),
            without_grant: Mutex::default(),
        }
    }

    /// Whether the sender of `event` has a grant, by the event or the cache.
    pub(crate) fn has_grant(&self, event: &SocketEvent) -> bool {
        event.grant.is_some() || self.grants.get(&event.connection, event.arrival).is_some()
    }

    /// The dialect of the connection, by its grant of the handshake or in the cache; `None` without either.
    pub(crate) fn known_dialect(&self, event: &SocketEvent) -> Option<Dialect> {
        let cached = || self.grants.get(&event.connection, event.arrival).map(|grant| grant.dialect());
        event.grant.as_ref().map(Grant::dialect).or_else(cached)
    }

    /// The apps of the frame, if the sender may report for all of them. The cached grant of an `auth` accepts, but does
    /// not reject: a later `auth` may have granted more.
    pub(crate) async fn authorise(
        &self,
        frame: &ReportFrame,
        event: &SocketEvent,
    ) -> Result<AuthorisedApps, NotAuthorised> {
        if let Some(grant) = &event.grant {
            return self.authorise_by(grant, frame, event).await;
        }
        let effects = self.admissions.of(event, &self.app_cache);
        if let Some(code) = frame.apps().find_map(|app| effects.known_refusal(app)) {
            return Err(refused(Rejection::new(code, "the app rejects the credentials"), Reply::silence()));
        }
        if let Some(grant) = self.grants.get(&event.connection, event.arrival) {
            match self.authorise_by(&grant, frame, event).await {
                Err(NotAuthorised::Rejected(_)) => {}
                other => return other,
            }
        }
        let Some(session) = self.read_session(event).await? else {
            return Err(unauthenticated(frame, event));
        };
        let Some(grant) = session.grant.clone() else { return self.admit(frame, None, session, event).await };
        match self.authorise_by(&grant, frame, event).await {
            Err(NotAuthorised::Rejected(rejection)) if grant.dialect() == Dialect::Legacy => {
                self.admit(frame, Some(rejection), session, event).await
            }
            other => other,
        }
    }

    /// Admits a program by the ids of a frame whose connection has no grant, or one that was rejected.
    async fn admit(
        &self,
        frame: &ReportFrame,
        rejected: Option<Rejection>,
        session: LegacySession,
        event: &SocketEvent,
    ) -> Result<AuthorisedApps, NotAuthorised> {
        let Some(ids) = frame.library_ids() else {
            return Err(match rejected {
                Some(rejection) => refused(rejection, Reply::silence()),
                None => unauthenticated(frame, event),
            });
        };
        if rejected.is_none() && event.role != Role::Program {
            return Err(NotAuthorised::Unauthenticated);
        }
        let mut context = LegacyContext {
            role: event.role,
            handshake_grant: None,
            session: Some(session),
            session_read_at: Some(event.arrival),
            log_room: 0,
            now: event.arrival,
        };
        let effects = self.admissions.of(event, &self.app_cache);
        let code = rejected.as_ref().map(|rejection| rejection.code);
        let Admission { grant, reply } = admit_frame(&ids, code, &mut context, &effects).await?;
        let Some(grant) = grant else {
            return Err(refused(rejected.unwrap_or_else(Rejection::unauthorized), reply));
        };
        self.cache(&grant, event);
        let authorised = self.authorise_by(&grant, frame, event).await;
        match authorised {
            Ok(authorised) => Ok(AuthorisedApps { welcome: reply.frames, ..authorised }),
            Err(NotAuthorised::Rejected(rejection)) => Err(refused(rejection, reply)),
            failed => failed,
        }
    }

    /// Caches the grant of a connection whose frame cannot be read, so that its dialect is known.
    pub(crate) async fn find_grant(&self, event: &SocketEvent) -> Result<(), Fault> {
        if !self.has_grant(event) {
            self.read_session(event).await?;
        }
        Ok(())
    }

    /// The session row, whose grant is cached; `None` if it was read lately and had no grant.
    async fn read_session(&self, event: &SocketEvent) -> Result<Option<LegacySession>, Fault> {
        if self.is_known_without_grant(event) {
            return Ok(None);
        }
        let session = self.admissions.of(event, &self.app_cache).find_session().await?;
        let session = session.unwrap_or_else(LegacySession::ended);
        match &session.grant {
            Some(grant) => self.cache(grant, event),
            None => self.note_without_grant(event),
        }
        Ok(Some(session))
    }

    fn cache(&self, grant: &Grant, event: &SocketEvent) {
        self.without_grant.lock().pop(&event.connection);
        self.grants.insert(event.connection.clone(), grant.clone(), event.arrival);
    }

    fn is_known_without_grant(&self, event: &SocketEvent) -> bool {
        let without_grant = self.without_grant.lock();
        let reads = without_grant.peek(&event.connection);
        reads.is_some_and(|reads| {
            reads.count >= FREE_READS && event.arrival.ms_since(reads.last_at) < REREAD_MS
        })
    }

    fn note_without_grant(&self, event: &SocketEvent) {
        let mut without_grant = self.without_grant.lock();
        let none = || FruitlessReads { count: 0, last_at: event.arrival };
        let reads = without_grant.get_or_insert_mut(event.connection.clone(), none);
        *reads = FruitlessReads { count: reads.count.saturating_add(1), last_at: event.arrival };
    }

    async fn authorise_by(
        &self,
        grant: &Grant,
        frame: &ReportFrame,
        event: &SocketEvent,
    ) -> Result<AuthorisedApps, NotAuthorised> {
        let check = |app: Option<&App>| authorise(Some(grant), Action::Publish, app, event.arrival);
        let mut apps = BTreeMap::new();
        for id in frame.apps() {
            if apps.contains_key(id) {
                continue;
            }
            let checked = self.app_cache.authorise(id, event.arrival, check).await?;
            apps.insert(id.clone(), checked.into_result().map_err(NotAuthorised::Rejected)?);
        }
        Ok(AuthorisedApps { apps, welcome: Vec::new(), dialect: grant.dialect() })
    }
}

fn refused(rejection: Rejection, reply: Reply) -> NotAuthorised {
    NotAuthorised::Refused { rejection, reply: Box::new(reply) }
}

/// A frame of the library's form gets no error from a program without a grant: its `auth` may be under way.
fn unauthenticated(frame: &ReportFrame, event: &SocketEvent) -> NotAuthorised {
    if event.role == Role::Program && frame.is_of_library() {
        refused(Rejection::unauthorized(), Reply::silence())
    } else {
        NotAuthorised::Unauthenticated
    }
}
