//! Effects with fixed results, which record what was called.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use serde_json::json;

use crate::app::App;
use crate::conversation::effects::{BaseEffects, EffectError, Effects, Subscribed};
use crate::dialect::Dialect;
use crate::frame::control::Credential;
use crate::grant::{Action, Grant, GrantedApps, Proof};
use crate::ids::{AppId, KeyId, Scope, Source};
use crate::legacy::command::{Command, IssuedCommand, Switch};
use crate::legacy::effects::{AdmissionEffects, LegacyEffects, Proved, Stored};
use crate::legacy::ids::LibraryIds;
use crate::legacy::notice::Notice;
use crate::legacy::session::{Claim, LegacySession, ReplyKind, WRONG_FOR_MS};
use crate::rejection::{Code, Rejection};
use crate::report::{Document, RecentReports, Report};
use crate::time::TimestampMs;

pub(crate) const NOW: TimestampMs = TimestampMs::EXAMPLE;

pub(crate) fn shop() -> AppId {
    App::example().id
}

pub(crate) fn legacy(scope: Scope) -> Grant {
    let (user, reach) = (App::example().owner.into(), GrantedApps::Apps(vec![shop()]));
    Grant { user, scope, reach, proof: Proof::Legacy, until: None, library: false }
}

pub(crate) fn by_key(scope: Scope) -> Grant {
    Grant { proof: Proof::Key(KeyId::new("k1").unwrap()), ..legacy(scope) }
}

/// The grant of a library with a key.
pub(crate) fn library_with_key(scope: Scope) -> Grant {
    Grant { library: true, ..by_key(scope) }
}

pub(crate) fn session(grant: Option<Grant>) -> LegacySession {
    LegacySession { grant, ..LegacySession::default() }
}

/// By default everything succeeds, the credential is wrong, and there is nothing to read.
#[derive(Debug, Clone)]
pub(crate) struct FakeEffects {
    pub(crate) proved: Option<Grant>,
    /// Whether the app of what is proved is active.
    pub(crate) is_active: bool,
    pub(crate) rejections: Option<u32>,
    pub(crate) is_authorised: bool,
    pub(crate) has_connection_room: bool,
    pub(crate) has_subscription_room: bool,
    pub(crate) is_subscribed: bool,
    /// Whether a grant can be stored: its connection is there, and no other `auth` stored it.
    pub(crate) is_stored: bool,
    pub(crate) session: Option<LegacySession>,
    /// Whether a reply may be claimed.
    pub(crate) is_claimable: bool,
    pub(crate) app: Option<App>,
    pub(crate) last_report: Option<Report>,
    pub(crate) log_entries: Vec<String>,
    pub(crate) commands: Vec<IssuedCommand>,
    /// Names of the effects that fail.
    pub(crate) failing: Vec<&'static str>,
    /// Names of the effects that were called, in order.
    pub(crate) calls: RefCell<Vec<&'static str>>,
    /// What was checked last.
    pub(crate) checked: RefCell<Option<(Grant, Action, AppId)>>,
    pub(crate) logged_faults: Cell<usize>,
    /// Frames posted to subscribers and publishers.
    pub(crate) posted: RefCell<Vec<String>>,
    /// What this instance notes as refused.
    pub(crate) refused: RefCell<Vec<(AppId, Code)>>,
}

impl Default for FakeEffects {
    fn default() -> Self {
        Self {
            proved: None,
            is_active: true,
            rejections: Some(1),
            is_authorised: true,
            has_connection_room: true,
            has_subscription_room: true,
            is_subscribed: true,
            is_stored: true,
            session: Some(LegacySession::default()),
            is_claimable: true,
            app: None,
            last_report: None,
            log_entries: Vec::new(),
            commands: Vec::new(),
            failing: Vec::new(),
            calls: RefCell::default(),
            checked: RefCell::default(),
            logged_faults: Cell::default(),
            posted: RefCell::default(),
            refused: RefCell::default(),
        }
    }
}

/// The effects of which at most one fails at random.
const FALLIBLE: [&str; 26] = [
    "prove",
    "prove_library",
    "count_rejection",
    "has_connection_room",
    "store_grant",
    "authorise",
    "has_subscription_room",
    "add_subscription",
    "remove_subscription",
    "recent_reports",
    "find_session",
    "prove_ids",
    "note_check",
    "store_frame_grant",
    "claim_notice",
    "claim_reply",
    "store_legacy_grant",
    "end_legacy_grant",
    "find_app",
    "last_report",
    "log_entries",
    "store_log_entries",
    "post_to_subscribers",
    "commands",
    "store_command",
    "post_to_publishers",
];

