//! From a credential to a grant. A wrong key and an unknown app are rejected alike.

use nsl_domain::app::App;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::control::Credential;
use nsl_domain::grant::{Action, Grant, GrantedApps, Proof, Role, check_without_action, check_without_app};
use nsl_domain::ids::{Scope, UserId};
use nsl_domain::rejection::Rejection;
use nsl_domain::time::TimestampMs;

use crate::api_key;
use crate::token::TrustedKeys;

/// What a credential is checked against.
#[derive(Debug, Clone, Copy)]
pub struct ProofContext<'a> {
    /// The keys of trusted tokens.
    pub trusted: &'a TrustedKeys,
    /// The side that the handshake showed.
    pub role: Role,
    /// That of the `auth`; modern at a handshake and over HTTP.
    pub dialect: Dialect,
    /// The time of the attempt.
    pub now: TimestampMs,
}

/// The grant that `credential` gives for `app`, which is `None` if it does not exist.
///
/// # Errors
/// `unauthorized` for wrong credentials; `forbidden` for a token of other apps, and for a library's key or token that
/// does not allow publishing; `app_inactive` for right credentials of an inactive app.
pub fn prove(
    credential: &Credential,
    app: Option<&App>,
    context: ProofContext<'_>,
) -> Result<Grant, Rejection> {
    let ProofContext { trusted, role, dialect, now } = context;
    let grant = match credential {
        Credential::Token(token) => trusted.verify(token, now)?,
        Credential::ApiKey(key) => {
            app.and_then(|app| by_key(key, app)).ok_or_else(Rejection::unauthorized)?
        }
        Credential::LegacyUser(user) => {
            app.and_then(|app| by_user(user, app, role)).ok_or_else(Rejection::unauthorized)?
        }
    };
    check_without_action(&grant, app, now)?;
    if dialect == Dialect::Legacy && role == Role::Program {
        check_without_app(Some(&grant), Action::Publish, now)?;
    }
    let library = dialect == Dialect::Legacy && !grant.is_by_ids();
    Ok(Grant { library, ..grant })
}

fn by_key(text: &str, app: &App) -> Option<Grant> {
    let key = api_key::find(app, text)?;
    Some(grant(app, app.owner.clone(), key.scope, Proof::Key(key.id.clone())))
}

/// The library's `auth` has no secret: it opens only apps that allow it, to their owner. A program may publish, a page of
/// the configured origins may view.
fn by_user(user: &UserId, app: &App, role: Role) -> Option<Grant> {
    let scope = match role {
        Role::Program => Scope::PUBLISH,
        Role::Page => Scope::VIEW,
        Role::ForeignPage => return None,
    };
    if !app.legacy || *user != app.owner {
        return None;
    }
    Some(grant(app, user.clone(), scope, Proof::Legacy))
}

