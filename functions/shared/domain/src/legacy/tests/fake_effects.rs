//! Effects with fixed results, which record their calls.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::app::App;
use crate::conversation::effects::{EffectError, Effects, RecentReports};
use crate::frame::control::Credential;
use crate::frame::outbound::Dialect;
use crate::grant::{Action, Grant};
use crate::ids::AppId;
use crate::legacy::command::IssuedCommand;
use crate::legacy::effects::LegacyEffects;
use crate::legacy::session::{Claim, LegacySession, ReplyKind};
use crate::rejection::Rejection;
use crate::report::Report;
use crate::time::TimestampMs;

/// By default everything succeeds, the credential is wrong, and there is nothing to read.
#[derive(Debug, Clone)]
pub(crate) struct FakeEffects {
    pub(crate) proved: Option<Grant>,
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
    /// Every call: the name of the effect, then its arguments.
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) logged_faults: Cell<usize>,
    /// Frames posted to subscribers and publishers.
    pub(crate) posted: RefCell<Vec<String>>,
}

impl Default for FakeEffects {
    fn default() -> Self {
        Self {
            proved: None,
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
            logged_faults: Cell::default(),
            posted: RefCell::default(),
        }
    }
}

impl FakeEffects {
    /// The names of the effects that were called, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |call: &String| call.split(' ').next().unwrap().to_owned();
        self.calls.borrow().iter().map(name).collect()
    }

    fn call(&self, name: &'static str, arguments: &str) -> Result<(), ()> {
        self.calls.borrow_mut().push(format!("{name} {arguments}"));
        if self.failing.contains(&name) { Err(()) } else { Ok(()) }
    }
}

impl Effects for FakeEffects {
    type Fault = ();

    fn log_fault(&self, (): ()) {
        self.logged_faults.set(self.logged_faults.get() + 1);
    }

    async fn prove(&self, app: &AppId, credential: &Credential) -> Result<Grant, EffectError<()>> {
        self.call("prove", &format!("{app} {credential:?}"))?;
        self.proved.clone().ok_or_else(|| EffectError::Rejected(Rejection::unauthorized()))
    }

    async fn count_rejection(&self) -> Result<Option<u32>, ()> {
        self.call("count_rejection", "").map(|()| self.rejections)
    }

    async fn has_connection_room(&self, app: &AppId) -> Result<bool, ()> {
        self.call("has_connection_room", app.as_str()).map(|()| self.has_connection_room)
    }

    async fn store_grant(&self, grant: &Grant) -> Result<bool, ()> {
        self.call("store_grant", &grant.to_text()).map(|()| self.is_stored)
    }

    async fn authorise(&self, grant: &Grant, action: Action, app: &AppId) -> Result<(), EffectError<()>> {
        self.call("authorise", &format!("{action:?} {app} {}", grant.to_text()))?;
        if self.is_authorised { Ok(()) } else { Err(EffectError::Rejected(Rejection::unauthorized())) }
    }

    async fn has_subscription_room(&self, app: &AppId) -> Result<bool, ()> {
        self.call("has_subscription_room", app.as_str()).map(|()| self.has_subscription_room)
    }

    async fn add_subscription(
        &self,
        app: &AppId,
        grant: &Grant,
        min_interval_ms: i64,
        dialect: Dialect,
    ) -> Result<bool, ()> {
        let proof = grant.subscription_proof().to_text();
        self.call("add_subscription", &format!("{app} {proof} {min_interval_ms} {dialect:?}"))
            .map(|()| self.is_subscribed)
    }

    async fn remove_subscription(&self, app: &AppId) -> Result<(), ()> {
        self.call("remove_subscription", app.as_str())
    }

    async fn recent_reports(&self, app: &AppId, from: TimestampMs) -> Result<RecentReports, ()> {
        self.call("recent_reports", &format!("{app} {from}"))?;
        Ok(RecentReports { reports: Vec::new(), is_complete: true })
    }
}

impl LegacyEffects for FakeEffects {
    async fn find_session(&self) -> Result<Option<LegacySession>, ()> {
        self.call("find_session", "").map(|()| self.session.clone())
    }

    async fn claim_reply(&self, kind: ReplyKind) -> Result<Claim, ()> {
        self.call("claim_reply", &format!("{kind:?}"))?;
        Ok(match self.session.clone() {
            Some(session) if self.is_claimable => Claim::Won(session),
            Some(session) => Claim::Lost(session),
            None => Claim::Gone,
        })
    }

    async fn store_legacy_grant(&self, grant: &Grant) -> Result<bool, ()> {
        self.call("store_legacy_grant", &grant.to_text()).map(|()| self.is_stored)
    }

    async fn leave(&self, app: &AppId) -> Result<(), ()> {
        self.call("leave", app.as_str())
    }

    async fn find_app(&self, app: &AppId) -> Result<Option<Arc<App>>, ()> {
        self.call("find_app", app.as_str()).map(|()| self.app.clone().map(Arc::new))
    }

    async fn last_report(&self, app: &AppId) -> Result<Option<Report>, ()> {
        self.call("last_report", app.as_str()).map(|()| self.last_report.clone())
    }

    async fn log_entries(&self, app: &AppId) -> Result<Vec<String>, ()> {
        self.call("log_entries", app.as_str()).map(|()| self.log_entries.clone())
    }

    async fn store_log_entries(&self, app: &AppId, entries: &[String]) -> Result<(), ()> {
        self.call("store_log_entries", &format!("{app} {entries:?}"))
    }

    async fn post_to_subscribers(&self, app: &AppId, frames: &[String]) -> Result<(), ()> {
        self.posted.borrow_mut().extend_from_slice(frames);
        self.call("post_to_subscribers", app.as_str())
    }

    async fn commands(&self, app: &AppId) -> Result<Vec<IssuedCommand>, ()> {
        self.call("commands", app.as_str()).map(|()| self.commands.clone())
    }

    async fn store_command(&self, app: &AppId, command: &IssuedCommand) -> Result<(), ()> {
        self.call("store_command", &format!("{app} {command:?}"))
    }

    async fn post_to_publishers(&self, app: &AppId, frame: String) -> Result<(), ()> {
        self.posted.borrow_mut().push(frame);
        self.call("post_to_publishers", app.as_str())
    }
}

/// The result of a future that waits for nothing.
pub(crate) fn finished<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("fake effects never wait"),
    }
}