pub(crate) fn any_session() -> impl Strategy<Value = LegacySession> {
    let grants = vec![
        None,
        Some(legacy(Scope::VIEW)),
        Some(legacy(Scope::PUBLISH)),
        Some(by_key(Scope::BOTH)),
        Some(by_key(Scope::VIEW)),
        Some(library_with_key(Scope::PUBLISH)),
        Some(library_with_key(Scope::BOTH)),
    ];
    let wrong_for = prop::option::of(0..2 * WRONG_FOR_MS);
    (prop::sample::select(grants), wrong_for).prop_map(|(grant, wrong_for)| LegacySession {
        wrong_since: wrong_for.map(|ms| NOW.plus_ms(-ms)),
        ..session(grant)
    })
}

pub(crate) fn any_effects() -> impl Strategy<Value = FakeEffects> {
    let failing = prop::option::weighted(0.5, prop::sample::select(FALLIBLE.to_vec()));
    let grants = [library_with_key(Scope::BOTH), legacy(Scope::VIEW), legacy(Scope::PUBLISH)];
    let proved = prop::option::weighted(0.7, prop::sample::select(grants.to_vec()));
    let rejections = prop::option::of(1..10_u32);
    let session = prop::option::weighted(0.9, any_session());
    let results = (proved, rejections, session, any::<[bool; 9]>(), failing);
    results.prop_map(|(proved, rejections, session, flags, failing)| {
        let [is_authorised, has_connection_room, has_subscription_room, is_subscribed, ..] = flags;
        let [.., is_stored, is_claimable, is_full, is_known, is_active] = flags;
        let command = Command { switch: Switch::Console, enabled: false };
        let report = Report {
            app: shop(),
            source: Source::new("web-1").unwrap(),
            timestamp: NOW,
            document: Document::accept(r#"{"cpu":{"usage":61.4}}"#).unwrap(),
        };
        FakeEffects {
            proved,
            is_active,
            rejections,
            is_authorised,
            has_connection_room,
            has_subscription_room,
            is_subscribed,
            is_stored,
            session,
            is_claimable,
            app: is_known.then(|| App { legacy: true, ..App::example() }),
            last_report: is_full.then_some(report),
            log_entries: vec![json!({"message": "m"}).to_string(); if is_full { 700 } else { 0 }],
            commands: vec![
                IssuedCommand { command, user: App::example().owner.into(), at: NOW };
                usize::from(is_full)
            ],
            failing: failing.into_iter().collect(),
            ..FakeEffects::default()
        }
    })
}

impl FakeEffects {
    fn call<T>(&self, name: &'static str, result: T) -> Result<T, ()> {
        self.calls.borrow_mut().push(name);
        if self.failing.contains(&name) { Err(()) } else { Ok(result) }
    }
}

impl BaseEffects for FakeEffects {
    type Fault = ();

    fn log_fault(&self, (): ()) {
        self.logged_faults.set(self.logged_faults.get() + 1);
    }

    async fn has_connection_room(&self, _: &AppId) -> Result<bool, ()> {
        self.call("has_connection_room", self.has_connection_room)
    }
}

impl Effects for FakeEffects {
    async fn prove(&self, _: &AppId, _: &Credential) -> Result<Grant, EffectError<()>> {
        self.call("prove", self.proved.clone())?
            .ok_or_else(|| EffectError::Rejected(Rejection::unauthorized()))
    }

    async fn count_rejection(&self) -> Result<Option<u32>, ()> {
        self.call("count_rejection", self.rejections)
    }

    async fn store_grant(&self, _: &Grant) -> Result<bool, ()> {
        self.call("store_grant", self.is_stored)
    }

    async fn authorise(&self, grant: &Grant, action: Action, app: &AppId) -> Result<(), EffectError<()>> {
        *self.checked.borrow_mut() = Some((grant.clone(), action, app.clone()));
        let is_authorised = self.call("authorise", self.is_authorised)?;
        if is_authorised { Ok(()) } else { Err(EffectError::Rejected(Rejection::unauthorized())) }
    }

    async fn has_subscription_room(&self, _: &AppId) -> Result<bool, ()> {
        self.call("has_subscription_room", self.has_subscription_room)
    }

    async fn subscribe(&self, _: &AppId, _: &Grant, _: i64, _: Dialect) -> Result<Subscribed, ()> {
        let subscribed =
            if self.is_subscribed { Subscribed::Done } else { Subscribed::TooSoon { wait_ms: 1 } };
        self.call("add_subscription", subscribed)
    }

    fn replay_wait_ms(&self, _: &AppId) -> i64 {
        0
    }

    async fn add_subscription(&self, _: &AppId, _: &Grant, _: i64, _: Dialect) -> Result<bool, ()> {
        self.call("add_subscription", self.is_subscribed)
    }

    async fn remove_subscription(&self, _: &AppId) -> Result<(), ()> {
        self.call("remove_subscription", ())
    }

    async fn recent_reports(&self, _: &AppId, _: TimestampMs) -> Result<RecentReports, ()> {
        self.call("recent_reports", RecentReports { reports: Vec::new(), is_complete: true })
    }
}

impl FakeEffects {
    fn proved(&self) -> Option<Proved> {
        Some(Proved { grant: self.proved.clone()?, is_active: self.is_active })
    }
}

impl AdmissionEffects for FakeEffects {
    async fn find_session(&self) -> Result<Option<LegacySession>, ()> {
        self.call("find_session", self.session.clone())
    }

    async fn prove_ids(&self, _: &LibraryIds) -> Result<Option<Proved>, ()> {
        self.call("prove_ids", self.proved())
    }

    async fn note_check(&self, _: bool) -> Result<(), ()> {
        self.call("note_check", ())
    }

    async fn store_frame_grant(&self, _: &Grant, _: Option<&Grant>) -> Result<Stored, ()> {
        self.call("store_frame_grant", if self.is_stored { Stored::Done } else { Stored::Overtaken })
    }

    async fn claim_notice(&self, _: Notice) -> Result<bool, ()> {
        self.call("claim_notice", self.is_claimable)
    }

    fn known_refusal(&self, _: &AppId) -> Option<Code> {
        None
    }

    fn note_refused(&self, app: &AppId, code: Code) {
        self.refused.borrow_mut().push((app.clone(), code));
    }
}

impl LegacyEffects for FakeEffects {
    async fn prove_library(&self, _: &AppId, _: &Credential) -> Result<Option<Proved>, ()> {
        self.call("prove_library", self.proved())
    }

    async fn claim_reply(&self, _: ReplyKind) -> Result<Claim, ()> {
        self.call(
            "claim_reply",
            match self.session.clone() {
                Some(session) if self.is_claimable => Claim::Claimed(session),
                Some(session) => Claim::AlreadyClaimed(session),
                None => Claim::Gone,
            },
        )
    }

    async fn store_legacy_grant(&self, _: &Grant) -> Result<bool, ()> {
        self.call("store_legacy_grant", self.is_stored)
    }

    async fn end_legacy_grant(&self, _: &AppId) -> Result<(), ()> {
        self.call("end_legacy_grant", ())
    }

    async fn find_app(&self, _: &AppId) -> Result<Option<Arc<App>>, ()> {
        self.call("find_app", self.app.clone().map(Arc::new))
    }

    async fn last_report(&self, _: &AppId) -> Result<Option<Report>, ()> {
        self.call("last_report", self.last_report.clone())
    }

    async fn log_entries(&self, _: &AppId) -> Result<Vec<String>, ()> {
        self.call("log_entries", self.log_entries.clone())
    }

    async fn store_log_entries(&self, _: &AppId, _: &[String]) -> Result<(), ()> {
        self.call("store_log_entries", ())
    }

    async fn post_to_subscribers(&self, _: &AppId, frames: &[String]) -> Result<(), ()> {
        self.posted.borrow_mut().extend_from_slice(frames);
        self.call("post_to_subscribers", ())
    }

    async fn commands(&self, _: &AppId) -> Result<Vec<IssuedCommand>, ()> {
        self.call("commands", self.commands.clone())
    }

    async fn store_command(&self, _: &AppId, _: &IssuedCommand) -> Result<(), ()> {
        self.call("store_command", ())
    }

    async fn post_to_publishers(&self, _: &AppId, frame: String) -> Result<(), ()> {
        self.posted.borrow_mut().push(frame);
        self.call("post_to_publishers", ())
    }
}

/// The result of a future that waits for nothing.
pub(crate) fn finished<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("fake effects never wait"),
    }
}