fn grant(app: &App, user: UserId, scope: Scope, proof: Proof) -> Grant {
    let reach = GrantedApps::Apps(vec![app.id.clone()]);
    Grant { user: user.into(), scope, reach, proof, until: None, library: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::app::{KeyRecord, Status};
    use nsl_domain::grant::authorise;
    use nsl_domain::rejection::Code;

    fn app(key: &str, scope: Scope, legacy: bool) -> App {
        let keys = vec![KeyRecord::of("another", Scope::BOTH), KeyRecord::of(key, scope)];
        App { keys, legacy, ..App::example() }
    }

    fn attempt(credential: &Credential, app: Option<&App>, role: Role) -> Result<Grant, Rejection> {
        attempt_in(Dialect::Modern, credential, app, role)
    }

    fn attempt_in(
        dialect: Dialect,
        credential: &Credential,
        app: Option<&App>,
        role: Role,
    ) -> Result<Grant, Rejection> {
        let trusted = TrustedKeys::new("", "", "nsl").unwrap();
        let context = ProofContext { trusted: &trusted, role, dialect, now: TimestampMs::clamped(0) };
        prove(credential, app, context)
    }

    fn outcome(credential: &Credential, app: Option<&App>, role: Role) -> Result<Scope, Code> {
        attempt(credential, app, role).map(|grant| grant.scope).map_err(|rejection| rejection.code)
    }

    #[test]
    fn key_proves_its_own_scope_of_its_own_app() {
        let shop = app("right", Scope::VIEW, false);
        let right = Credential::ApiKey("right".into());
        let wrong = Credential::ApiKey("wrong".into());
        assert_eq!(outcome(&right, Some(&shop), Role::Program), Ok(Scope::VIEW));
        assert_eq!(outcome(&wrong, Some(&shop), Role::Program), Err(Code::Unauthorized));
        assert_eq!(outcome(&right, None, Role::Program), Err(Code::Unauthorized));
        assert_eq!(attempt(&wrong, Some(&shop), Role::Page), attempt(&right, None, Role::Page));
    }

    #[test]
    fn key_to_manage_is_proved_and_may_neither_publish_nor_view() {
        let shop = app("right", Scope::MANAGE, false);
        let grant = attempt(&Credential::ApiKey("right".into()), Some(&shop), Role::Program).unwrap();
        for action in [Action::Publish, Action::View] {
            let refused = authorise(Some(&grant), action, Some(&shop), TimestampMs::clamped(0)).unwrap_err();
            assert_eq!(refused.code, Code::Forbidden, "{action:?}");
        }
    }

    #[test]
    fn legacy_auth_opens_legacy_apps_to_their_owner() {
        let (open, closed) = (app("k", Scope::BOTH, true), app("k", Scope::BOTH, false));
        let ann = Credential::LegacyUser(UserId::new("ann").unwrap());
        let bob = Credential::LegacyUser(UserId::new("bob").unwrap());
        assert_eq!(outcome(&ann, Some(&open), Role::Program), Ok(Scope::PUBLISH));
        assert_eq!(outcome(&ann, Some(&open), Role::Page), Ok(Scope::VIEW));
        assert_eq!(outcome(&ann, Some(&open), Role::ForeignPage), Err(Code::Unauthorized));
        assert_eq!(outcome(&ann, Some(&closed), Role::Program), Err(Code::Unauthorized));
        assert_eq!(outcome(&bob, Some(&open), Role::Program), Err(Code::Unauthorized));
    }

    #[test]
    fn library_key_must_allow_publishing_and_marks_the_grant() {
        let key = Credential::ApiKey("right".into());
        let outcome = |scope, dialect| {
            let shop = app("right", scope, false);
            let granted = attempt_in(dialect, &key, Some(&shop), Role::Program);
            granted.map(|grant| (grant.library, grant.dialect())).map_err(|rejection| rejection.code)
        };
        for scope in [Scope::PUBLISH, Scope::BOTH] {
            assert_eq!(outcome(scope, Dialect::Legacy), Ok((true, Dialect::Legacy)));
            assert_eq!(outcome(scope, Dialect::Modern), Ok((false, Dialect::Modern)));
        }
        for scope in [Scope::VIEW, Scope::MANAGE] {
            assert_eq!(outcome(scope, Dialect::Legacy), Err(Code::Forbidden));
        }
        let (ann, shop) = (Credential::LegacyUser(UserId::new("ann").unwrap()), app("k", Scope::BOTH, true));
        for role in [Role::Program, Role::Page] {
            let grant = attempt_in(Dialect::Legacy, &ann, Some(&shop), role).unwrap();
            assert_eq!((grant.library, grant.dialect()), (false, Dialect::Legacy), "as it was stored before");
        }
    }

    #[test]
    fn inactive_app_is_reported_to_its_own_key_only() {
        let mut shop = app("right", Scope::VIEW, true);
        shop.status = Status::Inactive;
        let right = Credential::ApiKey("right".into());
        assert_eq!(outcome(&right, Some(&shop), Role::Program), Err(Code::AppInactive));
        assert_eq!(
            outcome(&Credential::ApiKey("wrong".into()), Some(&shop), Role::Program),
            Err(Code::Unauthorized)
        );
    }
}
