//! What a connection or a token may do, on which applications, until when - and the one check of it.
//!
//! Owns the grant, its text form for the authorizer's context and the session row, and `authorise`; `hold` owns what is
//! left of a grant on a subscription.
//! Refuses to look at credentials: what a key or a token proves is the `access` crate's matter.
//! Ruled by design.md §8.

mod hold;

use serde::{Deserialize, Serialize};

use crate::app::{App, Status};
use crate::ids::{AppId, KeyId, UserId};
use crate::rejection::{Code, Rejection};
use crate::time::TimestampMs;

pub use hold::Hold;

/// Most applications that one grant names.
pub const MAX_GRANTED_APPS: usize = 50;

/// What a caller wants to do with an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send reports for it.
    Publish,
    /// Watch it live, or read its history.
    View,
}

/// Which actions a credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reports may be sent.
    Publish,
    /// Reports may be watched and history read.
    View,
    /// Both.
    Both,
}

impl Scope {
    fn covers(self, action: Action) -> bool {
        match self {
            Self::Both => true,
            Self::Publish => action == Action::Publish,
            Self::View => action == Action::View,
        }
    }
}

/// Which applications a grant reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// These, at most [`MAX_GRANTED_APPS`].
    Apps(Vec<AppId>),
    /// Every application of this owner.
    Owner(UserId),
}

/// What proved the grant, so that taking it back reaches connections that are already open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// An API key of the application.
    Key(KeyId),
    /// A token issued then. An application may refuse all tokens issued before an instant.
    Token {
        /// When it was issued.
        issued: TimestampMs,
    },
    /// The library's own `auth`, which has no secret; valid while the application's `legacy` flag is on.
    Legacy,
}

impl Proof {
    /// Whether `app` has not taken it back.
    fn is_valid_for(&self, app: &App) -> bool {
        match self {
            Self::Key(id) => app.keys.iter().any(|key| key.id == *id),
            Self::Token { issued } => app.tokens_not_before.is_none_or(|earliest| *issued >= earliest),
            Self::Legacy => app.legacy,
        }
    }
}

/// Permission to act. Made only from a proved credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// On whose behalf.
    pub user: UserId,
    /// Which actions.
    pub scope: Scope,
    /// Which applications.
    pub reach: Reach,
    /// By what.
    pub proof: Proof,
    /// The instant from which it no longer holds; absent for a proof that does not age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<TimestampMs>,
}

impl Grant {
    /// The text that travels in the authorizer's context and stands on the session row.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Grant::to_text`] writes; any other text grants nothing.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the connection speaks the legacy dialect, which is decided by how it authenticated.
    pub fn is_legacy(&self) -> bool {
        self.proof == Proof::Legacy
    }

    /// The applications that the grant names: none for an owner's.
    pub fn names(&self) -> &[AppId] {
        match &self.reach {
            Reach::Apps(apps) => apps,
            Reach::Owner(_) => &[],
        }
    }

    /// The applications that the grant names for publishing: none for a viewer, and none for an owner's grant, which
    /// names no application.
    pub fn publishes(&self) -> &[AppId] {
        if self.scope.covers(Action::Publish) { self.names() } else { &[] }
    }

    fn reaches(&self, app: &App) -> bool {
        match &self.reach {
            Reach::Apps(apps) => apps.contains(&app.id),
            Reach::Owner(owner) => *owner == app.owner,
        }
    }
}

/// Whether the holder of `grant` may do `action` to `app` at `now`; `app` is `None` where no such application exists.
///
/// # Errors
/// `unauthorized` without a grant, when it has aged, or when its proof was taken back; `forbidden` for an unknown, a foreign or an
/// uncovered application, which look alike on purpose; `app_inactive` for one that is switched off.
pub fn authorise(
    grant: Option<&Grant>,
    action: Action,
    app: Option<&App>,
    now: TimestampMs,
) -> Result<(), Rejection> {
    let grant = unexpired(grant, now)?;
    let app = app.filter(|app| grant.reaches(app)).ok_or_else(forbidden)?;
    if !grant.proof.is_valid_for(app) {
        return Err(Rejection::unauthorized());
    }
    if !grant.scope.covers(action) {
        return Err(forbidden());
    }
    match app.status {
        Status::Active => Ok(()),
        Status::Inactive => Err(Rejection::new(Code::AppInactive, "the app is inactive")),
    }
}

