//! Grants: what a connection or a token may do, on which apps, until when; and the one check of them.
//!
//! What a key or a token proves is decided in the `nsl-auth` crate.

mod proof;

use serde::{Deserialize, Serialize};

use crate::app::{App, Status};
use crate::dialect::Dialect;
use crate::ids::{AppId, Scope, Subject, UserId};
use crate::rejection::{Code, Rejection};
use crate::time::TimestampMs;

pub use proof::{Proof, StoredProof};

/// Most apps that one grant names.
pub const MAX_GRANTED_APPS: usize = 50;

/// What a caller wants to do with an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send reports for it.
    Publish,
    /// Watch it live, or read its history.
    View,
}

impl Scope {
    fn covers(self, action: Action) -> bool {
        self.contains(match action {
            Action::Publish => Self::PUBLISH,
            Action::View => Self::VIEW,
        })
    }
}

/// The apps that a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantedApps {
    /// These, at most [`MAX_GRANTED_APPS`].
    Apps(Vec<AppId>),
    /// Every app of this owner.
    Owner(UserId),
}

/// Permission to act. Made only from a proved credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whom the credential identifies.
    pub user: Subject,
    /// Which actions.
    pub scope: Scope,
    /// Which apps.
    pub reach: GrantedApps,
    /// What proved it.
    pub proof: Proof,
    /// The instant at which it expires; absent for a proof that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<TimestampMs>,
    /// Whether its key or token came in the library's `auth`, beside the ids. False for ids alone, which only the
    /// library sends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub library: bool,
}

impl Grant {
    /// The JSON text in the authorizer's context and on the session row.
    pub fn to_text(&self) -> String {
        // Serializing a grant cannot fail; if it did, an empty text grants nothing.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Grant::to_text`] writes; any other text grants nothing.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether ids alone proved it, for an app with the `legacy` flag: anybody with the ids may act.
    pub fn is_by_ids(&self) -> bool {
        self.proof == Proof::Legacy
    }

    /// The dialect of a connection with it, whatever proved it.
    pub fn dialect(&self) -> Dialect {
        if self.library || self.is_by_ids() { Dialect::Legacy } else { Dialect::Modern }
    }

    /// The grant that the ids of the library and its dashboard give a client of `role`, without a secret: only for an app
    /// that allows it, and to its owner. A program may publish, a page of the configured origins may view.
    pub fn by_ids(user: &UserId, app: &App, role: Role) -> Option<Self> {
        let scope = match role {
            Role::Program => Scope::PUBLISH,
            Role::Page => Scope::VIEW,
            Role::ForeignPage => return None,
        };
        let reach = GrantedApps::Apps(vec![app.id.clone()]);
        let grant = Self {
            user: user.clone().into(),
            scope,
            reach,
            proof: Proof::Legacy,
            until: None,
            library: false,
        };
        (app.legacy && *user == app.owner).then_some(grant)
    }

    /// The part of it that is stored with a subscription or a publisher.
    pub fn stored_proof(&self) -> StoredProof {
        StoredProof { proof: self.proof.clone(), owner: self.bound_to(), until: self.until }
    }

    /// The owner whose apps alone it is for, whichever app has the id: that of an owner's token, and the user of the
    /// library's `auth`.
    fn bound_to(&self) -> Option<UserId> {
        match &self.reach {
            GrantedApps::Owner(owner) => Some(owner.clone()),
            GrantedApps::Apps(_) if self.is_by_ids() => UserId::new(self.user.as_str()).ok(),
            GrantedApps::Apps(_) => None,
        }
    }

    /// The id of the user that it identifies; none for a token, whose `sub` is not an id of ours.
    pub fn user_id(&self) -> Option<&str> {
        match self.proof {
            Proof::Key(_) | Proof::Legacy => Some(self.user.as_str()),
            Proof::Token { .. } => None,
        }
    }

    /// The apps that the grant names: none for an owner's.
    pub fn names(&self) -> &[AppId] {
        match &self.reach {
            GrantedApps::Apps(apps) => apps,
            GrantedApps::Owner(_) => &[],
        }
    }

    /// The apps that the grant names for publishing: none for a viewer, and none for an owner's grant, which
    /// names no app.
    pub fn publishes(&self) -> &[AppId] {
        if self.scope.covers(Action::Publish) { self.names() } else { &[] }
    }

    fn includes(&self, app: &App) -> bool {
        match &self.reach {
            GrantedApps::Apps(apps) => apps.contains(&app.id),
            GrantedApps::Owner(owner) => *owner == app.owner,
        }
    }
}

/// Whether `grant` allows `action` on `app` at `now`; `app` is `None` if no such app exists.
///
/// # Errors
/// `unauthorized` without a grant, when it has expired or its proof was revoked; `forbidden` for an app that is
/// unknown, another user's or not covered, which look alike on purpose; `app_inactive` for one that is switched off.
pub fn authorise(
    grant: Option<&Grant>,
    action: Action,
    app: Option<&App>,
    now: TimestampMs,
) -> Result<(), Rejection> {
    let (grant, app) = valid_on(grant, app, now)?;
    if !grant.scope.covers(action) {
        return Err(forbidden());
    }
    active(app)
}

/// Whether `grant` is valid for `app` at `now`, whatever it allows there.
///
/// # Errors
/// Those of [`authorise`].
pub fn check_without_action(grant: &Grant, app: Option<&App>, now: TimestampMs) -> Result<(), Rejection> {
    let (_, app) = valid_on(Some(grant), app, now)?;
    active(app)
}

/// Whether `grant` is valid for `app` at `now`, whatever it allows there and whether or not the app is switched off.
pub fn is_valid_on(grant: &Grant, app: &App, now: TimestampMs) -> bool {
    valid_on(Some(grant), Some(app), now).is_ok()
}

fn valid_on<'a>(
    grant: Option<&'a Grant>,
    app: Option<&'a App>,
    now: TimestampMs,
) -> Result<(&'a Grant, &'a App), Rejection> {
    let grant = unexpired(grant, now)?;
    let app = app.filter(|app| grant.includes(app)).ok_or_else(forbidden)?;
    if !grant.proof.is_valid_for(app, grant.bound_to().as_ref()) {
        return Err(Rejection::unauthorized());
    }
    Ok((grant, app))
}