/// The grant, if its holder may do `action` at `now` to whatever it reaches: what can be said before an application is
/// looked at, each of which [`authorise`] still has to judge.
///
/// # Errors
/// `unauthorized` without a grant or when it has aged, `forbidden` where its scope does not cover the action.
pub fn in_force(grant: Option<&Grant>, action: Action, now: TimestampMs) -> Result<&Grant, Rejection> {
    let grant = unexpired(grant, now)?;
    if grant.scope.covers(action) { Ok(grant) } else { Err(forbidden()) }
}

fn unexpired(grant: Option<&Grant>, now: TimestampMs) -> Result<&Grant, Rejection> {
    let grant = grant.ok_or_else(Rejection::unauthorized)?;
    if grant.until.is_some_and(|until| until <= now) {
        return Err(Rejection::new(Code::Unauthorized, "the credentials have expired"));
    }
    Ok(grant)
}

fn forbidden() -> Rejection {
    Rejection::new(Code::Forbidden, "the credentials do not allow this on this app").at("data.appId")
}

/// The side of the conversation that a connection is on, by whether its handshake named an `Origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// No `Origin`: a program, such as the library.
    Program,
    /// An `Origin` from the configured list: a page.
    Page,
    /// Any other `Origin`: a page that legacy applications are not shown to.
    ForeignPage,
}