fn active(app: &App) -> Result<(), Rejection> {
    match app.status {
        Status::Active => Ok(()),
        Status::Inactive => Err(Rejection::new(Code::AppInactive, "the app is inactive")),
    }
}

/// The grant, if it allows `action` at `now` on its apps: the part of the check that needs no app. [`authorise`] must
/// still check each of them.
///
/// # Errors
/// `unauthorized` without a grant or when it has expired, `forbidden` if its scope does not cover the action.
pub fn check_without_app(
    grant: Option<&Grant>,
    action: Action,
    now: TimestampMs,
) -> Result<&Grant, Rejection> {
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

/// The kind of client of a connection, by the `Origin` of its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// No `Origin`: a program, such as the library.
    Program,
    /// An `Origin` from the configured list: a page.
    Page,
    /// Any other `Origin`: a page that legacy apps are not shown to.
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

    /// Reads what [`Role::as_str`] writes; absent or unknown text is a foreign page, the least trusted.
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
    use crate::app::KeyRecord;

    const NOW: TimestampMs = TimestampMs::EXAMPLE;

    fn app() -> App {
        App { keys: vec![KeyRecord::of("secret", Scope::BOTH)], legacy: true, ..App::example() }
    }

    fn grant(scope: Scope, reach: GrantedApps, proof: Proof) -> Grant {
        Grant { user: Subject::new("ann").unwrap(), scope, reach, proof, until: None, library: false }
    }

    fn by_key(scope: Scope) -> Grant {
        let [key] = &app().keys[..] else { panic!("the app has one key") };
        grant(scope, GrantedApps::Apps(vec![app().id]), Proof::Key(key.id.clone()))
    }

    fn rejection_of(grant: Option<&Grant>, action: Action, app: &App) -> Option<Code> {
        authorise(grant, action, Some(app), NOW).err().map(|rejection| rejection.code)
    }

    #[test]
    fn scope_covers_its_own_action_only() {
        for (scope, publish, view) in [
            (Scope::PUBLISH, true, false),
            (Scope::VIEW, false, true),
            (Scope::BOTH, true, true),
            (Scope::MANAGE, false, false),
            (Scope::VIEW.with(Scope::MANAGE), false, true),
        ] {
            let grant = by_key(scope);
            assert_eq!(rejection_of(Some(&grant), Action::Publish, &app()).is_none(), publish);
            assert_eq!(rejection_of(Some(&grant), Action::View, &app()).is_none(), view);
        }
    }

    #[test]
    fn expiry_and_scope_are_checked_without_an_app() {
        let rejection_of =
            |grant: Option<&Grant>| check_without_app(grant, Action::View, NOW).err().map(|one| one.code);
        assert_eq!(rejection_of(Some(&by_key(Scope::VIEW))), None);
        assert_eq!(rejection_of(Some(&by_key(Scope::PUBLISH))), Some(Code::Forbidden));
        assert_eq!(rejection_of(None), Some(Code::Unauthorized));
        let expired = Grant { until: Some(NOW), ..by_key(Scope::VIEW) };
        assert_eq!(rejection_of(Some(&expired)), Some(Code::Unauthorized));
    }

    #[test]
    fn foreign_and_unknown_apps_look_alike() {
        let foreign = App { id: AppId::new("other").unwrap(), ..app() };
        let grant = by_key(Scope::BOTH);
        assert_eq!(
            authorise(Some(&grant), Action::View, Some(&foreign), NOW),
            authorise(Some(&grant), Action::View, None, NOW)
        );
    }

    #[test]
    fn expired_or_revoked_proof_grants_nothing() {
        let revoked = App { keys: Vec::new(), legacy: false, ..app() };
        let since = |ms| App { tokens_not_before: Some(NOW.plus_ms(ms)), ..app() };
        let token = Grant { proof: Proof::Token { issued: NOW }, ..by_key(Scope::VIEW) };
        let until = |ms| Grant { until: Some(NOW.plus_ms(ms)), ..token.clone() };
        let legacy = Grant { proof: Proof::Legacy, ..by_key(Scope::VIEW) };
        for (grant, app, is_valid) in [
            (&by_key(Scope::VIEW), revoked.clone(), false),
            (&legacy, app(), true),
            (&legacy, revoked, false),
            (&until(1), app(), true),
            (&until(0), app(), false),
            (&token, since(0), true),
            (&token, since(1), false),
        ] {
            let expected = (!is_valid).then_some(Code::Unauthorized);
            assert_eq!(rejection_of(Some(grant), Action::View, &app), expected, "{grant:?} {app:?}");
        }
    }

    #[test]
    fn credential_of_an_earlier_app_grants_nothing() {
        let created = NOW.plus_ms(1);
        let reborn = |owner| App {
            owner: UserId::new(owner).unwrap(),
            created_at: Some(NOW.plus_ms(1)),
            id_free_since: Some(created),
            ..app()
        };
        let token = |issued| Grant { proof: Proof::Token { issued }, ..by_key(Scope::VIEW) };
        let of_owner = Grant {
            reach: GrantedApps::Owner(UserId::new("ann").unwrap()),
            ..token(NOW.plus_ms(-1_000_000))
        };
        let legacy = Grant { proof: Proof::Legacy, ..by_key(Scope::VIEW) };
        for (grant, owner, expected) in [
            (&token(NOW), "bob", Some(Code::Unauthorized)),
            (&token(NOW), "ann", Some(Code::Unauthorized)),
            (&token(created), "bob", None),
            (&of_owner, "ann", None),
            (&of_owner, "bob", Some(Code::Forbidden)),
            (&legacy, "ann", None),
            (&legacy, "bob", Some(Code::Unauthorized)),
        ] {
            assert_eq!(
                rejection_of(Some(grant), Action::View, &reborn(owner)),
                expected,
                "{grant:?} {owner}"
            );
            let is_valid = grant.stored_proof().is_valid(&reborn(owner), NOW);
            assert_eq!(is_valid, expected.is_none(), "stored: {grant:?} {owner}");
        }
    }

    #[test]
    fn inactive_status_is_shown_only_to_the_authorised() {
        let app = App { status: Status::Inactive, ..app() };
        assert_eq!(rejection_of(Some(&by_key(Scope::BOTH)), Action::View, &app), Some(Code::AppInactive));
        assert_eq!(rejection_of(Some(&by_key(Scope::PUBLISH)), Action::View, &app), Some(Code::Forbidden));
        assert_eq!(rejection_of(None, Action::View, &app), Some(Code::Unauthorized));
    }

    #[test]
    fn owner_grant_includes_own_apps_only() {
        let proof = by_key(Scope::VIEW).proof;
        let of = |owner| GrantedApps::Owner(UserId::new(owner).unwrap());
        let own = grant(Scope::VIEW, of("ann"), proof.clone());
        let other = grant(Scope::VIEW, of("bob"), proof);
        assert_eq!(rejection_of(Some(&own), Action::View, &app()), None);
        assert_eq!(rejection_of(Some(&other), Action::View, &app()), Some(Code::Forbidden));
    }

    #[test]
    fn only_publishers_publish_for_the_apps_they_name() {
        let shop = [app().id];
        assert_eq!(by_key(Scope::BOTH).publishes(), shop);
        assert_eq!(by_key(Scope::PUBLISH).publishes(), shop);
        assert!(by_key(Scope::VIEW).publishes().is_empty());
        let owner = grant(Scope::BOTH, GrantedApps::Owner(UserId::new("ann").unwrap()), Proof::Legacy);
        assert!(owner.publishes().is_empty());
    }

    #[test]
    fn grants_of_earlier_versions_are_read_and_written_as_they_were() {
        for (text, scope) in [("publish", Scope::PUBLISH), ("view", Scope::VIEW), ("both", Scope::BOTH)] {
            let stored = format!(
                r#"{{"user":"ann","scope":"{text}","reach":{{"apps":["shop"]}},"proof":{{"key":"0123456789ab"}}}}"#
            );
            let grant = Grant::from_text(&stored).unwrap();
            assert_eq!((grant.scope, grant.to_text()), (scope, stored));
        }
        let by_ids = r#"{"user":"ann","scope":"publish","reach":{"apps":["shop"]},"proof":"legacy"}"#;
        let grant = Grant::from_text(by_ids).unwrap();
        assert_eq!((grant.dialect(), grant.to_text()), (Dialect::Legacy, by_ids.to_owned()));
    }

    #[test]
    fn grant_of_a_library_with_a_key_is_stored_with_a_mark() {
        let stored = concat!(
            r#"{"user":"ann","scope":"both","reach":{"apps":["shop"]},"#,
            r#""proof":{"key":"0123456789ab"},"library":true}"#
        );
        let grant = Grant::from_text(stored).unwrap();
        assert_eq!((grant.is_by_ids(), grant.dialect()), (false, Dialect::Legacy));
        assert_eq!(grant.to_text(), stored);
        let modern = Grant { library: false, ..grant.clone() };
        assert_eq!(modern.dialect(), Dialect::Modern);
        assert_eq!(grant.stored_proof(), modern.stored_proof(), "the rows of publishers are as they were");
    }

    #[test]
    fn grant_survives_its_text_and_garbage_grants_nothing() {
        let token = Grant { proof: Proof::Token { issued: NOW }, until: Some(NOW), ..by_key(Scope::VIEW) };
        let stored = token.stored_proof();
        assert_eq!((&stored.proof, stored.until, stored.owner), (&token.proof, token.until, None));
        for grant in [by_key(Scope::BOTH), by_key(Scope::MANAGE), token] {
            assert_eq!(Grant::from_text(&grant.to_text()), Some(grant));
        }
        for text in ["", "{}", "null", "{\"scope\":\"both\"}"] {
            assert_eq!(Grant::from_text(text), None, "{text:?}");
        }
    }
}