impl Role {
    /// The role as it travels in the authorizer's context.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Page => "page",
            Self::ForeignPage => "foreignpage",
        }
    }

    /// Reads what [`Role::as_str`] writes; what is missing or unknown is a foreign page, the least trusted.
    pub fn from_text(text: Option<&str>) -> Self {
        match text {
            Some("program") => Self::Program,
            Some("page") => Self::Page,
            _ => Self::ForeignPage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{DEFAULT_SHARDS, KeyHash, KeyRecord};

    pub(super) fn app() -> App {
        App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status: Status::Active,
            keys: vec![KeyRecord {
                id: KeyId::new("k1").unwrap(),
                hash: KeyHash::of("secret"),
                scope: Scope::Both,
            }],
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            limits: Default::default(),
            retention: Default::default(),
            limited_until: None,
        }
    }

    pub(super) fn now() -> TimestampMs {
        TimestampMs::clamped(1_800_000_000_000)
    }

    fn grant(scope: Scope, reach: Reach, proof: Proof) -> Grant {
        Grant { user: UserId::new("ann").unwrap(), scope, reach, proof, until: None }
    }

    pub(super) fn by_key(scope: Scope) -> Grant {
        grant(scope, Reach::Apps(vec![AppId::new("shop").unwrap()]), Proof::Key(KeyId::new("k1").unwrap()))
    }

    fn verdict(grant: Option<&Grant>, action: Action, app: Option<&App>) -> Option<Code> {
        authorise(grant, action, app, now()).err().map(|rejection| rejection.code)
    }

    #[test]
    fn a_scope_covers_its_own_action_only() {
        let app = app();
        for (scope, publish, view) in
            [(Scope::Publish, true, false), (Scope::View, false, true), (Scope::Both, true, true)]
        {
            let grant = by_key(scope);
            assert_eq!(verdict(Some(&grant), Action::Publish, Some(&app)).is_none(), publish);
            assert_eq!(verdict(Some(&grant), Action::View, Some(&app)).is_none(), view);
        }
    }

    #[test]
    fn a_grant_is_in_force_before_any_app_is_looked_at() {
        let refusal = |grant: Option<&Grant>| in_force(grant, Action::View, now()).err().map(|one| one.code);
        assert_eq!(refusal(Some(&by_key(Scope::View))), None);
        assert_eq!(refusal(Some(&by_key(Scope::Publish))), Some(Code::Forbidden));
        assert_eq!(refusal(None), Some(Code::Unauthorized));
        let mut aged = by_key(Scope::View);
        aged.until = Some(now());
        assert_eq!(refusal(Some(&aged)), Some(Code::Unauthorized));
    }

    #[test]
    fn a_foreign_and_an_unknown_app_look_alike() {
        let mut foreign = app();
        foreign.id = AppId::new("other").unwrap();
        let grant = by_key(Scope::Both);
        assert_eq!(
            authorise(Some(&grant), Action::View, Some(&foreign), now()),
            authorise(Some(&grant), Action::View, None, now())
        );
    }

    #[test]
    fn what_was_taken_back_no_longer_opens() {
        let mut app = app();
        let legacy = grant(Scope::Publish, Reach::Apps(vec![app.id.clone()]), Proof::Legacy);
        assert_eq!(verdict(Some(&legacy), Action::Publish, Some(&app)), None);
        app.legacy = false;
        app.keys.clear();
        assert_eq!(verdict(Some(&legacy), Action::Publish, Some(&app)), Some(Code::Unauthorized));
        assert_eq!(verdict(Some(&by_key(Scope::Both)), Action::View, Some(&app)), Some(Code::Unauthorized));
    }

    #[test]
    fn a_token_ends_at_its_hour_and_with_all_tokens_of_its_time() {
        let mut app = app();
        let mut token = by_key(Scope::View);
        token.proof = Proof::Token { issued: now() };
        token.until = Some(now().plus_ms(1));
        assert_eq!(verdict(Some(&token), Action::View, Some(&app)), None);
        token.until = Some(now());
        assert_eq!(verdict(Some(&token), Action::View, Some(&app)), Some(Code::Unauthorized));
        token.until = None;
        app.tokens_not_before = Some(now().plus_ms(1));
        assert_eq!(verdict(Some(&token), Action::View, Some(&app)), Some(Code::Unauthorized));
        app.tokens_not_before = Some(now());
        assert_eq!(verdict(Some(&token), Action::View, Some(&app)), None);
    }

    #[test]
    fn an_inactive_app_is_told_only_to_those_who_may_know() {
        let mut app = app();
        app.status = Status::Inactive;
        assert_eq!(verdict(Some(&by_key(Scope::Both)), Action::View, Some(&app)), Some(Code::AppInactive));
        assert_eq!(verdict(Some(&by_key(Scope::Publish)), Action::View, Some(&app)), Some(Code::Forbidden));
        assert_eq!(verdict(None, Action::View, Some(&app)), Some(Code::Unauthorized));
    }

    #[test]
    fn an_owner_reaches_own_apps_only() {
        let app = app();
        let key = Proof::Key(KeyId::new("k1").unwrap());
        let own = grant(Scope::View, Reach::Owner(UserId::new("ann").unwrap()), key.clone());
        let other = grant(Scope::View, Reach::Owner(UserId::new("bob").unwrap()), key);
        assert_eq!(verdict(Some(&own), Action::View, Some(&app)), None);
        assert_eq!(verdict(Some(&other), Action::View, Some(&app)), Some(Code::Forbidden));
    }

    #[test]
    fn only_a_publishers_named_apps_are_published_for() {
        let shop = [AppId::new("shop").unwrap()];
        assert_eq!(by_key(Scope::Both).publishes(), shop);
        assert_eq!(by_key(Scope::Publish).publishes(), shop);
        assert!(by_key(Scope::View).publishes().is_empty());
        let owner = grant(Scope::Both, Reach::Owner(UserId::new("ann").unwrap()), Proof::Legacy);
        assert!(owner.publishes().is_empty());
    }

    #[test]
    fn a_grant_survives_its_text_and_garbage_grants_nothing() {
        let mut token = by_key(Scope::View);
        token.proof = Proof::Token { issued: now() };
        token.until = Some(now());
        for grant in [by_key(Scope::Both), token] {
            assert_eq!(Grant::from_text(&grant.to_text()), Some(grant));
        }
        for text in ["", "{}", "null", "{\"scope\":\"both\"}"] {
            assert_eq!(Grant::from_text(text), None, "{text:?}");
        }
    }
}
